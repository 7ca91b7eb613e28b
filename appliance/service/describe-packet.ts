/** One line for a packet of a trace, in the words of Wireshark and the RFCs. */
import { ChapCode } from "../wire/chap.ts";
import { controlMessageLength, parseControlMessage } from "../wire/control-message.ts";
import { CpCode, parseCpPacket } from "../wire/cp-packet.ts";
import { type GrePacket, parseGre } from "../wire/gre.ts";
import { PapCode } from "../wire/pap.ts";
import { Protocol, parsePppFrame } from "../wire/ppp-frame.ts";

const IPV4_HEADER = 20;
const PROTOCOL_TCP = 6;

const NAMES = new Map<number, string>([
  [Protocol.lcp, "LCP"],
  [Protocol.ipcp, "IPCP"],
  [Protocol.ipv6cp, "IPV6CP"],
  [Protocol.ccp, "CCP"],
  [Protocol.chap, "CHAP"],
  [Protocol.pap, "PAP"],
  [Protocol.cbcp, "CBCP"],
  [Protocol.eap, "EAP"],
  [Protocol.compressed, "MPPE data"],
  [Protocol.ipv4, "IPv4 data"],
  [Protocol.ipv6, "IPv6 data"],
]);

/** `packet`: a whole IPv4 packet, perhaps cut behind its headers. Never throws. */
export function describePacket(packet: Buffer): string {
  if (packet.length < IPV4_HEADER) return "cut short";
  const payload = packet.subarray(IPV4_HEADER);
  return packet.readUInt8(9) === PROTOCOL_TCP ? describeControl(payload.subarray(20)) : describeGre(payload);
}

/** A segment may hold several messages, or a part of one. */
function describeControl(bytes: Buffer): string {
  const words: string[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const length = controlMessageLength(rest);
    if (length === undefined || !length.ok || rest.length < length.value) {
      words.push(`${rest.length} bytes of a message`);
      break;
    }
    const message = parseControlMessage(rest.subarray(0, length.value));
    words.push(message.ok ? titled(message.value.type) : "bad message");
    rest = rest.subarray(length.value);
  }
  return words.join(", ");
}

function describeGre(bytes: Buffer): string {
  const head = parseGre(bytes);
  // Data is cut: its length field says more than there is.
  const gre = head.ok ? head.value : parseCut(bytes);
  if (gre === undefined) return "no GRE of version 1";
  const numbers = [
    ...(gre.sequence === undefined ? [] : [`seq ${gre.sequence}`]),
    ...(gre.ack === undefined ? [] : [`ack ${gre.ack}`]),
  ].join(" ");
  if (gre.sequence === undefined) return `GRE call ${gre.callId} ${numbers}`;
  const frame = parsePppFrame(gre.payload);
  const ppp = frame.ok ? describePpp(frame.value.protocol, frame.value.payload) : "no PPP frame";
  return `GRE call ${gre.callId} ${numbers}: ${ppp}`;
}

function parseCut(bytes: Buffer): GrePacket | undefined {
  if (bytes.length < 8) return undefined;
  const parsed = parseGre(Buffer.concat([bytes, Buffer.alloc(bytes.readUInt16BE(4))]));
  return parsed.ok ? parsed.value : undefined;
}

function describePpp(protocol: number, payload: Buffer): string {
  const name = NAMES.get(protocol) ?? `protocol 0x${protocol.toString(16).padStart(4, "0")}`;
  const packet = protocol >= Protocol.ipcp ? parseCpPacket(payload) : undefined;
  if (packet === undefined || !packet.ok) return name;
  return `${name} ${codeName(protocol, packet.value.code)} id ${packet.value.identifier}`;
}

function codeName(protocol: number, code: number): string {
  const codes: Readonly<Record<string, number>> =
    protocol === Protocol.chap ? ChapCode : protocol === Protocol.pap ? PapCode : CpCode;
  const [name] = Object.entries(codes).find(([, number]) => number === code) ?? [];
  return name === undefined ? `code ${code}` : hyphenated(name);
}

/** `configureRequest`: `Configure-Request`. */
function hyphenated(name: string): string {
  const words = name.replaceAll(/[A-Z]/g, (letter) => `-${letter}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `start-control-connection-request`: `Start-Control-Connection-Request`. */
function titled(type: string): string {
  return type.replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
