/** TFTP packets: RFC 1350 §5, options of RFC 2347. */
import { fault, type Parsed } from "../../appliance/wire/cursor.ts";

const Opcode = {
  readRequest: 1,
  writeRequest: 2,
  data: 3,
  acknowledgment: 4,
  error: 5,
  optionAcknowledgment: 6,
} as const;

/** RFC 1350 appendix, RFC 2347. */
export const TftpError = {
  undefined: 0,
  fileNotFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionsRefused: 8,
} as const;

export type TftpPacket =
  | {
      readonly kind: "read" | "write";
      readonly file: string;
      /** In small letters. */
      readonly mode: string;
      /** Names in small letters; the first of each counts. */
      readonly options: ReadonlyMap<string, string>;
    }
  | { readonly kind: "data"; readonly block: number; readonly bytes: Buffer }
  | { readonly kind: "acknowledgment"; readonly block: number }
  | { readonly kind: "error"; readonly code: number; readonly message: string }
  | { readonly kind: "option-acknowledgment"; readonly options: ReadonlyMap<string, string> };

export function parseTftp(bytes: Buffer): Parsed<TftpPacket> {
  if (bytes.length < 4) return fault("short");
  const number = bytes.readUInt16BE(2);
  switch (bytes.readUInt16BE(0)) {
    case Opcode.readRequest:
      return parseRequest("read", bytes);
    case Opcode.writeRequest:
      return parseRequest("write", bytes);
    case Opcode.data:
      return { ok: true, value: { kind: "data", block: number, bytes: bytes.subarray(4) } };
    case Opcode.acknowledgment:
      return { ok: true, value: { kind: "acknowledgment", block: number } };
    case Opcode.error: {
      const [message = ""] = strings(bytes.subarray(4)) ?? [bytes.toString("latin1", 4)];
      return { ok: true, value: { kind: "error", code: number, message } };
    }
    case Opcode.optionAcknowledgment: {
      const options = optionsOf(strings(bytes.subarray(2)));
      return options === undefined
        ? fault("bad-value")
        : { ok: true, value: { kind: "option-acknowledgment", options } };
    }
    default:
      return fault("bad-value");
  }
}

export function emitTftp(packet: TftpPacket): Buffer {
  switch (packet.kind) {
    case "read":
    case "write": {
      const opcode = packet.kind === "read" ? Opcode.readRequest : Opcode.writeRequest;
      return Buffer.concat([u16(opcode), zeroEnded([packet.file, packet.mode, ...[...packet.options].flat()])]);
    }
    case "data":
      return Buffer.concat([u16(Opcode.data), u16(packet.block), packet.bytes]);
    case "acknowledgment":
      return Buffer.concat([u16(Opcode.acknowledgment), u16(packet.block)]);
    case "error":
      return Buffer.concat([u16(Opcode.error), u16(packet.code), zeroEnded([packet.message])]);
    case "option-acknowledgment":
      return Buffer.concat([u16(Opcode.optionAcknowledgment), zeroEnded([...packet.options].flat())]);
  }
}

function parseRequest(kind: "read" | "write", bytes: Buffer): Parsed<TftpPacket> {
  const [file, mode, ...rest] = strings(bytes.subarray(2)) ?? [];
  if (file === undefined || mode === undefined) return fault("bad-value");
  const options = optionsOf(rest);
  if (options === undefined) return fault("bad-value");
  return { ok: true, value: { kind, file, mode: mode.toLowerCase(), options } };
}

/** Texts that each end with a zero; undefined when the last one does not. */
function strings(bytes: Buffer): string[] | undefined {
  if (bytes.length === 0) return [];
  return bytes.at(-1) === 0 ? bytes.toString("latin1", 0, bytes.length - 1).split("\0") : undefined;
}

function optionsOf(texts: readonly string[] | undefined): ReadonlyMap<string, string> | undefined {
  if (texts === undefined || texts.length % 2 !== 0) return undefined;
  const options = new Map<string, string>();
  for (let at = 0; at < texts.length; at += 2) {
    const name = (texts[at] ?? "").toLowerCase();
    if (!options.has(name)) options.set(name, texts[at + 1] ?? "");
  }
  return options;
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function zeroEnded(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\0`).join(""), "latin1");
}
