/** The IPv4 and TCP headers that a trace puts before what the sockets carried: RFC 791 §3.1, RFC 9293 §3.1. */
import type { Ipv4 } from "../wire/ipv4.ts";

export const PROTOCOL_GRE = 47;
const PROTOCOL_TCP = 6;
const IPV4_HEADER = 20;
const TCP_HEADER = 20;
const PUSH_ACK = 0x18;
const TTL = 64;
/** For a port that the kernel chose and did not tell. */
const UNKNOWN_PORT = 49_152;

/** The header before `payloadBytes` of this protocol; don't-fragment, as tunnels send. */
export function emitIpv4(source: Ipv4, destination: Ipv4, protocol: number, payloadBytes: number): Buffer {
  const header = Buffer.alloc(IPV4_HEADER);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(IPV4_HEADER + payloadBytes, 2);
  header.writeUInt16BE(0x4000, 6);
  header.writeUInt8(TTL, 8);
  header.writeUInt8(protocol, 9);
  header.writeUInt32BE(source, 12);
  header.writeUInt32BE(destination, 16);
  header.writeUInt16BE(checksum([header]), 10);
  return header;
}

export interface TcpEnds {
  readonly local: Ipv4;
  readonly peer: Ipv4;
  /** 0 when it is not known. */
  readonly localPort: number;
  readonly peerPort: number;
}

/** One connection: every piece of its streams as a segment with the numbers that it would have. */
export class TcpStream {
  readonly #ends: TcpEnds;
  #sent = 1;
  #received = 1;

  constructor(ends: TcpEnds) {
    this.#ends = ends;
  }

  segment(direction: "in" | "out", bytes: Buffer): Buffer {
    const { local, peer, localPort, peerPort } = this.#ends;
    const isOut = direction === "out";
    const [source, destination] = isOut ? [local, peer] : [peer, local];
    const [from, to] = isOut ? [localPort, peerPort] : [peerPort, localPort];
    const tcp = Buffer.alloc(TCP_HEADER);
    tcp.writeUInt16BE(from === 0 ? UNKNOWN_PORT : from, 0);
    tcp.writeUInt16BE(to === 0 ? UNKNOWN_PORT : to, 2);
    tcp.writeUInt32BE((isOut ? this.#sent : this.#received) >>> 0, 4);
    tcp.writeUInt32BE((isOut ? this.#received : this.#sent) >>> 0, 8);
    tcp.writeUInt8((TCP_HEADER / 4) << 4, 12);
    tcp.writeUInt8(PUSH_ACK, 13);
    tcp.writeUInt16BE(0xffff, 14);
    const ip = emitIpv4(source, destination, PROTOCOL_TCP, TCP_HEADER + bytes.length);
    const pseudoHeader = Buffer.alloc(12);
    ip.copy(pseudoHeader, 0, 12, 20);
    pseudoHeader.writeUInt8(PROTOCOL_TCP, 9);
    pseudoHeader.writeUInt16BE(TCP_HEADER + bytes.length, 10);
    tcp.writeUInt16BE(checksum([pseudoHeader, tcp, bytes]), 16);
    this.skip(direction, bytes.length);
    return Buffer.concat([ip, tcp, bytes]);
  }

  /** So many bytes passed unseen. */
  skip(direction: "in" | "out", count: number): void {
    if (direction === "out") this.#sent += count;
    else this.#received += count;
  }
}

/** RFC 1071 over parts of even length, but for the last. */
function checksum(parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at + 1 < part.length; at += 2) sum += part.readUInt16BE(at);
    if (part.length % 2 === 1) sum += part.readUInt8(part.length - 1) * 256;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
