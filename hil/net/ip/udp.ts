/** UDP datagrams: RFC 768. */
import { fault, type Parsed } from "../../../appliance/wire/cursor.ts";
import type { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { addressSum, onesComplement, sum16 } from "./checksum.ts";
import { IpProtocol, type Ipv4Packet } from "./packet.ts";

const HEADER_BYTES = 8;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Buffer;
}

/** A checksum of 0 means that there is none; a wrong one is a `bad-value`. The payload is a view. */
export function parseUdp({ source, destination, payload }: Ipv4Packet): Parsed<UdpDatagram> {
  if (payload.length < HEADER_BYTES) return fault("short");
  const length = payload.readUInt16BE(4);
  if (length < HEADER_BYTES || length > payload.length) return fault("bad-length");
  const datagram = payload.subarray(0, length);
  const hasChecksum = datagram.readUInt16BE(6) !== 0;
  if (hasChecksum && onesComplement(pseudoHeader(source, destination, length) + sum16(datagram)) !== 0) {
    return fault("bad-value");
  }
  return {
    ok: true,
    value: {
      sourcePort: datagram.readUInt16BE(0),
      destinationPort: datagram.readUInt16BE(2),
      payload: datagram.subarray(HEADER_BYTES),
    },
  };
}

/** An IPv4 packet's payload, with its checksum. */
export function emitUdp(source: Ipv4, destination: Ipv4, datagram: UdpDatagram): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + datagram.payload.length);
  bytes.writeUInt16BE(datagram.sourcePort, 0);
  bytes.writeUInt16BE(datagram.destinationPort, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  datagram.payload.copy(bytes, HEADER_BYTES);
  const checksum = onesComplement(pseudoHeader(source, destination, bytes.length) + sum16(bytes));
  bytes.writeUInt16BE(checksum === 0 ? 0xffff : checksum, 6);
  return bytes;
}

function pseudoHeader(source: Ipv4, destination: Ipv4, length: number): number {
  return addressSum(source) + addressSum(destination) + IpProtocol.udp + length;
}
