/** What an Ethernet frame carries, as far as PPTP is concerned: IPv4 with TCP, or with GRE, PPP and its control protocols. */
import { type CpPacket, parseCpPacket } from "../../appliance/wire/cp-packet.ts";
import { type GrePacket, parseGre } from "../../appliance/wire/gre.ts";
import { type PppFrame, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { onesComplement, sum16 } from "./ip/checksum.ts";

export interface TcpSegment {
  /** `address:port`, the flow's name from here to there. */
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly isSyn: boolean;
  readonly payload: Buffer;
}

/** Undefined is what the frame does not carry, or carries too damaged to read. Payloads are views into the frame. */
export interface Dissection {
  readonly tcp: TcpSegment | undefined;
  readonly gre: GrePacket | undefined;
  readonly ppp: PppFrame | undefined;
  /** A packet of LCP, an NCP, CCP, CBCP, PAP or CHAP: code, identifier, data. */
  readonly cp: CpPacket | undefined;
}

const NOTHING: Dissection = { tcp: undefined, gre: undefined, ppp: undefined, cp: undefined };
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
const PROTOCOL_GRE = 47;
const TCP_SYN = 0x02;
/** Everything from IPCP up speaks in packets of RFC 1661 §5; what is below carries data. */
export const FIRST_CONTROL_PROTOCOL = 0x8000;

/** Reads any bytes, and never throws. Fragments are read no farther than IPv4: the link puts them together first. */
export function dissect(frame: Buffer): Dissection {
  const ip = ipv4Of(frame);
  if (ip === undefined) return NOTHING;
  if (ip.protocol === PROTOCOL_TCP) return { ...NOTHING, tcp: tcpOf(frame, ip) };
  if (ip.protocol !== PROTOCOL_GRE) return NOTHING;
  const gre = ifParsed(parseGre(frame.subarray(ip.payloadAt, ip.end)));
  const ppp = gre === undefined ? undefined : ifParsed(parsePppFrame(gre.payload));
  const isControl = ppp !== undefined && ppp.protocol >= FIRST_CONTROL_PROTOCOL;
  return { tcp: undefined, gre, ppp, cp: isControl ? ifParsed(parseCpPacket(ppp.payload)) : undefined };
}

/** Computes the checksums of the IPv4 header and of TCP anew, in place, for a frame whose content was changed. */
export function repairChecksums(frame: Buffer): void {
  const ip = ipv4Of(frame);
  if (ip === undefined) return;
  frame.writeUInt16BE(0, ip.at + 10);
  frame.writeUInt16BE(onesComplement(sum16(frame, ip.at, ip.payloadAt)), ip.at + 10);
  if (ip.protocol !== PROTOCOL_TCP || ip.end - ip.payloadAt < 20) return;
  const pseudoHeader = sum16(frame, ip.at + 12, ip.at + 20) + PROTOCOL_TCP + (ip.end - ip.payloadAt);
  frame.writeUInt16BE(0, ip.payloadAt + 16);
  frame.writeUInt16BE(onesComplement(pseudoHeader + sum16(frame, ip.payloadAt, ip.end)), ip.payloadAt + 16);
}

interface Ipv4Packet {
  readonly at: number;
  readonly payloadAt: number;
  readonly end: number;
  readonly protocol: number;
}

/** A whole IPv4 packet; behind its end there may be Ethernet's padding. */
function ipv4Of(frame: Buffer): Ipv4Packet | undefined {
  const at = 14;
  if (frame.length < at + 20 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
  const versionAndLength = frame.readUInt8(at);
  const payloadAt = at + (versionAndLength & 15) * 4;
  const end = at + frame.readUInt16BE(at + 2);
  const isFragment = (frame.readUInt16BE(at + 6) & 0x3fff) !== 0;
  if (versionAndLength >>> 4 !== 4 || payloadAt < at + 20 || payloadAt > end || end > frame.length || isFragment)
    return undefined;
  return { at, payloadAt, end, protocol: frame.readUInt8(at + 9) };
}

function tcpOf(frame: Buffer, { at, payloadAt, end }: Ipv4Packet): TcpSegment | undefined {
  if (end - payloadAt < 20) return undefined;
  const dataAt = payloadAt + (frame.readUInt8(payloadAt + 12) >>> 4) * 4;
  if (dataAt < payloadAt + 20 || dataAt > end) return undefined;
  const sourcePort = frame.readUInt16BE(payloadAt);
  const destinationPort = frame.readUInt16BE(payloadAt + 2);
  return {
    source: `${frame.subarray(at + 12, at + 16).join(".")}:${sourcePort}`,
    destination: `${frame.subarray(at + 16, at + 20).join(".")}:${destinationPort}`,
    sourcePort,
    destinationPort,
    sequence: frame.readUInt32BE(payloadAt + 4),
    isSyn: (frame.readUInt8(payloadAt + 13) & TCP_SYN) !== 0,
    payload: frame.subarray(dataAt, end),
  };
}

function ifParsed<T>(parsed: { readonly ok: true; readonly value: T } | { readonly ok: false }): T | undefined {
  return parsed.ok ? parsed.value : undefined;
}
