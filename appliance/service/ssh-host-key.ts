/** The host key as dropbear keeps it: the name, then seed and public key of Ed25519 as one string. */
import { createPrivateKey, createPublicKey } from "node:crypto";

const NAME = "ssh-ed25519";
export const SEED_BYTES = 32;
/** A private key of Ed25519 in PKCS #8 up to its seed (RFC 8410 §7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const HEADER = Buffer.concat([string(Buffer.from(NAME)), length(2 * SEED_BYTES)]);

/** `seed` are 32 unpredictable bytes. */
export function emitHostKey(seed: Buffer): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return Buffer.concat([HEADER, seed, spki.subarray(-SEED_BYTES)]);
}

/** The public key as clients know it, in base64; undefined when these bytes are no such file. */
export function publicHostKey(file: Buffer): string | undefined {
  if (file.length !== HEADER.length + 2 * SEED_BYTES || !file.subarray(0, HEADER.length).equals(HEADER))
    return undefined;
  const seed = file.subarray(HEADER.length, HEADER.length + SEED_BYTES);
  if (!emitHostKey(seed).equals(file)) return undefined;
  return Buffer.concat([string(Buffer.from(NAME)), string(file.subarray(-SEED_BYTES))]).toString("base64");
}

/** RFC 4251 §5: the length as four bytes, then so many. */
function string(bytes: Buffer): Buffer {
  return Buffer.concat([length(bytes.length), bytes]);
}
function length(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
