/** Netlink messages: bytes ⇄ values in the machine's own byte order (netlink(7)). */

/** The machine's. node:os would tell it, too, for a millisecond of the start. */
export const BYTE_ORDER: "LE" | "BE" = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? "LE" : "BE";
const LITTLE = BYTE_ORDER === "LE";

export function readU16(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
}
export function readU32(bytes: Buffer, at: number): number {
  return LITTLE ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}
export function writeU16(bytes: Buffer, value: number, at: number): void {
  if (LITTLE) bytes.writeUInt16LE(value, at);
  else bytes.writeUInt16BE(value, at);
}
export function writeU32(bytes: Buffer, value: number, at: number): void {
  if (LITTLE) bytes.writeUInt32LE(value, at);
  else bytes.writeUInt32BE(value, at);
}
/** A 32-bit attribute value. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeU32(bytes, value, 0);
  return bytes;
}

export interface Attribute {
  readonly type: number;
  readonly value: Buffer;
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** The upper two bits of an attribute type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER). */
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const aligned = (length: number): number => (length + 3) & ~3;

/** One request: header, the fixed part of its type, attributes. */
export function emitMessage(
  type: number,
  flags: number,
  sequence: number,
  fixed: Buffer,
  attributes: readonly Attribute[],
): Buffer {
  const padding = Buffer.alloc(aligned(fixed.length) - fixed.length);
  const message = Buffer.concat([Buffer.alloc(HEADER_BYTES), fixed, padding, emitAttributes(attributes)]);
  writeU32(message, message.length, 0);
  writeU16(message, type, 4);
  writeU16(message, flags, 6);
  writeU32(message, sequence, 8);
  return message;
}

/** Attributes one after another: the end of a message, or the value of an attribute that holds others. */
export function emitAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(
    attributes.map(({ type, value }) => {
      const bytes = Buffer.alloc(aligned(ATTRIBUTE_HEADER_BYTES + value.length));
      writeU16(bytes, ATTRIBUTE_HEADER_BYTES + value.length, 0);
      writeU16(bytes, type, 2);
      value.copy(bytes, ATTRIBUTE_HEADER_BYTES);
      return bytes;
    }),
  );
}

/** The messages of one datagram; stops where the bytes no longer make sense. */
export function parseMessages(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = readU32(bytes, at);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    messages.push({
      type: readU16(bytes, at + 4),
      flags: readU16(bytes, at + 6),
      sequence: readU32(bytes, at + 8),
      body: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The attributes behind a fixed part of `fixedBytes`, by type; the last one of a type wins. */
export function parseAttributes(body: Buffer, fixedBytes: number): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = aligned(fixedBytes); at + ATTRIBUTE_HEADER_BYTES <= body.length; ) {
    const length = readU16(body, at);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > body.length) break;
    attributes.set(
      readU16(body, at + 2) & ATTRIBUTE_TYPE_MASK,
      body.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length),
    );
    at += aligned(length);
  }
  return attributes;
}
