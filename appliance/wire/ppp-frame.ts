/** The PPP frame inside GRE: RFC 1661 §2 without flags, escapes or FCS (RFC 2637 §4). Address and Control are optional (ACFC), a low protocol may be one byte (PFC): both are accepted always, as Windows and pppd send them. */
import { fault, type Parsed } from "./cursor.ts";

/** PPP DLL protocol numbers (IANA). */
export const Protocol = {
  ipv4: 0x0021,
  ipv6: 0x0057,
  vjCompressedTcp: 0x002d,
  vjUncompressedTcp: 0x002f,
  /** "Compressed datagram": MPPC and MPPE data. */
  compressed: 0x00fd,
  ipcp: 0x8021,
  ipv6cp: 0x8057,
  ccp: 0x80fd,
  lcp: 0xc021,
  pap: 0xc023,
  cbcp: 0xc029,
  chap: 0xc223,
  eap: 0xc227,
} as const;

export interface PppFrame {
  readonly protocol: number;
  readonly payload: Buffer;
}

const ADDRESS_CONTROL = 0xff03;

/** Where the protocol field starts: behind Address and Control when they are there. */
export function skipAddressControl(bytes: Buffer, start: number, end: number): number {
  return end - start >= 2 && bytes.readUInt16BE(start) === ADDRESS_CONTROL ? start + 2 : start;
}

export function parsePppFrame(bytes: Buffer): Parsed<PppFrame> {
  const at = skipAddressControl(bytes, 0, bytes.length);
  const first = bytes[at];
  if (first === undefined) return fault("short");
  // RFC 1661 §2: the least significant bit of the last octet is 1, of the first octet 0.
  if (first & 1) return { ok: true, value: { protocol: first, payload: bytes.subarray(at + 1) } };
  const second = bytes[at + 1];
  if (second === undefined) return fault("short");
  if (!(second & 1)) return fault("bad-value");
  return { ok: true, value: { protocol: (first << 8) | second, payload: bytes.subarray(at + 2) } };
}

export interface PppFraming {
  /** Leave out Address and Control (the peer asked for ACFC). LCP always carries them (RFC 1661 §6.6). */
  readonly omitAddressControl: boolean;
  /** Send protocols below 0x100 in one byte (the peer asked for PFC). */
  readonly compressProtocol: boolean;
  /** On LCP too, as Windows does with Identification and Echo-Reply. */
  readonly evenOnLcp?: boolean;
}
export const PLAIN_FRAMING: PppFraming = { omitAddressControl: false, compressProtocol: false };

/** Writes the header so that it ends at `end`, where the payload begins, and returns where it starts: at most 4 bytes earlier. */
export function writePppHeader(bytes: Buffer, end: number, protocol: number, framing: PppFraming): number {
  let at = end;
  if (framing.compressProtocol && protocol < 0x100) bytes[--at] = protocol;
  else at = bytes.writeUInt16BE(protocol, end - 2) - 2;
  if (framing.omitAddressControl && (protocol !== Protocol.lcp || framing.evenOnLcp === true)) return at;
  bytes.writeUInt16BE(ADDRESS_CONTROL, at - 2);
  return at - 2;
}

export function emitPppFrame(frame: PppFrame, framing: PppFraming): Buffer {
  const bytes = Buffer.alloc(4 + frame.payload.length);
  frame.payload.copy(bytes, 4);
  return bytes.subarray(writePppHeader(bytes, 4, frame.protocol, framing));
}
