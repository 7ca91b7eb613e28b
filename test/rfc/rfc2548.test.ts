/** Microsoft's RADIUS attributes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hideMppeKey, revealMppeKey } from "../../appliance/crypto/radius.ts";
import {
  emitMsChapAttribute,
  emitRadiusAttribute,
  interpretRadiusAttributes,
} from "../../appliance/wire/radius-attribute.ts";
import { hex } from "../support/hex.ts";

const SECRET = "xyzzy5461";
const REQUEST = Buffer.alloc(16, 0x5a);
const SALT = hex("8001");
const KEY = Buffer.from("0123456789abcdef", "latin1");

test("RFC 2548 §2 Vendor-Id 311, Vendor-Type, Vendor-Length", () => {
  const raw = emitRadiusAttribute({ kind: "ms-chap-challenge", octets: hex("0102030405060708") });
  assert.deepEqual(raw, { type: 26, data: hex("00000137 0b0a 0102030405060708") });
  assert.deepEqual(interpretRadiusAttributes([raw]), [{ kind: "ms-chap-challenge", octets: hex("0102030405060708") }]);
});
test("RFC 2548 §2.1.3 MS-CHAP-Response: Ident, Flags, LM-Response, NT-Response", () =>
  assert.deepEqual(
    emitMsChapAttribute(7, 1, Buffer.alloc(24, 0x11), 24, Buffer.alloc(24, 0x22)),
    hex(`0701 ${"11".repeat(24)} ${"22".repeat(24)}`),
  ));
test("RFC 2548 §2.3.2 MS-CHAP2-Response: Ident, Flags, Peer-Challenge, 8 reserved octets, Response", () =>
  assert.deepEqual(
    emitMsChapAttribute(7, 0, Buffer.alloc(16, 0x11), 16, Buffer.alloc(24, 0x22)),
    hex(`0700 ${"11".repeat(16)} ${"00".repeat(8)} ${"22".repeat(24)}`),
  ));
test("RFC 2548 §2.4.2 and §2.4.3 keys: b(1) = MD5(S + R + A), b(2) = MD5(S + c(1)); hidden and revealed", () => {
  const hidden = hideMppeKey(KEY, SALT, REQUEST, SECRET);
  assert.equal(hidden.length, 2 + 32);
  const [b1, b2] = [
    createHash("md5").update(SECRET).update(REQUEST).update(SALT).digest(),
    createHash("md5").update(SECRET).update(hidden.subarray(2, 18)).digest(),
  ];
  const plain = Buffer.concat([hex("10"), KEY, Buffer.alloc(15)]);
  const expected = Buffer.from(plain.map((octet, i) => octet ^ ((i < 16 ? b1[i] : b2[i - 16]) ?? 0)));
  assert.deepEqual(hidden, Buffer.concat([SALT, expected]));
  assert.deepEqual(revealMppeKey(hidden, REQUEST, SECRET), KEY);
  assert.notDeepEqual(revealMppeKey(hidden, REQUEST, "other"), KEY);
  for (const broken of [Buffer.alloc(0), SALT, hidden.subarray(0, 33)])
    assert.equal(revealMppeKey(broken, REQUEST, SECRET), undefined);
});
test("RFC 2548 §2.4.4 and §2.4.5 policy and types are words of 32 bits", () =>
  assert.deepEqual(
    emitRadiusAttribute({ kind: "ms-mppe-encryption-types", number: 6 }).data,
    hex("00000137 0806 00000006"),
  ));
