import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { sha1 } from "../../appliance/crypto/sha1.ts";

function digestOf(message: Uint8Array): string {
  const digest = Buffer.alloc(20);
  sha1(message, digest);
  return digest.toString("hex");
}

test("FIPS 180 example: SHA-1 of 'abc'", () =>
  assert.equal(digestOf(Buffer.from("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d"));

test("agrees with OpenSSL at every length up to three blocks", () => {
  for (let length = 0; length <= 192; length++) {
    const message = Buffer.alloc(length, length);
    assert.equal(digestOf(message), createHash("sha1").update(message).digest("hex"), `length ${length}`);
  }
});

test("agrees with OpenSSL on any octets", () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (message) =>
      assert.equal(digestOf(message), createHash("sha1").update(message).digest("hex")),
    ),
  ));
