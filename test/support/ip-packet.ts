/** IP packets of a given size whose payload is a number, so that what comes out of a tunnel can be told from garbage. */
import { Ipv4 } from "../../appliance/wire/ipv4.ts";

/** `length` counts the 20-byte header, and is at least that. */
export function ipv4Packet(length: number, number: number, source = Ipv4(0x0a000001), destination = Ipv4(0x0a000002)) {
  const packet = filled(length, 20, number);
  packet.writeUInt16BE(0x4500, 0);
  packet.writeUInt16BE(length, 2);
  packet.writeUInt16BE(0x4011, 8);
  packet.writeUInt32BE(source, 12);
  packet.writeUInt32BE(destination, 16);
  return packet;
}

/** `length` counts the 40-byte header, and is at least that. */
export function ipv6Packet(length: number, number: number): Buffer {
  const packet = filled(length, 40, number);
  packet.writeUInt32BE(0x60000000, 0);
  packet.writeUInt16BE(length - 40, 4);
  packet.writeUInt16BE(0x3aff, 6);
  packet.writeUInt16BE(0xfe80, 8);
  packet.writeUInt16BE(0xff02, 24);
  return packet;
}

function filled(length: number, headerBytes: number, number: number): Buffer {
  const packet = Buffer.alloc(length);
  for (let at = headerBytes; at + 4 <= length; at += 4) packet.writeUInt32BE(number >>> 0, at);
  return packet;
}
