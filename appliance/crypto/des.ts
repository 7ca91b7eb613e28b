/** Single DES of one block, RFC 2759 §8.6 DesEncrypt(): ECB, a 56-bit key without parity. */
import { createCipheriv, createDecipheriv } from "node:crypto";

/** OpenSSL 3 keeps single DES in the legacy provider; triple DES with three equal keys is the same function. */
const THREE_KEYS = "des-ede3-ecb";

/** Encrypts the 8 octets of `clear` with the 7 octets of `key`. */
export function desEncrypt(clear: Uint8Array, key: Uint8Array): Buffer {
  return createCipheriv(THREE_KEYS, threeKeys(key), null).setAutoPadding(false).update(clear);
}

/** The way back: 8 octets of `cypher`, 7 octets of `key`. */
export function desDecrypt(cypher: Uint8Array, key: Uint8Array): Buffer {
  return createDecipheriv(THREE_KEYS, threeKeys(key), null).setAutoPadding(false).update(cypher);
}

/** RFC 2759 §9.3: 7 octets become 8, each with 7 key bits above one odd-parity bit. */
export function expandDesKey(key: Uint8Array): Buffer {
  if (key.length !== 7) throw new RangeError(`a DES key has 7 octets here, not ${key.length}`);
  const expanded = Buffer.alloc(8);
  let pending = 0;
  for (let i = 0; i < 8; i++) {
    // The first i octets of the key hold 8i bits, of which 7i are used: i bits are left over for this octet.
    pending = (pending << 8) | (key[i] ?? 0);
    const seven = (pending >> (i + 1)) & 0x7f;
    expanded[i] = (seven << 1) | oddParity(seven);
  }
  return expanded;
}

function oddParity(bits: number): number {
  let parity = 1;
  for (let rest = bits; rest !== 0; rest >>= 1) parity ^= rest & 1;
  return parity;
}

function threeKeys(key: Uint8Array): Buffer {
  const expanded = expandDesKey(key);
  return Buffer.concat([expanded, expanded, expanded]);
}
