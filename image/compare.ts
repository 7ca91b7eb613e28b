/** Two built images side by side: are they the same, where do they differ first, and what grew. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type ContentsFile, readContents } from "./contents.ts";
import { sha256OfFile } from "./deb-cache.ts";
import { ImageError } from "./failure.ts";
import { formatSize } from "./progress.ts";

export interface FileDifference {
  readonly name: string;
  /** Sizes in bytes; undefined where the file is missing. */
  readonly sizes: readonly [number | undefined, number | undefined];
  /** Of the first byte that differs, or the shorter one's end; undefined when one is missing. */
  readonly firstOffset: number | undefined;
}

export interface Comparison {
  /** Files beside each other in the two folders that are equal, byte for byte. */
  readonly equal: readonly string[];
  readonly different: readonly FileDifference[];
  /** Files inside the images whose content differs; `sizes` and hashes are those of contents.json. */
  readonly inside: readonly { readonly name: string; readonly before?: ContentsFile; readonly after?: ContentsFile }[];
}

/** Compares two output folders, file by file. Throws an ImageError for one that holds no image. */
export async function compareImages(before: string, after: string): Promise<Comparison> {
  const [left, right] = [await readContents(before), await readContents(after)];
  const names = [...new Set([...(await filesOf(before)), ...(await filesOf(after))])].sort();
  const equal: string[] = [];
  const different: FileDifference[] = [];
  for (const name of names) {
    const difference = await compareFiles(name, join(before, name), join(after, name));
    if (difference === undefined) equal.push(name);
    else different.push(difference);
  }
  const [old, now] = [byName(left), byName(right)];
  const inside = [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((name) => {
    const [a, b] = [old.get(name), now.get(name)];
    if (a?.sha256 === b?.sha256) return [];
    return [{ name, ...(a === undefined ? {} : { before: a }), ...(b === undefined ? {} : { after: b }) }];
  });
  return { equal, different, inside };
}

/** What a person reads after a rebuild: nothing, or which file of which layer, by how much, and where it begins. */
export function differenceLines({ equal, different, inside }: Comparison): string[] {
  const size = (bytes: number | undefined): string => (bytes === undefined ? "missing" : `${bytes} bytes`);
  const lines = different.map(({ name, sizes: [a, b], firstOffset }) => {
    const where = firstOffset === undefined ? "" : `, the first difference at offset ${firstOffset}`;
    return `${name}: ${a === b ? size(a) : `${size(a)} and ${size(b)}`}${where}`;
  });
  for (const { name, before, after } of inside) {
    const [layer = "", ...path] = name.split("/");
    const origin = before?.package ?? after?.package ?? "our own";
    lines.push(`  in ${layer}: /${path.join("/")} (${origin}): ${size(before?.size)} and ${size(after?.size)}`);
  }
  if (different.length > 0 && inside.length === 0) {
    lines.push("  all files inside are the same: they are packed, signed or described differently");
  }
  return [...lines, `${equal.length} files the same, ${different.length} different`];
}

/** What grew and what shrank between two images, by package and kernel module, largest change first. */
export function growthLines({ inside }: Comparison): string[] {
  const changes = new Map<string, number>();
  for (const { name, before, after } of inside) {
    const owner = componentOf(name, before ?? after);
    changes.set(owner, (changes.get(owner) ?? 0) + (after?.size ?? 0) - (before?.size ?? 0));
  }
  const total = [...changes.values()].reduce((sum, each) => sum + each, 0);
  const signed = (bytes: number): string => `${bytes < 0 ? "-" : "+"}${formatSize(Math.abs(bytes))}`;
  const rows = [...changes].sort(([a, x], [b, y]) => Math.abs(y) - Math.abs(x) || (a < b ? -1 : 1));
  return [
    ...rows.map(([owner, bytes]) => `${signed(bytes).padStart(10)}  ${owner}${bytes === 0 ? " (changed)" : ""}`),
    `${signed(total).padStart(10)}  unpacked, in all`,
  ];
}

/** Modules by name, everything else by its package. */
function componentOf(name: string, file: ContentsFile | undefined): string {
  const module = /\/kernel\/.*\/([^/]+)\.ko$/.exec(name)?.[1];
  return module === undefined ? (file?.package ?? `our own ${name}`) : `module ${module}`;
}

function byName(files: readonly ContentsFile[]): Map<string, ContentsFile> {
  return new Map(files.map((file) => [file.name, file]));
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function compareFiles(name: string, before: string, after: string): Promise<FileDifference | undefined> {
  const [a, b] = await Promise.all([sizeOf(before), sizeOf(after)]);
  if (a === undefined || b === undefined) return { name, sizes: [a, b], firstOffset: undefined };
  if (a === b && (await sha256OfFile(before)) === (await sha256OfFile(after))) return undefined;
  return { name, sizes: [a, b], firstOffset: await firstDifference(before, after) };
}

async function sizeOf(file: string): Promise<number | undefined> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new ImageError(`${file} cannot be read: ${error.code}`, { cause: error });
  });
  if (handle === undefined) return undefined;
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

const PIECE_BYTES = 1 << 20;

async function firstDifference(before: string, after: string): Promise<number> {
  const [left, right] = [await open(before), await open(after)];
  try {
    const [a, b] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
    for (let offset = 0; ; offset += PIECE_BYTES) {
      const { bytesRead: x } = await left.read(a, 0, PIECE_BYTES, offset);
      const { bytesRead: y } = await right.read(b, 0, PIECE_BYTES, offset);
      const common = Math.min(x, y);
      if (!a.subarray(0, common).equals(b.subarray(0, common))) {
        return offset + a.subarray(0, common).findIndex((byte, at) => byte !== b[at]);
      }
      if (x !== y || x < PIECE_BYTES) return offset + common;
    }
  } finally {
    await left.close();
    await right.close();
  }
}
