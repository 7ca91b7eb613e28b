/**
 * What an authentication exchange hands to whoever knows the passwords, and what comes back. `verifyPassword` answers
 * for a password at hand; a RADIUS server may answer instead, from the same request.
 */
import { chapMd5, sameSecret } from "../crypto/chap.ts";
import { type MppeStartKeys, type MppeStrength, msChapV1StartKeys, msChapV2StartKeys } from "../crypto/mppe-keys.ts";
import {
  checkChallengeResponse,
  checkNtResponse,
  generateAuthenticatorResponse,
  hashNtPasswordHash,
  lmPasswordHash,
  ntPasswordHash,
  openChangePassword,
} from "../crypto/mschap.ts";
import type { AuthMethod } from "./lcp.ts";

/** `userName` is the peer's, octet for octet: Windows sends its ANSI code page, others UTF-8. */
export type AuthRequest = { readonly userName: Buffer } & (
  | { readonly method: "pap"; readonly password: Buffer }
  | { readonly method: "chap-md5"; readonly identifier: number; readonly challenge: Buffer; readonly response: Buffer }
  | {
      readonly method: "mschap-v1";
      readonly identifier: number;
      readonly challenge: Buffer;
      readonly ntResponse: Buffer;
    }
  | {
      readonly method: "mschap-v2";
      /** Of the CHAP packet; a RADIUS server hands it back. */
      readonly identifier: number;
      /** Each 16 bytes. */
      readonly challenge: Buffer;
      readonly peerChallenge: Buffer;
      /** 24 bytes. */
      readonly ntResponse: Buffer;
      /** RFC 2759 §7, when the peer changes its password at the same time. */
      readonly change?: { readonly encryptedPassword: Buffer; readonly encryptedHash: Buffer };
    }
);

/** The MPPE start keys of a session, for each key length the authentication yields any for; none after PAP and CHAP-MD5. */
export type SessionKeys = Readonly<Partial<Record<MppeStrength, MppeStartKeys>>>;
export const NO_KEYS: SessionKeys = {};

/** Windows error codes an authenticator may send (RFC 2759 §6). */
export type AuthErrorCode = 646 | 647 | 648 | 649 | 691 | 709;

export type AuthVerdict =
  | {
      readonly ok: true;
      /** Text of the Success packet: for MS-CHAPv2 it must begin with the proof `S=…`. */
      readonly message: string;
      readonly keys: SessionKeys;
      /** The password after a successful change, to be stored. */
      readonly newPassword?: string;
    }
  | { readonly ok: false; readonly errorCode: AuthErrorCode; readonly message: string };

export const WRONG_PASSWORD: AuthVerdict = { ok: false, errorCode: 691, message: "Authentication failure" };

/** The name an account is looked up by: without `DOMAIN\`, as UTF-8 where it is, else as Latin-1. */
export function accountName(userName: Buffer): string {
  const utf8 = userName.toString("utf8");
  const text = Buffer.from(utf8, "utf8").equals(userName) ? utf8 : userName.toString("latin1");
  return text.slice(text.lastIndexOf("\\") + 1);
}

/** Answers for an account whose password is `password`, as its authenticator. */
export function verifyPassword(request: AuthRequest, password: string): AuthVerdict {
  switch (request.method) {
    case "pap":
      return sameSecret(request.password, Buffer.from(password)) ? accepted("") : WRONG_PASSWORD;
    case "chap-md5": {
      const expected = chapMd5(request.identifier, password, request.challenge);
      return sameSecret(request.response, expected) ? accepted("") : WRONG_PASSWORD;
    }
    case "mschap-v1": {
      const hash = ntPasswordHash(password);
      if (!checkChallengeResponse(request.challenge, hash, request.ntResponse)) return WRONG_PASSWORD;
      return accepted("Access granted", mschapV1Keys(password, request.challenge));
    }
    case "mschap-v2":
      return request.change === undefined ? verifyV2(request, password) : changeV2(request, request.change, password);
  }
}

/** RFC 3079 §3, for both ends. */
export function mschapV2Keys(password: string, ntResponse: Buffer, role: "server" | "client"): SessionKeys {
  const hashHash = hashNtPasswordHash(ntPasswordHash(password));
  return keysFor((strength) => msChapV2StartKeys(hashHash, ntResponse, role, strength));
}

/** RFC 3079 §2: equal in both directions. */
export function mschapV1Keys(password: string, challenge: Buffer): SessionKeys {
  const hashHash = hashNtPasswordHash(ntPasswordHash(password));
  return keysFor((strength) => msChapV1StartKeys(challenge, hashHash, lmPasswordHash(password), strength));
}

type V2Request = Extract<AuthRequest, { method: "mschap-v2" }>;

function verifyV2(request: V2Request, password: string): AuthVerdict {
  const exchange = { ...request, authenticatorChallenge: request.challenge };
  const hash = ntPasswordHash(password);
  if (!checkNtResponse(exchange, hash, request.ntResponse)) return WRONG_PASSWORD;
  const proof = generateAuthenticatorResponse(exchange, hash, request.ntResponse);
  return accepted(proof, mschapV2Keys(password, request.ntResponse, "server"));
}

/** RFC 2759 §7: the response is made with the new password, the blocks prove the old one. */
function changeV2(request: V2Request, change: NonNullable<V2Request["change"]>, oldPassword: string): AuthVerdict {
  const { encryptedPassword, encryptedHash } = change;
  const newPassword = openChangePassword(encryptedPassword, encryptedHash, ntPasswordHash(oldPassword));
  if (newPassword === undefined) return { ok: false, errorCode: 709, message: "Password change failed" };
  const verdict = verifyV2(request, newPassword);
  return verdict.ok ? { ...verdict, newPassword } : verdict;
}

function keysFor(derive: (strength: MppeStrength) => MppeStartKeys | undefined): SessionKeys {
  const keys: Partial<Record<MppeStrength, MppeStartKeys>> = {};
  for (const strength of [40, 56, 128] as const) {
    const pair = derive(strength);
    if (pair !== undefined) keys[strength] = pair;
  }
  return keys;
}

function accepted(message: string, keys: SessionKeys = NO_KEYS): AuthVerdict {
  return { ok: true, message, keys };
}

/** The method's name as people write it. */
export const METHOD_NAME: Readonly<Record<AuthMethod, string>> = {
  pap: "PAP",
  "chap-md5": "CHAP-MD5",
  "mschap-v1": "MS-CHAPv1",
  "mschap-v2": "MS-CHAPv2",
};
