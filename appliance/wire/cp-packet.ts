/** Packets of the PPP control protocols and their option lists: RFC 1661 §5 and §6. */
import { fault, type Parsed, Reader } from "./cursor.ts";

/** RFC 1661 §5; 12 and 13 are RFC 1570 §1, 14 and 15 RFC 1962 §3. */
export const CpCode = {
  configureRequest: 1,
  configureAck: 2,
  configureNak: 3,
  configureReject: 4,
  terminateRequest: 5,
  terminateAck: 6,
  codeReject: 7,
  protocolReject: 8,
  echoRequest: 9,
  echoReply: 10,
  discardRequest: 11,
  identification: 12,
  timeRemaining: 13,
  resetRequest: 14,
  resetAck: 15,
} as const;

const HEADER_BYTES = 4;

export interface CpPacket {
  readonly code: number;
  readonly identifier: number;
  readonly data: Buffer;
}

/** Octets behind Length are padding and ignored (RFC 1661 §5). */
export function parseCpPacket(bytes: Buffer): Parsed<CpPacket> {
  const r = new Reader(bytes);
  const code = r.u8();
  const identifier = r.u8();
  const length = r.u16();
  if (!r.result(0).ok) return fault("short");
  if (length < HEADER_BYTES || length > bytes.length) return fault("bad-length");
  return r.result({ code, identifier, data: r.view(length - HEADER_BYTES) });
}

export function emitCpPacket(packet: CpPacket): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + packet.data.length);
  bytes[0] = packet.code;
  bytes[1] = packet.identifier;
  bytes.writeUInt16BE(bytes.length, 2);
  packet.data.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** One Configuration Option as it stands on the wire, before any protocol gives it a meaning. */
export interface RawOption {
  readonly type: number;
  readonly data: Buffer;
}

export function parseOptions(bytes: Buffer): Parsed<readonly RawOption[]> {
  const r = new Reader(bytes);
  const options: RawOption[] = [];
  while (r.remaining > 0) {
    const type = r.u8();
    const length = r.u8();
    // A length below 2 would never advance: this is the loop that hung more than one stack.
    if (length < 2) return fault(r.result(0).ok ? "bad-length" : "short");
    options.push({ type, data: r.view(length - 2) });
    if (!r.result(0).ok) return fault("short");
  }
  return r.result(options);
}

/** Each `data` is at most 253 bytes. */
export function emitOptions(options: readonly RawOption[]): Buffer {
  return Buffer.concat(options.flatMap(({ type, data }) => [Buffer.from([type, data.length + 2]), data]));
}
