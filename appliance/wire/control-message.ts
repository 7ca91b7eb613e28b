/**
 * The fifteen control messages of PPTP: RFC 2637 §2. Each layout below is the RFC's own figure as data, field by
 * field; parse and emit both walk it, so they cannot disagree.
 */
import { fault, type Parsed, Reader, Writer } from "./cursor.ts";

const MAGIC_COOKIE = 0x1a2b3c4d;
const CONTROL_MESSAGE = 1;
/** Length, PPTP Message Type, Magic Cookie, Control Message Type, Reserved0. */
export const CONTROL_HEADER_BYTES = 12;
/** No defined message is longer (§2.9, Incoming-Call-Request). */
export const LONGEST_CONTROL_MESSAGE = 220;
/** §2.1: version 1, revision 0. */
export const PROTOCOL_VERSION = 0x0100;

export interface StartControlConnectionRequest {
  readonly type: "start-control-connection-request";
  readonly protocolVersion: number;
  readonly framingCapabilities: number;
  readonly bearerCapabilities: number;
  readonly maximumChannels: number;
  readonly firmwareRevision: number;
  readonly hostName: string;
  readonly vendorName: string;
}
export interface StartControlConnectionReply {
  readonly type: "start-control-connection-reply";
  readonly protocolVersion: number;
  readonly resultCode: number;
  readonly errorCode: number;
  readonly framingCapabilities: number;
  readonly bearerCapabilities: number;
  readonly maximumChannels: number;
  readonly firmwareRevision: number;
  readonly hostName: string;
  readonly vendorName: string;
}
export interface StopControlConnectionRequest {
  readonly type: "stop-control-connection-request";
  readonly reason: number;
}
export interface StopControlConnectionReply {
  readonly type: "stop-control-connection-reply";
  readonly resultCode: number;
  readonly errorCode: number;
}
export interface EchoRequest {
  readonly type: "echo-request";
  readonly identifier: number;
}
export interface EchoReply {
  readonly type: "echo-reply";
  readonly identifier: number;
  readonly resultCode: number;
  readonly errorCode: number;
}
export interface OutgoingCallRequest {
  readonly type: "outgoing-call-request";
  readonly callId: number;
  readonly callSerialNumber: number;
  readonly minimumBps: number;
  readonly maximumBps: number;
  readonly bearerType: number;
  readonly framingType: number;
  readonly packetRecvWindowSize: number;
  readonly packetProcessingDelay: number;
  readonly phoneNumberLength: number;
  readonly phoneNumber: string;
  /** Raw: Windows Vista and later put a 16-byte correlation GUID here. */
  readonly subaddress: Buffer;
}
export interface OutgoingCallReply {
  readonly type: "outgoing-call-reply";
  readonly callId: number;
  readonly peersCallId: number;
  readonly resultCode: number;
  readonly errorCode: number;
  readonly causeCode: number;
  readonly connectSpeed: number;
  readonly packetRecvWindowSize: number;
  readonly packetProcessingDelay: number;
  readonly physicalChannelId: number;
}
export interface IncomingCallRequest {
  readonly type: "incoming-call-request";
  readonly callId: number;
  readonly callSerialNumber: number;
  readonly bearerType: number;
  readonly physicalChannelId: number;
  readonly dialedNumberLength: number;
  readonly dialingNumberLength: number;
  readonly dialedNumber: string;
  readonly dialingNumber: string;
  readonly subaddress: Buffer;
}
export interface IncomingCallReply {
  readonly type: "incoming-call-reply";
  readonly callId: number;
  readonly peersCallId: number;
  readonly resultCode: number;
  readonly errorCode: number;
  readonly packetRecvWindowSize: number;
  readonly packetTransmitDelay: number;
}
export interface IncomingCallConnected {
  readonly type: "incoming-call-connected";
  readonly peersCallId: number;
  readonly connectSpeed: number;
  readonly packetRecvWindowSize: number;
  readonly packetTransmitDelay: number;
  readonly framingType: number;
}
export interface CallClearRequest {
  readonly type: "call-clear-request";
  /** The *sender's* own Call ID (§2.12). */
  readonly callId: number;
}
export interface CallDisconnectNotify {
  readonly type: "call-disconnect-notify";
  /** The *sender's* own Call ID (§2.13). */
  readonly callId: number;
  readonly resultCode: number;
  readonly errorCode: number;
  readonly causeCode: number;
  readonly callStatistics: string;
}
export interface WanErrorNotify {
  readonly type: "wan-error-notify";
  readonly peersCallId: number;
  readonly crcErrors: number;
  readonly framingErrors: number;
  readonly hardwareOverruns: number;
  readonly bufferOverruns: number;
  readonly timeOutErrors: number;
  readonly alignmentErrors: number;
}
export interface SetLinkInfo {
  readonly type: "set-link-info";
  readonly peersCallId: number;
  readonly sendAccm: number;
  readonly receiveAccm: number;
}
export type ControlMessage =
  | StartControlConnectionRequest
  | StartControlConnectionReply
  | StopControlConnectionRequest
  | StopControlConnectionReply
  | EchoRequest
  | EchoReply
  | OutgoingCallRequest
  | OutgoingCallReply
  | IncomingCallRequest
  | IncomingCallReply
  | IncomingCallConnected
  | CallClearRequest
  | CallDisconnectNotify
  | WanErrorNotify
  | SetLinkInfo;
