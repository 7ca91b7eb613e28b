import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { desDecrypt, desEncrypt, expandDesKey } from "../../appliance/crypto/des.ts";

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));

test("RFC 2759 §8.6 DesEncrypt() of the ECB example in FIPS 81: one block under 0123456789abcdef", () => {
  // The seven octets whose expansion is that key.
  const key = Buffer.from(packed("0123456789abcdef"), "hex");
  assert.equal(expandDesKey(key).toString("hex"), "0123456789abcdef");
  const cypher = desEncrypt(Buffer.from("Now is t"), key);
  assert.equal(cypher.toString("hex"), "3fa40e8a984d4815");
  assert.equal(desDecrypt(cypher, key).toString(), "Now is t");
});

test("desDecrypt undoes desEncrypt for every block and key", () =>
  fc.assert(
    fc.property(octets(8), octets(7), (clear, key) => assert.deepEqual(desDecrypt(desEncrypt(clear, key), key), clear)),
  ));

test("every octet of an expanded key has odd parity", () =>
  fc.assert(
    fc.property(octets(7), (key) => {
      for (const octet of expandDesKey(key)) assert.equal(octet.toString(2).replaceAll("0", "").length % 2, 1);
    }),
  ));

test("a key of the wrong length is refused", () => assert.throws(() => expandDesKey(Buffer.alloc(8)), /7 octets/));

/** Drops the parity bit of each octet of an eight-octet key. */
function packed(hex: string): string {
  const bits = Array.from(Buffer.from(hex, "hex"), (octet) => (octet >> 1).toString(2).padStart(7, "0")).join("");
  return BigInt(`0b${bits}`).toString(16).padStart(14, "0");
}
