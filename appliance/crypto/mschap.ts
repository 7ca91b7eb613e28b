/**
 * What MS-CHAP computes: version 1 (RFC 2433) and version 2 (RFC 2759). Routines carry the names of the RFCs, but take
 * the password's hash where the RFC takes the password, so an account may store either.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { desDecrypt, desEncrypt } from "./des.ts";
import { md4 } from "./md4.ts";
import { Rc4 } from "./rc4.ts";

const SERVER_TO_CLIENT = "Magic server to client signing constant";
const ONE_MORE_ITERATION = "Pad to make it do more than one iteration";
const LM_KNOWN_TEXT = "KGS!@#$%";
const LM_MAX_CHARS = 14;
const BACKSLASH = 0x5c;
/** RFC 2759 §8.9: 256 characters of two octets, right-aligned, then their length in octets, little-endian as in Windows. */
const PWBLOCK_PASSWORD_BYTES = 512;
const PWBLOCK_BYTES = PWBLOCK_PASSWORD_BYTES + 4;

/** RFC 2759 §8.3: 16 octets. The password is hashed as UTF-16LE, so one with umlauts is not the hash of its octets. */
export function ntPasswordHash(password: string): Buffer {
  return md4(Buffer.from(password, "utf16le"));
}

/** RFC 2759 §8.4: 16 octets, the hash of the hash; the keys of MPPE grow from it. */
export function hashNtPasswordHash(passwordHash: Uint8Array): Buffer {
  return md4(passwordHash);
}

/**
 * RFC 2433 §A.2: 16 octets, or undefined when the password has no LAN Manager form: more than 14 characters, or one
 * outside ASCII, whose octets depend on the code page of a machine we do not know.
 */
export function lmPasswordHash(password: string): Buffer | undefined {
  if (!/^\p{ASCII}*$/u.test(password) || password.length > LM_MAX_CHARS) return undefined;
  const upper = Buffer.alloc(LM_MAX_CHARS);
  upper.write(password.toUpperCase(), "latin1");
  const known = Buffer.from(LM_KNOWN_TEXT, "latin1");
  return Buffer.concat([desEncrypt(known, upper.subarray(0, 7)), desEncrypt(known, upper.subarray(7))]);
}

/** RFC 2759 §8.5: 24 octets from an 8-octet challenge and a 16-octet hash. Version 1 uses it as it is (RFC 2433 §A.5). */
export function challengeResponse(challenge: Uint8Array, passwordHash: Uint8Array): Buffer {
  const keys = Buffer.alloc(21);
  keys.set(passwordHash);
  return Buffer.concat([0, 7, 14].map((at) => desEncrypt(challenge, keys.subarray(at, at + 7))));
}

/** Version 1, the authenticator's side: whether `response` answers `challenge`, compared in constant time. */
export function checkChallengeResponse(challenge: Uint8Array, passwordHash: Uint8Array, response: Uint8Array): boolean {
  return sameOctets(challengeResponse(challenge, passwordHash), response);
}

/** What both sides of a version 2 exchange know. `userName` is the Name field of the Response, octet for octet. */
export interface MsChapV2Exchange {
  /** 16 octets, from the Challenge packet. */
  readonly authenticatorChallenge: Uint8Array;
  /** 16 octets, from the Response packet. */
  readonly peerChallenge: Uint8Array;
  readonly userName: Uint8Array;
}

/** RFC 2759 §8.2: "Only the user name (as presented by the peer and excluding any prepended domain name)" is hashed. */
export function challengeHash({ peerChallenge, authenticatorChallenge, userName }: MsChapV2Exchange): Buffer {
  return createHash("sha1")
    .update(peerChallenge)
    .update(authenticatorChallenge)
    .update(withoutDomain(userName))
    .digest()
    .subarray(0, 8);
}

/** `DOMAIN\user` → `user`. */
export function withoutDomain(userName: Uint8Array): Uint8Array {
  return userName.subarray(userName.lastIndexOf(BACKSLASH) + 1);
}

/** RFC 2759 §8.1: the 24-octet NT-Response. */
export function generateNtResponse(exchange: MsChapV2Exchange, passwordHash: Uint8Array): Buffer {
  return challengeResponse(challengeHash(exchange), passwordHash);
}

