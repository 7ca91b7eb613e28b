import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expandDesKey } from "../../appliance/crypto/des.ts";
import {
  challengeHash,
  checkAuthenticatorResponse,
  checkNtResponse,
  generateAuthenticatorResponse,
  generateNtResponse,
  hashNtPasswordHash,
  newPasswordEncryptedWithOldNtPasswordHash,
  ntPasswordHash,
  oldNtPasswordHashEncryptedWithNewNtPasswordHash,
  openChangePassword,
} from "../../appliance/crypto/mschap.ts";
import { Rc4 } from "../../appliance/crypto/rc4.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

// §9.2
const EXCHANGE = {
  authenticatorChallenge: hex("5B 5D 7C 7D 7B 3F 2F 3E 3C 2C 60 21 32 26 26 28"),
  peerChallenge: hex("21 40 23 24 25 5E 26 2A 28 29 5F 2B 3A 33 7C 7E"),
  userName: Buffer.from("User"),
};
const PASSWORD_HASH = hex("44 EB BA 8D 53 12 B8 D6 11 47 44 11 F5 69 89 AE");
const NT_RESPONSE = hex("82 30 9E CD 8D 70 8B 5E A0 8F AA 39 81 CD 83 54 42 33 11 4A 3D 85 D6 DF");
const AUTHENTICATOR_RESPONSE = "S=407A5589115FD0D6209F510FE9C04566932CDA56";

// A session of pppd 2.4.9 on both ends: user alice, password s3cret.
const PPPD = {
  authenticatorChallenge: hex("d4f74cb6cb204079dba903b0da331c0e"),
  peerChallenge: hex("d58c0d4fc1d9b7a8a72d60222b85efd2"),
  userName: Buffer.from("alice"),
};

test("RFC 2759 §8.2 ChallengeHash() of the example in §9.2", () =>
  assert.deepEqual(challengeHash(EXCHANGE), hex("D0 2E 43 86 BC E9 12 26")));

test("RFC 2759 §8.2 a prepended domain name is not hashed", () =>
  assert.deepEqual(challengeHash({ ...EXCHANGE, userName: Buffer.from("CORP\\User") }), challengeHash(EXCHANGE)));

test("RFC 2759 §8.3 NtPasswordHash() of the example in §9.2", () =>
  assert.deepEqual(ntPasswordHash("clientPass"), PASSWORD_HASH));

test("RFC 2759 §8.3 the password is hashed as UTF-16LE, not as octets with zeros between", () => {
  assert.notDeepEqual(ntPasswordHash("пароль"), ntPasswordHash(Buffer.from("пароль").toString("latin1")));
  // MD4 of 3f 04 30 04 40 04 3e 04 3b 04 4c 04, by an independent implementation.
  assert.deepEqual(ntPasswordHash("пароль"), hex("507e3ee80df7db7c1fdd8d50ae8db606"));
});

test("RFC 2759 §8.4 HashNtPasswordHash() of the example in §9.2", () =>
  assert.deepEqual(hashNtPasswordHash(PASSWORD_HASH), hex("41 C0 0C 58 4B D2 D9 1C 40 17 A2 A1 2F A5 9F 3F")));

test("RFC 2759 §8.1 GenerateNTResponse() of the example in §9.2", () => {
  assert.deepEqual(generateNtResponse(EXCHANGE, PASSWORD_HASH), NT_RESPONSE);
  assert.equal(checkNtResponse(EXCHANGE, PASSWORD_HASH, NT_RESPONSE), true);
});

test("RFC 2759 §8.5 a response with any octet changed is refused, and so is one of another length", () => {
  for (let i = 0; i < NT_RESPONSE.length; i++) {
    const forged = Buffer.from(NT_RESPONSE);
    forged[i] = (forged[i] ?? 0) ^ 0x80;
    assert.equal(checkNtResponse(EXCHANGE, PASSWORD_HASH, forged), false);
  }
  assert.equal(checkNtResponse(EXCHANGE, PASSWORD_HASH, Buffer.alloc(0)), false);
});

test("RFC 2759 §8.7 GenerateAuthenticatorResponse() of the example in §9.2", () =>
  assert.equal(generateAuthenticatorResponse(EXCHANGE, PASSWORD_HASH, NT_RESPONSE), AUTHENTICATOR_RESPONSE));

test("RFC 2759 §8.8 CheckAuthenticatorResponse() accepts the right digits with or without a message, nothing else", () => {
  const check = (message: string) => checkAuthenticatorResponse(EXCHANGE, PASSWORD_HASH, NT_RESPONSE, message);
  assert.equal(check(AUTHENTICATOR_RESPONSE), true);
  assert.equal(check(`${AUTHENTICATOR_RESPONSE} M=Access granted`), true);
  assert.equal(check(AUTHENTICATOR_RESPONSE.slice(0, -1)), false);
  assert.equal(check(AUTHENTICATOR_RESPONSE.replace("407A", "407B")), false);
  assert.equal(check(AUTHENTICATOR_RESPONSE.toLowerCase()), false);
  assert.equal(check(""), false);
});

