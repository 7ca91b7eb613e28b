/** RADIUS packets: RFC 2865 §3, with the codes of RFC 2866 and RFC 3576. What the attributes mean is `radius-attribute.ts`. */
import { fault, type Parsed, Reader, Writer } from "./cursor.ts";

export const RadiusCode = {
  accessRequest: 1,
  accessAccept: 2,
  accessReject: 3,
  accountingRequest: 4,
  accountingResponse: 5,
  accessChallenge: 11,
  disconnectRequest: 40,
  disconnectAck: 41,
  disconnectNak: 42,
  changeRequest: 43,
  changeAck: 44,
  changeNak: 45,
} as const;

/** Code, Identifier, Length, Authenticator. */
export const RADIUS_HEADER_BYTES = 20;
export const AUTHENTICATOR_BYTES = 16;
const LONGEST_PACKET = 4096;
/** Type and Length count. */
const LONGEST_ATTRIBUTE = 255;

export interface RawAttribute {
  readonly type: number;
  /** 0 to 253 bytes. */
  readonly data: Buffer;
}

export interface RadiusPacket {
  readonly code: number;
  readonly identifier: number;
  /** 16 bytes: random in an Access-Request, else a checksum that includes the shared secret. */
  readonly authenticator: Buffer;
  readonly attributes: readonly RawAttribute[];
}

/** "Octets outside the range of the Length field MUST be treated as padding and ignored." Views into `bytes`. */
export function parseRadiusPacket(bytes: Buffer): Parsed<RadiusPacket> {
  const r = new Reader(bytes);
  const code = r.u8();
  const identifier = r.u8();
  const length = r.u16();
  const authenticator = r.view(AUTHENTICATOR_BYTES);
  if (bytes.length < RADIUS_HEADER_BYTES) return fault("short");
  if (length < RADIUS_HEADER_BYTES || length > LONGEST_PACKET) return fault("bad-length");
  if (length > bytes.length) return fault("short");
  const attributes = parseRadiusAttributes(bytes.subarray(RADIUS_HEADER_BYTES, length));
  return attributes.ok
    ? { ok: true, value: { code, identifier, authenticator, attributes: attributes.value } }
    : attributes;
}

export function parseRadiusAttributes(bytes: Buffer): Parsed<readonly RawAttribute[]> {
  const r = new Reader(bytes);
  const attributes: RawAttribute[] = [];
  while (r.remaining > 0) {
    const type = r.u8();
    const length = r.u8();
    if (length < 2) return fault(r.remaining === 0 ? "short" : "bad-length");
    attributes.push({ type, data: r.view(length - 2) });
    if (!r.result(0).ok) return fault("short");
  }
  return { ok: true, value: attributes };
}

/** Throws `RangeError` when an attribute or the packet is longer than it can be. */
export function emitRadiusPacket({ code, identifier, authenticator, attributes }: RadiusPacket): Buffer {
  const tooLong = attributes.find(({ data }) => data.length + 2 > LONGEST_ATTRIBUTE);
  if (tooLong !== undefined)
    throw new RangeError(`RADIUS attribute ${tooLong.type}: ${tooLong.data.length} bytes, 253 is the most`);
  const length = attributes.reduce((sum, { data }) => sum + 2 + data.length, RADIUS_HEADER_BYTES);
  if (length > LONGEST_PACKET) throw new RangeError(`RADIUS packet: ${length} bytes, ${LONGEST_PACKET} is the most`);
  const w = new Writer(length).u8(code).u8(identifier).u16(length).fixed(authenticator, AUTHENTICATOR_BYTES);
  for (const { type, data } of attributes)
    w.u8(type)
      .u8(data.length + 2)
      .fixed(data, data.length);
  return w.bytes;
}