/** The authenticator's side of §8.1: whether `ntResponse` is right, compared in constant time. */
export function checkNtResponse(exchange: MsChapV2Exchange, passwordHash: Uint8Array, ntResponse: Uint8Array): boolean {
  return sameOctets(generateNtResponse(exchange, passwordHash), ntResponse);
}

/** RFC 2759 §8.7: `S=` and 40 upper-case hexadecimal digits, which prove to the peer that we know the password too. */
export function generateAuthenticatorResponse(
  exchange: MsChapV2Exchange,
  passwordHash: Uint8Array,
  ntResponse: Uint8Array,
): string {
  const signed = createHash("sha1")
    .update(hashNtPasswordHash(passwordHash))
    .update(ntResponse)
    .update(SERVER_TO_CLIENT)
    .digest();
  const digest = createHash("sha1").update(signed).update(challengeHash(exchange)).update(ONE_MORE_ITERATION).digest();
  return `S=${digest.toString("hex").toUpperCase()}`;
}

/** RFC 2759 §8.8. `message` is the Message field of the Success packet; text after the 42 characters does not matter (§5). */
export function checkAuthenticatorResponse(
  exchange: MsChapV2Exchange,
  passwordHash: Uint8Array,
  ntResponse: Uint8Array,
  message: string,
): boolean {
  const expected = generateAuthenticatorResponse(exchange, passwordHash, ntResponse);
  const received = message.slice(0, expected.length);
  return sameOctets(Buffer.from(expected, "latin1"), Buffer.from(received, "latin1"));
}

/**
 * RFC 2759 §8.9, the peer's side of a password change: the 516-octet Encrypted-Password. `filler` is 512 unpredictable
 * octets that hide how long the password is. Throws `RangeError` for more than 256 characters.
 */
export function newPasswordEncryptedWithOldNtPasswordHash(
  newPassword: string,
  oldPasswordHash: Uint8Array,
  filler: Uint8Array,
): Buffer {
  const password = Buffer.from(newPassword, "utf16le");
  if (password.length > PWBLOCK_PASSWORD_BYTES) throw new RangeError("a password has at most 256 characters");
  if (filler.length !== PWBLOCK_PASSWORD_BYTES) throw new RangeError(`filler: 512 octets, not ${filler.length}`);
  const block = Buffer.alloc(PWBLOCK_BYTES);
  block.set(filler);
  block.set(password, PWBLOCK_PASSWORD_BYTES - password.length);
  block.writeUInt32LE(password.length, PWBLOCK_PASSWORD_BYTES);
  new Rc4(oldPasswordHash).update(block, 0, block.length);
  return block;
}

/** RFC 2759 §8.12: the 16-octet Encrypted-Hash of a password change. */
export function oldNtPasswordHashEncryptedWithNewNtPasswordHash(
  newPasswordHash: Uint8Array,
  oldPasswordHash: Uint8Array,
): Buffer {
  return Buffer.concat([
    desEncrypt(oldPasswordHash.subarray(0, 8), newPasswordHash.subarray(0, 7)),
    desEncrypt(oldPasswordHash.subarray(8, 16), newPasswordHash.subarray(7, 14)),
  ]);
}

/**
 * The authenticator's side of §8.9 and §8.12: the new password, or undefined when the sender did not know the old one
 * or the block is malformed. `encryptedPassword` has 516 octets, `encryptedHash` 16.
 */
export function openChangePassword(
  encryptedPassword: Uint8Array,
  encryptedHash: Uint8Array,
  oldPasswordHash: Uint8Array,
): string | undefined {
  if (encryptedPassword.length !== PWBLOCK_BYTES || encryptedHash.length !== 16) return undefined;
  const block = Buffer.from(encryptedPassword);
  new Rc4(oldPasswordHash).update(block, 0, block.length);
  const length = block.readUInt32LE(PWBLOCK_PASSWORD_BYTES);
  if (length > PWBLOCK_PASSWORD_BYTES || length % 2 !== 0) return undefined;
  const password = block.toString("utf16le", PWBLOCK_PASSWORD_BYTES - length, PWBLOCK_PASSWORD_BYTES);

  const newPasswordHash = ntPasswordHash(password);
  const claimed = Buffer.concat([
    desDecrypt(encryptedHash.subarray(0, 8), newPasswordHash.subarray(0, 7)),
    desDecrypt(encryptedHash.subarray(8), newPasswordHash.subarray(7, 14)),
  ]);
  return sameOctets(claimed, oldPasswordHash) ? password : undefined;
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
