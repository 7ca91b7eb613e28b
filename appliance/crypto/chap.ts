/** CHAP with MD5 (RFC 1994 §4.1) and the comparison every authenticator needs. */
import { createHash, timingSafeEqual } from "node:crypto";

/** MD5 over identifier, secret and challenge: 16 bytes. */
export function chapMd5(identifier: number, password: string, challenge: Uint8Array): Buffer {
  return createHash("md5")
    .update(Buffer.from([identifier]))
    .update(password)
    .update(challenge)
    .digest();
}

/** Whether two secrets are the same, in a time that tells nothing but their lengths. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
