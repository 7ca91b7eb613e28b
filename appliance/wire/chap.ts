/** CHAP packets: RFC 1994 §4, with the values and messages that RFC 2433 and RFC 2759 put into them. The packet header is `cp-packet.ts`. */
import { fault, type Parsed, Reader } from "./cursor.ts";

/** 5 and 6 are RFC 2433 §9–§10, 7 is RFC 2759 §7. */
export const ChapCode = {
  challenge: 1,
  response: 2,
  success: 3,
  failure: 4,
  changePasswordV1: 6,
  changePasswordV2: 7,
} as const;

/** Data of a Challenge or a Response: RFC 1994 §4.1. */
export interface ChapValue {
  readonly value: Buffer;
  readonly name: Buffer;
}

export function parseChapValue(data: Buffer): Parsed<ChapValue> {
  const r = new Reader(data);
  const value = r.view(r.u8());
  return r.result({ value, name: r.rest() });
}

/** `value` at most 255 bytes. */
export function emitChapValue({ value, name }: ChapValue): Buffer {
  return Buffer.concat([Buffer.from([value.length]), value, name]);
}

/** The 49-byte value of an MS-CHAPv2 Response: RFC 2759 §4. */
export interface MsChapV2Response {
  readonly peerChallenge: Buffer;
  readonly ntResponse: Buffer;
  readonly flags: number;
}

export function parseMsChapV2Response(value: Buffer): Parsed<MsChapV2Response> {
  if (value.length !== 49) return fault("bad-length");
  const r = new Reader(value);
  const peerChallenge = r.view(16);
  r.view(8); // "Reserved, must be zero": not every peer obeys, and nothing depends on it.
  return r.result({ peerChallenge, ntResponse: r.view(24), flags: r.u8() });
}

export function emitMsChapV2Response({ peerChallenge, ntResponse, flags }: MsChapV2Response): Buffer {
  return Buffer.concat([peerChallenge, Buffer.alloc(8), ntResponse, Buffer.from([flags])]);
}

/** The 49-byte value of an MS-CHAPv1 Response: RFC 2433 §6. */
export interface MsChapV1Response {
  readonly lmResponse: Buffer;
  readonly ntResponse: Buffer;
  /** "Use Windows NT compatible challenge response": 1 means `ntResponse` counts. */
  readonly useNtResponse: boolean;
}

export function parseMsChapV1Response(value: Buffer): Parsed<MsChapV1Response> {
  if (value.length !== 49) return fault("bad-length");
  const r = new Reader(value);
  return r.result({ lmResponse: r.view(24), ntResponse: r.view(24), useNtResponse: r.u8() === 1 });
}

export function emitMsChapV1Response({ lmResponse, ntResponse, useNtResponse }: MsChapV1Response): Buffer {
  return Buffer.concat([lmResponse, ntResponse, Buffer.from([useNtResponse ? 1 : 0])]);
}

/** Change-Password packet data: RFC 2759 §7. */
export interface ChangePasswordV2 {
  readonly encryptedPassword: Buffer;
  readonly encryptedHash: Buffer;
  readonly peerChallenge: Buffer;
  readonly ntResponse: Buffer;
}

export function parseChangePasswordV2(data: Buffer): Parsed<ChangePasswordV2> {
  const r = new Reader(data);
  const encryptedPassword = r.view(516);
  const encryptedHash = r.view(16);
  const peerChallenge = r.view(16);
  r.view(8);
  const ntResponse = r.view(24);
  r.u16(); // Flags
  return r.result({ encryptedPassword, encryptedHash, peerChallenge, ntResponse });
}

export function emitChangePasswordV2(packet: ChangePasswordV2): Buffer {
  const { encryptedPassword, encryptedHash, peerChallenge, ntResponse } = packet;
  return Buffer.concat([encryptedPassword, encryptedHash, peerChallenge, Buffer.alloc(8), ntResponse, Buffer.alloc(2)]);
}

/** The text of an MS-CHAP Failure packet: RFC 2433 §8, RFC 2759 §6. */
export interface MsChapFailure {
  /** 646 restricted logon hours, 647 disabled, 648 password expired, 649 no dial-in permission, 691 authentication failure, 709 changing password. */
  readonly errorCode: number;
  readonly retryAllowed: boolean;
  /** The new challenge for a retry: 16 bytes in v2, 8 in v1. */
  readonly challenge: Buffer | undefined;
  /** Version of the change-password packet the authenticator takes; 0 when it did not say. */
  readonly passwordVersion: number;
  readonly message: string;
}

/** `E=691 R=1 C=… V=3 M=text`: fields in any order, any of them missing but E; the message is the rest, whatever it looks like. */
export function parseMsChapFailure(text: Buffer): Parsed<MsChapFailure> {
  const whole = text.toString("latin1");
  const messageAt = /(?:^| )M=/.exec(whole)?.index ?? whole.length;
  const words = whole.slice(0, messageAt);
  const errorCode = /(?:^| )E=(\d{1,6})/.exec(words)?.[1];
  if (errorCode === undefined) return fault("bad-value");
  const challenge = /(?:^| )C=((?:[0-9A-Fa-f]{2}){8,16})(?: |$)/.exec(words)?.[1];
  return {
    ok: true,
    value: {
      errorCode: Number(errorCode),
      retryAllowed: /(?:^| )R=1/.test(words),
      challenge: challenge === undefined ? undefined : Buffer.from(challenge, "hex"),
      passwordVersion: Number(/(?:^| )V=(\d)/.exec(words)?.[1] ?? 0),
      message: whole.slice(messageAt).replace(/^ ?M=/, ""),
    },
  };
}

/** Hexadecimal in upper case, as Windows sends it. */
export function emitMsChapFailure(failure: MsChapFailure): Buffer {
  const { errorCode, retryAllowed, challenge, passwordVersion, message } = failure;
  const fields = [`E=${errorCode}`, `R=${retryAllowed ? 1 : 0}`];
  if (challenge !== undefined) fields.push(`C=${challenge.toString("hex").toUpperCase()}`);
  if (passwordVersion !== 0) fields.push(`V=${passwordVersion}`);
  if (message !== "") fields.push(`M=${message}`);
  return Buffer.from(fields.join(" "), "latin1");
}