test("RFC 2759 §8.7 a session between two pppd", () => {
  const hash = ntPasswordHash("s3cret");
  const response = hex("be4af1c6ba67c1ba10137412a2acf7be954017b7a82f3c1c");
  assert.deepEqual(hash, hex("d4c619cb16d4632b275658316a7e657e"));
  assert.deepEqual(challengeHash(PPPD), hex("f0829411cdcd287f"));
  assert.deepEqual(generateNtResponse(PPPD, hash), response);
  assert.equal(generateAuthenticatorResponse(PPPD, hash, response), "S=9C8558EEDBADA1DEC83FEC7C9B602618D618596A");
});

test("RFC 2759 §9.3 parity-corrected DES keys of the password 'MyPw'", () => {
  const hash = ntPasswordHash("MyPw");
  assert.deepEqual(expandDesKey(hash.subarray(0, 7)), hex("FD 0B 5B 5E 7F 6E 34 D9"));
  assert.deepEqual(expandDesKey(hash.subarray(7, 14)), hex("0E 6E 79 67 37 EA 08 FE"));
});

test("RFC 2759 §8.10 the password block is right-aligned UTF-16LE, then its length in octets", () => {
  const filler = Buffer.alloc(512, 0xee);
  const block = newPasswordEncryptedWithOldNtPasswordHash("ab", PASSWORD_HASH, filler);
  new Rc4(PASSWORD_HASH).update(block, 0, block.length);
  assert.deepEqual(block, Buffer.concat([filler.subarray(0, 508), hex("6100 6200 04000000")]));
});

test("RFC 2759 §8.9 a block without room for its filler or its password is not made", () => {
  const make = (password: string, filler: number) =>
    newPasswordEncryptedWithOldNtPasswordHash(password, PASSWORD_HASH, Buffer.alloc(filler));
  assert.equal(make("x".repeat(256), 512).length, 516);
  assert.throws(() => make("x".repeat(257), 512), /256 characters/);
  assert.throws(() => make("x", 511), /512 octets/);
});

test("RFC 2759 §8.12 a password change is opened by the old hash and by no other", () => {
  const passwords = fc.string({ unit: "grapheme", maxLength: 40 });
  fc.assert(
    fc.property(
      passwords,
      passwords,
      fc.uint8Array({ minLength: 512, maxLength: 512 }),
      (oldPassword, newPassword, filler) => {
        const oldHash = ntPasswordHash(oldPassword);
        const block = newPasswordEncryptedWithOldNtPasswordHash(newPassword, oldHash, filler);
        const encrypted = oldNtPasswordHashEncryptedWithNewNtPasswordHash(ntPasswordHash(newPassword), oldHash);
        assert.equal(openChangePassword(block, encrypted, oldHash), newPassword);
        assert.equal(openChangePassword(block, encrypted, ntPasswordHash(`${oldPassword}!`)), undefined);
        encrypted[15] = (encrypted[15] ?? 0) ^ 1;
        assert.equal(openChangePassword(block, encrypted, oldHash), undefined);
      },
    ),
  );
});

test("RFC 2759 §8.9 any octets as a password change: refused, never a throw", () =>
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.uint8Array({ minLength: 516, maxLength: 516 })),
      fc.uint8Array({ maxLength: 20 }),
      (block, hash) => assert.equal(openChangePassword(block, hash, PASSWORD_HASH), undefined),
    ),
  ));

test("RFC 2759 §7 a password change of the wrong size is refused", () => {
  const newHash = ntPasswordHash("new");
  const block = newPasswordEncryptedWithOldNtPasswordHash("new", PASSWORD_HASH, Buffer.alloc(512));
  const hash = oldNtPasswordHashEncryptedWithNewNtPasswordHash(newHash, PASSWORD_HASH);
  const open = (first: Buffer, second: Buffer) => openChangePassword(first, second, PASSWORD_HASH);
  assert.equal(open(block, hash), "new");
  assert.equal(open(Buffer.concat([block, Buffer.alloc(1)]), hash), undefined);
  assert.equal(open(block.subarray(0, 515), hash), undefined);
  assert.equal(open(block, Buffer.concat([hash, Buffer.alloc(1)])), undefined);
  assert.equal(open(block, hash.subarray(0, 15)), undefined);
});

for (const [what, length] of [
  ["longer than the block", 514],
  ["odd", 7],
  ["huge", 0x7fffffff],
] as const)
  test(`RFC 2759 §8.9 a password length that is ${what} is refused`, () => {
    const block = Buffer.alloc(516);
    block.writeUInt32LE(length, 512);
    new Rc4(PASSWORD_HASH).update(block, 0, block.length);
    // The hash is right for whatever whole characters could be read there.
    const read = "\0".repeat(Math.min(256, length >> 1));
    const hash = oldNtPasswordHashEncryptedWithNewNtPasswordHash(ntPasswordHash(read), PASSWORD_HASH);
    assert.equal(openChangePassword(block, hash, PASSWORD_HASH), undefined);
  });
