import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseSshPublicKey } from "../../appliance/wire/ssh-public-key.ts";
import { octets } from "../support/arbitrary.ts";
import { mutate } from "../support/mutation.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import * as keys from "../support/ssh-keys.ts";

const blob = (line: string): Buffer => Buffer.from(line.split(" ")[1] ?? "", "base64");
const text = (value: string): Buffer => string(Buffer.from(value));
function string(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

test("RFC 8709 §4: an Ed25519 key is its name and 32 bytes", () => {
  assert.deepEqual(parseSshPublicKey(blob(keys.ED25519)), { ok: true, value: { type: "ssh-ed25519" } });
  const [short, long] = [31, 33].map((n) => Buffer.concat([text("ssh-ed25519"), string(Buffer.alloc(n, 9))]));
  for (const bytes of [short, long]) assert.equal(parseSshPublicKey(bytes ?? assert.fail()).ok, false);
});

test("RFC 4253 §6.6: an RSA key is its name, exponent and modulus; RFC 4251 §5: both are positive and not padded", () => {
  assert.deepEqual(parseSshPublicKey(blob(keys.RSA_2048)), { ok: true, value: { type: "ssh-rsa", bits: 2048 } });
  assert.deepEqual(parseSshPublicKey(blob(keys.RSA_1024)), { ok: true, value: { type: "ssh-rsa", bits: 1024 } });
  const rsa = (e: readonly number[], n: readonly number[]) =>
    parseSshPublicKey(Buffer.concat([text("ssh-rsa"), string(Buffer.from(e)), string(Buffer.from(n))]));
  assert.deepEqual(rsa([3], [0, 0x81]), { ok: true, value: { type: "ssh-rsa", bits: 8 } });
  for (const [e, n] of [
    [[], [0x71]],
    [[3], []],
    [[0x83], [0x71]],
    [[0, 3], [0x71]],
    [[3], [0x81]],
    [[3], [0, 0x71]],
    [[3], [0x70]],
    [[1], [0x71]],
  ] as const)
    assert.equal(rsa(e, n).ok, false, `${e} ${n}`);
});

test("RFC 5656 §3.1: an ECDSA key is its name, the curve again, and an uncompressed point of that curve", () => {
  for (const [line, type] of [
    [keys.NISTP256, "ecdsa-sha2-nistp256"],
    [keys.NISTP384, "ecdsa-sha2-nistp384"],
    [keys.NISTP521, "ecdsa-sha2-nistp521"],
  ] as const)
    assert.deepEqual(parseSshPublicKey(blob(line)), { ok: true, value: { type } });
  const ecdsa = (name: string, curve: string, point: Buffer) =>
    parseSshPublicKey(Buffer.concat([text(name), text(curve), string(point)])).ok;
  const point = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);
  assert.ok(ecdsa("ecdsa-sha2-nistp256", "nistp256", point));
  assert.ok(!ecdsa("ecdsa-sha2-nistp384", "nistp256", point), "another curve");
  assert.ok(!ecdsa("ecdsa-sha2-nistp256", "nistp384", point), "another curve");
  assert.ok(
    !ecdsa("ecdsa-sha2-nistp256", "nistp256", Buffer.concat([Buffer.from([2]), Buffer.alloc(64)])),
    "compressed",
  );
  assert.ok(!ecdsa("ecdsa-sha2-nistp256", "nistp256", point.subarray(1)), "too short");
});

test("a key is all of its bytes, and every other name is refused", () => {
  const good = blob(keys.ED25519);
  for (let length = 0; length < good.length; length++)
    assert.equal(parseSshPublicKey(good.subarray(0, length)).ok, false, `${length} bytes`);
  assert.deepEqual(parseSshPublicKey(Buffer.concat([good, Buffer.from([0])])), { ok: false, fault: "bad-length" });
  assert.equal(parseSshPublicKey(Buffer.concat([text("ssh-dss"), good.subarray(15)])).ok, false);
});

test("any bytes, and damaged keys, are read without an exception", () => {
  fc.assert(fc.property(octets(300), (bytes) => void parseSshPublicKey(bytes)));
  const samples = [keys.ED25519, keys.RSA_2048, keys.NISTP521].map(blob);
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.integer(), (sample, seed) => {
      parseSshPublicKey(mutate(new SeededRandom(seed), sample));
    }),
  );
});
