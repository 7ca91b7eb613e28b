/** Changes an endpoint of a packet, and of the packet that an ICMP error quotes, with all checksums that depend on it. */
import type { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { addressSum, adjust, patch, sum16 } from "../ip/checksum.ts";
import { IcmpType, isIcmpError } from "../ip/icmp.ts";
import { IpProtocol, type Ipv4Packet } from "../ip/packet.ts";
import type { Endpoint, NatProtocol } from "./nat-table.ts";

type Side = "source" | "destination";

interface Transport {
  readonly protocol: NatProtocol;
  readonly shortest: number;
  readonly checksumAt: number;
  /** Whether addresses are part of the sum. */
  readonly hasPseudoHeader: boolean;
}

const TRANSPORTS: ReadonlyMap<number, Transport> = new Map([
  [IpProtocol.tcp, { protocol: "tcp", shortest: 20, checksumAt: 16, hasPseudoHeader: true }],
  [IpProtocol.udp, { protocol: "udp", shortest: 8, checksumAt: 6, hasPseudoHeader: true }],
  [IpProtocol.icmp, { protocol: "icmp", shortest: 8, checksumAt: 2, hasPseudoHeader: false }],
]);
const ICMP_HEADER_BYTES = 8;
const ICMP_IDENTIFIER_AT = 4;
const SHORTEST_QUOTE = 28;

/** The ports of a packet; an echo's identifier is the port of both. */
export interface Flow {
  readonly protocol: NatProtocol;
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** Undefined for what has no ports: other protocols, other ICMP messages than echo, what is too short. */
export function flowOf({ protocol, source, destination, payload }: Ipv4Packet): Flow | undefined {
  const transport = TRANSPORTS.get(protocol);
  if (transport === undefined || payload.length < transport.shortest) return undefined;
  if (transport.protocol === "icmp" && !isEcho(payload.readUInt8(0))) return undefined;
  const [sourceAt, destinationAt] = [portAt(transport, "source"), portAt(transport, "destination")];
  return {
    protocol: transport.protocol,
    source: { address: source, port: payload.readUInt16BE(sourceAt) },
    destination: { address: destination, port: payload.readUInt16BE(destinationAt) },
  };
}

/** A packet of a flow with another source or destination. Its bytes are a copy. */
export function withEndpoint(packet: Ipv4Packet, side: Side, { address, port }: Endpoint): Ipv4Packet {
  const transport = TRANSPORTS.get(packet.protocol);
  const payload = Buffer.from(packet.payload);
  if (transport !== undefined) {
    const { checksumAt, hasPseudoHeader, protocol } = transport;
    const hasChecksum = protocol !== "udp" || payload.readUInt16BE(checksumAt) !== 0;
    const at = portAt(transport, side);
    if (!hasChecksum) word(port).copy(payload, at);
    else {
      patch(payload, 0, at, word(port), checksumAt);
      if (hasPseudoHeader) adjust(payload, checksumAt, addressSum(packet[side]), addressSum(address));
      if (protocol === "udp" && payload.readUInt16BE(checksumAt) === 0) payload.writeUInt16BE(0xffff, checksumAt);
    }
  }
  return { ...packet, [side]: address, payload };
}

/** What an ICMP error says about a packet that was sent: its flow, or for other protocols its addresses. */
export interface Quote {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly ipProtocol: number;
  /** The bytes behind the quoted header, at least eight. */
  readonly payload: Buffer;
  readonly flow: Flow | undefined;
}

export function quoteOf({ protocol, payload }: Ipv4Packet): Quote | undefined {
  if (protocol !== IpProtocol.icmp || payload.length < ICMP_HEADER_BYTES + SHORTEST_QUOTE) return undefined;
  if (!isIcmpError(payload.readUInt8(0))) return undefined;
  const quoted = payload.subarray(ICMP_HEADER_BYTES);
  const headerBytes = (quoted.readUInt8(0) & 15) * 4;
  if (quoted.readUInt8(0) >>> 4 !== 4 || headerBytes < 20 || quoted.length < headerBytes + 8) return undefined;
  const source = quoted.readUInt32BE(12) as Ipv4;
  const destination = quoted.readUInt32BE(16) as Ipv4;
  const ipProtocol = quoted.readUInt8(9);
  const rest = quoted.subarray(headerBytes);
  const transport = TRANSPORTS.get(ipProtocol);
  if (transport === undefined || (transport.protocol === "icmp" && !isEcho(rest.readUInt8(0)))) {
    return { source, destination, ipProtocol, payload: rest, flow: undefined };
  }
  const flow: Flow = {
    protocol: transport.protocol,
    source: { address: source, port: rest.readUInt16BE(portAt(transport, "source")) },
    destination: { address: destination, port: rest.readUInt16BE(portAt(transport, "destination")) },
  };
  return { source, destination, ipProtocol, payload: rest, flow };
}

/**
 * The error with another endpoint in the packet that it quotes; without a port only the address changes. The quote's own
 * checksums are made right too, as far as they are quoted: its sender finds the packet that it sent (RFC 5508 §4.2).
 */
export function withQuotedEndpoint(error: Ipv4Packet, side: Side, address: Ipv4, port: number | undefined): Ipv4Packet {
  const payload = Buffer.from(error.payload);
  const quoted = payload.subarray(ICMP_HEADER_BYTES);
  const before = sum16(quoted);
  const headerBytes = (quoted.readUInt8(0) & 15) * 4;
  const addressAt = side === "source" ? 12 : 16;
  const change = addressSum(address);
  const was = addressSum(quoted.readUInt32BE(addressAt) as Ipv4);
  quoted.writeUInt32BE(address, addressAt);
  adjust(quoted, 10, was, change);
  const transport = TRANSPORTS.get(quoted.readUInt8(9));
  const segment = quoted.subarray(headerBytes);
  if (port !== undefined && transport !== undefined) {
    const at = portAt(transport, side);
    const portBefore = segment.readUInt16BE(at);
    segment.writeUInt16BE(port, at);
    const { checksumAt, hasPseudoHeader, protocol } = transport;
    const isQuoted = segment.length >= checksumAt + 2;
    if (isQuoted && !(protocol === "udp" && segment.readUInt16BE(checksumAt) === 0)) {
      const [pseudoBefore, pseudoAfter] = hasPseudoHeader ? [was, change] : [0, 0];
      adjust(segment, checksumAt, portBefore + pseudoBefore, port + pseudoAfter);
    }
  }
  adjust(payload, 2, before, sum16(quoted));
  return { ...error, payload };
}

function isEcho(type: number): boolean {
  return type === IcmpType.echoRequest || type === IcmpType.echoReply;
}

function portAt({ protocol }: Transport, side: Side): number {
  if (protocol === "icmp") return ICMP_IDENTIFIER_AT;
  return side === "source" ? 0 : 2;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
