import assert from "node:assert/strict";
import { test } from "node:test";
import { expandDesKey } from "../../appliance/crypto/des.ts";
import {
  challengeResponse,
  checkChallengeResponse,
  lmPasswordHash,
  ntPasswordHash,
} from "../../appliance/crypto/mschap.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

const CHALLENGE = hex("10 2D B5 DF 08 5D 30 41");
const NT_HASH = hex("FC 15 6A F7 ED CD 6C 0E DD E3 33 7D 42 7F 4E AC");
const RESPONSE = hex("4E 9D 3C 8F 9C FD 38 5D 5B F4 D3 24 67 91 95 6C A4 C3 51 AB 40 9A 3D 61");

test("RFC 2433 §A.6 NtPasswordHash() of the example in §B.2", () => assert.deepEqual(ntPasswordHash("MyPw"), NT_HASH));

test("RFC 2433 §A.5 NtChallengeResponse() of the example in §B.2", () => {
  assert.deepEqual(challengeResponse(CHALLENGE, NT_HASH), RESPONSE);
  assert.equal(checkChallengeResponse(CHALLENGE, NT_HASH, RESPONSE), true);
});

test("RFC 2433 §A.7 a response with any octet changed is refused, and so is one of another length", () => {
  for (let i = 0; i < RESPONSE.length; i++) {
    const forged = Buffer.from(RESPONSE);
    forged[i] = (forged[i] ?? 0) ^ 1;
    assert.equal(checkChallengeResponse(CHALLENGE, NT_HASH, forged), false);
  }
  assert.equal(checkChallengeResponse(CHALLENGE, NT_HASH, RESPONSE.subarray(0, 23)), false);
});

test("RFC 2433 §B.3 parity-corrected DES keys", () => {
  assert.deepEqual(expandDesKey(NT_HASH.subarray(0, 7)), hex("FD 0B 5B 5E 7F 6E 34 D9"));
  assert.deepEqual(expandDesKey(NT_HASH.subarray(7, 14)), hex("0E 6E 79 67 37 EA 08 FE"));
});

test("RFC 2433 §A.2 LmPasswordHash() folds case, pads with zeros, and has the value RFC 3079 §2.5.1 prints", () => {
  assert.deepEqual(lmPasswordHash("clientPass"), hex("76 a1 52 93 60 96 d7 83 0e 23 90 22 74 04 af d2"));
  assert.deepEqual(lmPasswordHash("CLIENTpass"), lmPasswordHash("clientPass"));
  assert.deepEqual(lmPasswordHash(""), hex("aad3b435b51404ee aad3b435b51404ee"));
});

test("RFC 2433 §A.2 a password over 14 characters or outside ASCII has no LAN Manager hash", () => {
  assert.ok(lmPasswordHash("fourteen chars"));
  assert.equal(lmPasswordHash("fifteen chars.."), undefined);
  assert.equal(lmPasswordHash("Größe"), undefined);
});
