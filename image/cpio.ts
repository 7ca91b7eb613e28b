/** Writes a tree as the cpio archive ("newc") that Linux unpacks as initramfs: Documentation/driver-api/early-userspace/buffer-format.rst. */
import type { Content, Entry, Tree } from "./tree.ts";

const TYPE_BITS: Readonly<Record<Content["kind"], number>> = {
  folder: 0o040000,
  file: 0o100000,
  link: 0o120000,
  "character-device": 0o020000,
};

/** `mtime` in seconds since 1970 is given to every entry. */
export function emitCpio(tree: Tree, mtime: number): Buffer {
  const parts = [header({ name: ".", inode: 0, mode: TYPE_BITS.folder | 0o755, mtime, size: 0, major: 0, minor: 0 })];
  for (const [at, entry] of tree.entries().entries()) parts.push(...emitEntry(entry, at + 1, mtime));
  parts.push(header({ name: "TRAILER!!!", inode: 0, mode: 0, mtime: 0, size: 0, major: 0, minor: 0 }));
  return Buffer.concat(parts);
}

function* emitEntry(entry: Entry, inode: number, mtime: number): Generator<Buffer> {
  const { content } = entry;
  const data = content.kind === "file" ? content.data : Buffer.from(content.kind === "link" ? content.target : "");
  const device = content.kind === "character-device" ? content : { major: 0, minor: 0 };
  const mode = TYPE_BITS[content.kind] | entry.mode;
  const { major, minor } = device;
  yield header({ name: entry.path.slice(1), inode, mode, mtime, size: data.length, major, minor });
  yield data;
  yield padding(data.length);
}

interface Header {
  readonly name: string;
  readonly inode: number;
  readonly mode: number;
  readonly mtime: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
}

function header({ name, inode, mode, mtime, size, major, minor }: Header): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, mtime, size, 0, 0, major, minor, nameBytes.length, 0];
  const text = fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("");
  const bytes = Buffer.concat([Buffer.from(`070701${text}`), nameBytes]);
  return Buffer.concat([bytes, padding(bytes.length)]);
}

/** Header plus name, and data, each end on a multiple of four. */
function padding(length: number): Buffer {
  return Buffer.alloc(-length & 3);
}
