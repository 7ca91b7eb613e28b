/** Bytes that pass for a squashfs where only its superblock is looked at. */
import { createHash } from "node:crypto";

/** `length` bytes, other ones for another `seed`. */
export function fakeSquashfs(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const block = createHash("sha512").update(String(seed)).digest();
  for (let at = 0; at < length; at += block.length) {
    block.copy(bytes, at);
    bytes.writeUInt32LE(at, Math.min(at, length - 4));
  }
  bytes.write("hsqs", 0, "latin1");
  bytes.writeBigUInt64LE(BigInt(length), 40);
  return bytes;
}
