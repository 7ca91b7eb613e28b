/**
 * Where a slot's bytes go, by component, and the budget that a build must keep. squashfs packs files together, so a component's
 * packed size is an estimate: samples of it are compressed, and the sum is brought to the slot's real size.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { ImageError } from "./failure.ts";
import type { Architecture } from "./machines.ts";
import type { FileOrigin } from "./paper/origins.ts";
import { formatSize } from "./progress.ts";
import type { Tree } from "./tree.ts";

export interface Component {
  readonly name: string;
  /** Unpacked, in bytes. */
  readonly size: number;
  /** Its share of the slot, in bytes, estimated. */
  readonly packed: number;
}

export interface SizeTable {
  /** Largest first. */
  readonly components: readonly Component[];
  /** Of the packed slot, in bytes. */
  readonly slot: number;
}

/** Largest packed slot (kernel, initramfs, root and app) in bytes. */
const BUDGET_BYTES: Readonly<Record<Architecture, number>> = { amd64: 36e6, arm64: 36e6, mipsel: 30e6 };

/** What a file belongs to: the first that fits its path, then its package. */
const BY_PATH: readonly (readonly [RegExp, string])[] = [
  [/\/boot\/vmlinu/, "kernel"],
  [/\/boot\/initrd/, "initramfs"],
  [/\/lib\/modules\//, "kernel modules"],
  [/\/culvert\.(?:cjs|node)$|\/lib\/culvert\//, "app"],
  [/\/licences\.txt$/, "licence texts"],
];
const BY_PACKAGE: readonly (readonly [RegExp, string])[] = [
  [/^libicu/, "ICU"],
  [/^(?:nodejs|libnode\d*|node-.*)$/, "Node.js"],
  [/^busybox/, "busybox"],
  [/^(?:libc6|libstdc\+\+6|libgcc-s1|libatomic1)$/, "C and C++ libraries"],
  [/^libssl/, "OpenSSL"],
  [/^lib|^zlib1g$/, "other libraries"],
  [/./, "router programs"],
];

/** `trees` are those that the slot is packed of, by name; `origins` says of which package their files are. */
export function tabulateSizes(
  trees: Readonly<Record<string, Tree>>,
  origins: readonly FileOrigin[],
  slot: number,
): SizeTable {
  const packages = new Map(origins.map((file) => [file.name, file.package?.package]));
  const sums = new Map<string, { size: number; packed: number }>();
  for (const [tree, entries] of Object.entries(trees)) {
    for (const { path, content } of entries.entries()) {
      if (content.kind !== "file") continue;
      const name = componentOf(path, packages.get(`${tree}${path}`));
      const { size, packed } = sums.get(name) ?? { size: 0, packed: 0 };
      sums.set(name, { size: size + content.data.length, packed: packed + estimatePacked(content.data) });
    }
  }
  const estimated = [...sums.values()].reduce((sum, each) => sum + each.packed, 0);
  const components = [...sums].map(([name, { size, packed }]) => {
    return { name, size, packed: Math.round((packed * slot) / Math.max(1, estimated)) };
  });
  return { components: components.sort((a, b) => b.packed - a.packed || (a.name < b.name ? -1 : 1)), slot };
}

function componentOf(path: string, from: string | undefined): string {
  const byPath = BY_PATH.find(([pattern]) => pattern.test(path))?.[1];
  if (byPath !== undefined) return byPath;
  return from === undefined ? "scripts and tables" : (BY_PACKAGE.find(([pattern]) => pattern.test(from))?.[1] ?? from);
}

/** A quarter of a file, in pieces of what a compressor sees at once, stands for all of it. */
const PIECE_BYTES = 32 * 1024;
const EVERY_BYTES = 128 * 1024;

function estimatePacked(data: Buffer): number {
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += EVERY_BYTES) pieces.push(data.subarray(at, at + PIECE_BYTES));
  const sample = Buffer.concat(pieces);
  return sample.length === 0 ? 0 : (deflateSync(sample, { level: 1 }).length * data.length) / sample.length;
}

/** The table beside an image, for the next build to compare with. */
export const SIZES_NAME = "sizes.json";

export function emitSizes(table: SizeTable): string {
  return `${JSON.stringify(table, undefined, 1)}\n`;
}

/** Undefined for a folder without one. */
export async function readSizes(folder: string): Promise<SizeTable | undefined> {
  const file = join(folder, SIZES_NAME);
  return existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
}

/** The table as lines; with `before`, what grew since then. */
export function sizeLines({ components, slot }: SizeTable, before: SizeTable | undefined): string[] {
  const row = (packed: string, size: string, name: string): string =>
    `${packed.padStart(9)} ${size.padStart(9)}  ${name}`;
  return [
    row("packed", "unpacked", "component"),
    ...components.map(({ name, size, packed }) => {
      const was = before?.components.find((each) => each.name === name);
      const change = before === undefined || was?.size === size ? "" : ` (${grown(size - (was?.size ?? 0))} unpacked)`;
      return row(`~${formatSize(packed)}`, formatSize(size), `${name}${change}`);
    }),
    row(
      formatSize(slot),
      "",
      `the slot${before === undefined || before.slot === slot ? "" : ` (${grown(slot - before.slot)})`}`,
    ),
  ];
}

/** Throws an ImageError that says by how much, and which components grew since `before` or else which are the largest. */
export function checkBudget(table: SizeTable, architecture: Architecture, before: SizeTable | undefined): void {
  const budget = BUDGET_BYTES[architecture];
  if (table.slot <= budget) return;
  const growth = table.components
    .map(({ name, size }) => ({ name, by: size - (before?.components.find((each) => each.name === name)?.size ?? 0) }))
    .filter(({ by }) => before !== undefined && by > 0)
    .sort((a, b) => b.by - a.by);
  const blame =
    growth.length > 0
      ? `grown since the last build: ${growth.map(({ name, by }) => `${name} ${grown(by)}`).join(", ")}`
      : `the largest: ${table.components
          .slice(0, 4)
          .map(({ name, packed }) => `${name} ~${formatSize(packed)}`)
          .join(", ")}`;
  throw new ImageError(
    `the slot has ${formatSize(table.slot)}, ${formatSize(table.slot - budget)} more than the ${formatSize(budget)} that ` +
      `${architecture} may have; ${blame}`,
  );
}

function grown(bytes: number): string {
  return `${bytes < 0 ? "-" : "+"}${formatSize(Math.abs(bytes))}`;
}