export type ControlMessageType = ControlMessage["type"];

/** `text` fields are Latin-1 up to the first NUL; `bytes` fields are raw; reserved fields are written 0 and ignored on receipt (§2). */
type FieldKind = "u8" | "u16" | "u32" | "text64" | "text128" | "bytes64" | "reserved8" | "reserved16";
type Layout = readonly (readonly [name: string, kind: FieldKind])[];

const START = [
  ["framingCapabilities", "u32"],
  ["bearerCapabilities", "u32"],
  ["maximumChannels", "u16"],
  ["firmwareRevision", "u16"],
  ["hostName", "text64"],
  ["vendorName", "text64"],
] as const;
const RESULT = [
  ["resultCode", "u8"],
  ["errorCode", "u8"],
] as const;
const CALL_IDS = [
  ["callId", "u16"],
  ["peersCallId", "u16"],
] as const;

const LAYOUTS: Readonly<Record<ControlMessageType, { readonly code: number; readonly fields: Layout }>> = {
  // §2.1
  "start-control-connection-request": {
    code: 1,
    fields: [["protocolVersion", "u16"], ["", "reserved16"], ...START],
  },
  // §2.2
  "start-control-connection-reply": { code: 2, fields: [["protocolVersion", "u16"], ...RESULT, ...START] },
  // §2.3
  "stop-control-connection-request": {
    code: 3,
    fields: [
      ["reason", "u8"],
      ["", "reserved8"],
      ["", "reserved16"],
    ],
  },
  // §2.4
  "stop-control-connection-reply": { code: 4, fields: [...RESULT, ["", "reserved16"]] },
  // §2.5
  "echo-request": { code: 5, fields: [["identifier", "u32"]] },
  // §2.6
  "echo-reply": { code: 6, fields: [["identifier", "u32"], ...RESULT, ["", "reserved16"]] },
  // §2.7
  "outgoing-call-request": {
    code: 7,
    fields: [
      ["callId", "u16"],
      ["callSerialNumber", "u16"],
      ["minimumBps", "u32"],
      ["maximumBps", "u32"],
      ["bearerType", "u32"],
      ["framingType", "u32"],
      ["packetRecvWindowSize", "u16"],
      ["packetProcessingDelay", "u16"],
      ["phoneNumberLength", "u16"],
      ["", "reserved16"],
      ["phoneNumber", "text64"],
      ["subaddress", "bytes64"],
    ],
  },
  // §2.8
  "outgoing-call-reply": {
    code: 8,
    fields: [
      ...CALL_IDS,
      ...RESULT,
      ["causeCode", "u16"],
      ["connectSpeed", "u32"],
      ["packetRecvWindowSize", "u16"],
      ["packetProcessingDelay", "u16"],
      ["physicalChannelId", "u32"],
    ],
  },
  // §2.9
  "incoming-call-request": {
    code: 9,
    fields: [
      ["callId", "u16"],
      ["callSerialNumber", "u16"],
      ["bearerType", "u32"],
      ["physicalChannelId", "u32"],
      ["dialedNumberLength", "u16"],
      ["dialingNumberLength", "u16"],
      ["dialedNumber", "text64"],
      ["dialingNumber", "text64"],
      ["subaddress", "bytes64"],
    ],
  },
  // §2.10
  "incoming-call-reply": {
    code: 10,
    fields: [
      ...CALL_IDS,
      ...RESULT,
      ["packetRecvWindowSize", "u16"],
      ["packetTransmitDelay", "u16"],
      ["", "reserved16"],
    ],
  },
  // §2.11
  "incoming-call-connected": {
    code: 11,
    fields: [
      ["peersCallId", "u16"],
      ["", "reserved16"],
      ["connectSpeed", "u32"],
      ["packetRecvWindowSize", "u16"],
      ["packetTransmitDelay", "u16"],
      ["framingType", "u32"],
    ],
  },
  // §2.12
  "call-clear-request": {
    code: 12,
    fields: [
      ["callId", "u16"],
      ["", "reserved16"],
    ],
  },
  // §2.13
  "call-disconnect-notify": {
    code: 13,
    fields: [["callId", "u16"], ...RESULT, ["causeCode", "u16"], ["", "reserved16"], ["callStatistics", "text128"]],
  },
  // §2.14
  "wan-error-notify": {
    code: 14,
    fields: [
      ["peersCallId", "u16"],
      ["", "reserved16"],
      ["crcErrors", "u32"],
      ["framingErrors", "u32"],
      ["hardwareOverruns", "u32"],
      ["bufferOverruns", "u32"],
      ["timeOutErrors", "u32"],
      ["alignmentErrors", "u32"],
    ],
  },
  // §2.15
  "set-link-info": {
    code: 15,
    fields: [
      ["peersCallId", "u16"],
      ["", "reserved16"],
      ["sendAccm", "u32"],
      ["receiveAccm", "u32"],
    ],
  },
};

