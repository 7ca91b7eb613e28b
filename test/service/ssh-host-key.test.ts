import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitHostKey, publicHostKey } from "../../appliance/service/ssh-host-key.ts";
import { octets } from "../support/arbitrary.ts";
import { hex } from "../support/hex.ts";

/** RFC 8032 §7.1, test 1. */
const SEED = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
const PUBLIC = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");

test("RFC 8032 §7.1: the public key of the printed seed; RFC 8410 §7: the seed in PKCS #8", () => {
  const file = emitHostKey(SEED);
  assert.deepEqual(file, Buffer.concat([hex("0000000b"), Buffer.from("ssh-ed25519"), hex("00000040"), SEED, PUBLIC]));
  const blob = Buffer.concat([hex("0000000b"), Buffer.from("ssh-ed25519"), hex("00000020"), PUBLIC]);
  assert.equal(publicHostKey(file), blob.toString("base64"));
});

test("every other file is no key: cut, longer, with a flipped bit, of another type, any bytes", () => {
  const file = emitHostKey(SEED);
  for (let length = 0; length < file.length; length++) assert.equal(publicHostKey(file.subarray(0, length)), undefined);
  assert.equal(publicHostKey(Buffer.concat([file, Buffer.from([0])])), undefined);
  for (let bit = 0; bit < file.length * 8; bit++) {
    const damaged = Buffer.from(file);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.equal(publicHostKey(damaged), undefined, `bit ${bit}`);
  }
  fc.assert(fc.property(octets(100), (bytes) => void publicHostKey(bytes)));
});
