/** Writes a tree as a POSIX.1-1988 tar stream (ustar), which mksquashfs turns into squashfs without a staging folder or root. */
import { ImageError } from "./failure.ts";
import type { Content, Entry, Tree } from "./tree.ts";

const BLOCK = 512;
const TYPE_FLAG: Readonly<Record<Content["kind"], string>> = {
  file: "0",
  link: "2",
  "character-device": "3",
  folder: "5",
};

/** `mtime` in seconds since 1970 is given to every entry. */
export function* emitTar(tree: Tree, mtime: number): Generator<Buffer> {
  for (const entry of tree.entries()) {
    yield header(entry, mtime);
    if (entry.content.kind === "file") {
      yield entry.content.data;
      yield Buffer.alloc(-entry.content.data.length & (BLOCK - 1));
    }
  }
  yield Buffer.alloc(2 * BLOCK);
}

function header({ path, mode, content }: Entry, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const text = (value: string, at: number, size: number): void => {
    const bytes = Buffer.from(value);
    if (bytes.length > size)
      throw new ImageError(`${path}: "${value}" does not fit the ${size} bytes that tar has for it`);
    bytes.copy(block, at);
  };
  const octal = (value: number, at: number, size: number): void =>
    text(value.toString(8).padStart(size - 1, "0"), at, size);
  const { name, prefix } = splitName(path.slice(1));
  text(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.kind === "file" ? content.data.length : 0, 124, 12);
  octal(mtime, 136, 12);
  text(TYPE_FLAG[content.kind], 156, 1);
  if (content.kind === "link") text(content.target, 157, 100);
  text("ustar\x0000", 257, 8);
  if (content.kind === "character-device") {
    octal(content.major, 329, 8);
    octal(content.minor, 337, 8);
  }
  text(prefix, 345, 155);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

/** A path over 100 bytes is split at a slash into prefix and name. */
function splitName(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    if (Buffer.byteLength(path.slice(at + 1)) <= 100) return { name: path.slice(at + 1), prefix: path.slice(0, at) };
  }
  return { name: path, prefix: "" };
}
