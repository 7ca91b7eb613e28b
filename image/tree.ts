/** A file system in memory: what goes into an image, before any format. Everything is owned by root. */
import { ImageError } from "./failure.ts";

export type Content =
  | { readonly kind: "folder" }
  /** `from`: the host's file that has exactly these bytes, when they were read from one and not changed. */
  | { readonly kind: "file"; readonly data: Buffer; readonly from?: string }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "character-device"; readonly major: number; readonly minor: number };

export interface Entry {
  /** Absolute and normalised, such as `/usr/bin/node`. */
  readonly path: string;
  /** Permission bits, such as 0o755. */
  readonly mode: number;
  readonly content: Content;
}

/** Directories that Debian merged into /usr; every path in a tree is spelled with /usr, these are links. */
const MERGED = ["bin", "lib", "lib64", "sbin"] as const;

export class Tree {
  readonly #entries = new Map<string, Entry>();

  /** Adds an entry. Two sources for one path are a mistake in the board or guest, never a merge. */
  add(entry: Entry): void {
    if (!/^(?:\/[^/]+)+$/.test(entry.path) || /\/\.\.?(?:\/|$)/.test(entry.path)) {
      throw new ImageError(`"${entry.path}" is not a normalised absolute path`);
    }
    if (this.#entries.has(entry.path)) throw new ImageError(`${entry.path} would come from two sources: remove one`);
    this.#entries.set(entry.path, entry);
  }

  file(path: string, data: Buffer | string, mode = 0o644): void {
    this.add({ path, mode, content: { kind: "file", data: typeof data === "string" ? Buffer.from(data) : data } });
  }

  folder(path: string, mode = 0o755): void {
    this.add({ path, mode, content: { kind: "folder" } });
  }

  link(path: string, target: string): void {
    this.add({ path, mode: 0o777, content: { kind: "link", target } });
  }

  characterDevice(path: string, mode: number, major: number, minor: number): void {
    this.add({ path, mode, content: { kind: "character-device", major, minor } });
  }

  /** /bin, /sbin, /lib and /lib64 as links into /usr. */
  addMergedLinks(): void {
    for (const name of MERGED) this.link(`/${name}`, `usr/${name}`);
  }

  addAll(entries: Iterable<Entry>): void {
    for (const entry of entries) this.add(entry);
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** Every entry with the folders it needs (mode 0755 unless given), parents first, in byte order of the path. */
  entries(): Entry[] {
    const all = new Map(this.#entries);
    for (const { path } of this.#entries.values()) {
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
        const parent = path.slice(0, at);
        const found = all.get(parent);
        if (found && found.content.kind !== "folder")
          throw new ImageError(`${parent} is no folder, but ${path} lies in it`);
        if (!found) all.set(parent, { path: parent, mode: 0o755, content: { kind: "folder" } });
      }
    }
    return [...all.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  }

  /** Sum of the file sizes in bytes. */
  size(): number {
    let sum = 0;
    for (const { content } of this.#entries.values()) if (content.kind === "file") sum += content.data.length;
    return sum;
  }
}

/** Spells a path of a package or an ELF header the way trees do: `/lib/x` becomes `/usr/lib/x`. */
export function mergedPath(path: string): string {
  return /^\/(?:bin|lib|lib64|sbin)(?:\/|$)/.test(path) ? `/usr${path}` : path;
}
