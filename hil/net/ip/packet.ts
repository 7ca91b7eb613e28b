/** IPv4 packets: RFC 791 §3.1, and how they are cut into fragments: §3.2. */
import { fault, type Parsed } from "../../../appliance/wire/cursor.ts";
import { Ipv4, isIpv4Packet } from "../../../appliance/wire/ipv4.ts";
import { onesComplement, sum16 } from "./checksum.ts";

export const IpProtocol = { icmp: 1, tcp: 6, udp: 17, gre: 47 } as const;
export const BROADCAST = Ipv4(0xffff_ffff);
export const UNSPECIFIED = Ipv4(0);

const HEADER_BYTES = 20;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

export interface Ipv4Packet {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly protocol: number;
  readonly ttl: number;
  readonly typeOfService: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Where the payload belongs in the whole packet's, in bytes. */
  readonly fragmentOffset: number;
  /** Raw, whole words. */
  readonly options: Buffer;
  readonly payload: Buffer;
}

/** `bytes` may end with Ethernet's padding. A header whose checksum is wrong is a `bad-value`. The payload is a view. */
export function parseIpv4Packet(bytes: Buffer): Parsed<Ipv4Packet> {
  if (!isIpv4Packet(bytes, 0, bytes.length)) return fault("bad-length");
  const headerBytes = (bytes.readUInt8(0) & 15) * 4;
  if (onesComplement(sum16(bytes, 0, headerBytes)) !== 0) return fault("bad-value");
  const flags = bytes.readUInt16BE(6);
  return {
    ok: true,
    value: {
      source: Ipv4(bytes.readUInt32BE(12)),
      destination: Ipv4(bytes.readUInt32BE(16)),
      protocol: bytes.readUInt8(9),
      ttl: bytes.readUInt8(8),
      typeOfService: bytes.readUInt8(1),
      identification: bytes.readUInt16BE(4),
      dontFragment: (flags & DONT_FRAGMENT) !== 0,
      moreFragments: (flags & MORE_FRAGMENTS) !== 0,
      fragmentOffset: (flags & 0x1fff) * 8,
      options: bytes.subarray(HEADER_BYTES, headerBytes),
      payload: bytes.subarray(headerBytes, bytes.readUInt16BE(2)),
    },
  };
}

export function emitIpv4Packet(packet: Ipv4Packet): Buffer {
  const headerBytes = headerBytesOf(packet);
  const bytes = Buffer.alloc(headerBytes + packet.payload.length);
  bytes.writeUInt8(0x40 | (headerBytes / 4), 0);
  bytes.writeUInt8(packet.typeOfService, 1);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt16BE(packet.identification, 4);
  const flags = (packet.dontFragment ? DONT_FRAGMENT : 0) | (packet.moreFragments ? MORE_FRAGMENTS : 0);
  bytes.writeUInt16BE(flags | (packet.fragmentOffset / 8), 6);
  bytes.writeUInt8(packet.ttl, 8);
  bytes.writeUInt8(packet.protocol, 9);
  bytes.writeUInt32BE(packet.source, 12);
  bytes.writeUInt32BE(packet.destination, 16);
  packet.options.copy(bytes, HEADER_BYTES);
  packet.payload.copy(bytes, headerBytes);
  bytes.writeUInt16BE(onesComplement(sum16(bytes, 0, headerBytes)), 10);
  return bytes;
}

function headerBytesOf({ options }: Ipv4Packet): number {
  return HEADER_BYTES + options.length;
}

/** Header and payload. */
export function packetBytes(packet: Ipv4Packet): number {
  return headerBytesOf(packet) + packet.payload.length;
}

export function isFragment({ moreFragments, fragmentOffset }: Ipv4Packet): boolean {
  return moreFragments || fragmentOffset > 0;
}

/** The packet in pieces that fit `mtu`; options are in each of them. Its own fragments can be cut again. */
export function cutIntoFragments(packet: Ipv4Packet, mtu: number): Ipv4Packet[] {
  if (packetBytes(packet) <= mtu) return [packet];
  const room = Math.max(8, Math.floor((mtu - headerBytesOf(packet)) / 8) * 8);
  const pieces: Ipv4Packet[] = [];
  for (let at = 0; at < packet.payload.length; at += room) {
    const payload = packet.payload.subarray(at, at + room);
    const isLast = at + room >= packet.payload.length;
    pieces.push({
      ...packet,
      payload,
      fragmentOffset: packet.fragmentOffset + at,
      moreFragments: packet.moreFragments || !isLast,
    });
  }
  return pieces;
}