const FIELD_BYTES: Readonly<Record<FieldKind, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  text64: 64,
  text128: 128,
  bytes64: 64,
  reserved8: 1,
  reserved16: 2,
};

const TYPE_OF_CODE = new Map(Object.entries(LAYOUTS).map(([type, { code }]) => [code, type as ControlMessageType]));

/** Bytes of the whole message, header included. */
export function controlMessageBytes(type: ControlMessageType): number {
  return LAYOUTS[type].fields.reduce((sum, [, kind]) => sum + FIELD_BYTES[kind], CONTROL_HEADER_BYTES);
}

/** The Length field of the message `bytes` starts with, or undefined while it is not all there; the magic cookie is checked as soon as it can be. */
export function controlMessageLength(bytes: Buffer): Parsed<number> | undefined {
  if (bytes.length >= 8 && bytes.readUInt32BE(4) !== MAGIC_COOKIE) return fault("bad-magic");
  if (bytes.length < 2) return undefined;
  const length = bytes.readUInt16BE(0);
  // A length below the header is how pptpd (CVE-2003-0213), accel-ppp and FreeBSD were crashed.
  if (length < CONTROL_HEADER_BYTES || length > LONGEST_CONTROL_MESSAGE) return fault("bad-length");
  return { ok: true, value: length };
}

/** One whole message. Longer than its type needs is accepted, as it does no harm; shorter is `bad-length`; an unknown type is `bad-value`. */
export function parseControlMessage(bytes: Buffer): Parsed<ControlMessage> {
  const r = new Reader(bytes);
  const length = r.u16();
  const messageType = r.u16();
  const magic = r.u32();
  const type = TYPE_OF_CODE.get(r.u16());
  r.u16(); // Reserved0
  if (!r.result(0).ok) return fault("short");
  if (magic !== MAGIC_COOKIE) return fault("bad-magic");
  if (messageType !== CONTROL_MESSAGE || type === undefined) return fault("bad-value");
  if (length !== bytes.length || length < controlMessageBytes(type)) return fault("bad-length");
  const message: Record<string, unknown> = { type };
  for (const [name, kind] of LAYOUTS[type].fields) {
    const value = readField(r, kind);
    if (name !== "") message[name] = value;
  }
  return r.result(message as unknown as ControlMessage);
}

export function emitControlMessage(message: ControlMessage): Buffer {
  const length = controlMessageBytes(message.type);
  const w = new Writer(length);
  w.u16(length).u16(CONTROL_MESSAGE).u32(MAGIC_COOKIE).u16(LAYOUTS[message.type].code).u16(0);
  const values = message as unknown as Readonly<Record<string, unknown>>;
  for (const [name, kind] of LAYOUTS[message.type].fields) writeField(w, kind, values[name]);
  return w.bytes;
}

function readField(r: Reader, kind: FieldKind): number | string | Buffer {
  switch (kind) {
    case "u8":
    case "reserved8":
      return r.u8();
    case "u16":
    case "reserved16":
      return r.u16();
    case "u32":
      return r.u32();
    case "text64":
    case "text128": {
      const raw = r.view(FIELD_BYTES[kind]);
      const nul = raw.indexOf(0);
      return raw.toString("latin1", 0, nul < 0 ? raw.length : nul);
    }
    case "bytes64":
      return Buffer.from(r.view(FIELD_BYTES[kind]));
  }
}

function writeField(w: Writer, kind: FieldKind, value: unknown): void {
  switch (kind) {
    case "u8":
      w.u8(value as number);
      break;
    case "u16":
      w.u16(value as number);
      break;
    case "u32":
      w.u32(value as number);
      break;
    case "text64":
    case "text128":
      w.fixed(Buffer.from(value as string, "latin1"), FIELD_BYTES[kind]);
      break;
    case "bytes64":
      w.fixed(value as Buffer, FIELD_BYTES[kind]);
      break;
    case "reserved8":
      w.u8(0);
      break;
    case "reserved16":
      w.u16(0);
      break;
  }
}
