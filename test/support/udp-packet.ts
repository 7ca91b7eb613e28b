/** IPv4/UDP packets as a host on the far side of a tunnel would send them. */
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";

export interface UdpPacket {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Buffer;
}

const IP_BYTES = 20;
const UDP_BYTES = 8;

/** The UDP checksum is left out, as IPv4 allows (RFC 768). */
export function emitUdp(packet: UdpPacket): Buffer {
  const { source, destination, sourcePort, destinationPort, payload } = packet;
  const bytes = Buffer.alloc(IP_BYTES + UDP_BYTES + payload.length);
  bytes[0] = 0x45;
  bytes.writeUInt16BE(bytes.length, 2);
  bytes[8] = 64;
  bytes[9] = 17;
  bytes.writeUInt32BE(source, 12);
  bytes.writeUInt32BE(destination, 16);
  bytes.writeUInt16BE(checksum(bytes.subarray(0, IP_BYTES)), 10);
  bytes.writeUInt16BE(sourcePort, IP_BYTES);
  bytes.writeUInt16BE(destinationPort, IP_BYTES + 2);
  bytes.writeUInt16BE(UDP_BYTES + payload.length, IP_BYTES + 4);
  payload.copy(bytes, IP_BYTES + UDP_BYTES);
  return bytes;
}

/** The text a UDP packet without IP options carries; undefined when it is another protocol. */
export function udpText(packet: Buffer): string | undefined {
  return packet[9] === 17 ? packet.toString("latin1", IP_BYTES + UDP_BYTES) : undefined;
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
