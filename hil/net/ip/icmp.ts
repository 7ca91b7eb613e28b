/** ICMP messages: RFC 792. */
import { fault, type Parsed } from "../../../appliance/wire/cursor.ts";
import { onesComplement, sum16 } from "./checksum.ts";
import { BROADCAST, emitIpv4Packet, IpProtocol, type Ipv4Packet, UNSPECIFIED } from "./packet.ts";

export const IcmpType = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameter: 12,
} as const;
export const Unreachable = { network: 0, host: 1, protocol: 2, port: 3, fragmentationNeeded: 4 } as const;

const HEADER_BYTES = 8;
/** RFC 1812 §4.3.2.3: as much of the packet as fits an error of 576 bytes. */
const QUOTED_BYTES = 576 - 20 - HEADER_BYTES;

export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** The four bytes behind the checksum: identifier and sequence number of an echo, the next hop's MTU. */
  readonly rest: number;
  readonly data: Buffer;
}

/** A wrong checksum is a `bad-value`. The data is a view. */
export function parseIcmp(bytes: Buffer): Parsed<IcmpMessage> {
  if (bytes.length < HEADER_BYTES) return fault("short");
  if (onesComplement(sum16(bytes)) !== 0) return fault("bad-value");
  return {
    ok: true,
    value: {
      type: bytes.readUInt8(0),
      code: bytes.readUInt8(1),
      rest: bytes.readUInt32BE(4),
      data: bytes.subarray(HEADER_BYTES),
    },
  };
}

export function emitIcmp({ type, code, rest, data }: IcmpMessage): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + data.length);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(code, 1);
  bytes.writeUInt32BE(rest, 4);
  data.copy(bytes, HEADER_BYTES);
  bytes.writeUInt16BE(onesComplement(sum16(bytes)), 2);
  return bytes;
}

/** Errors quote the packet that they are about. */
export function isIcmpError(type: number): boolean {
  return (
    type === IcmpType.unreachable ||
    type === IcmpType.redirect ||
    type === IcmpType.timeExceeded ||
    type === IcmpType.parameter
  );
}

/** Undefined for what no error may be sent about: RFC 1122 §3.2.2. `mtu` is for `fragmentationNeeded`: RFC 1191 §4. */
export function errorAbout(packet: Ipv4Packet, type: number, code: number, mtu = 0): IcmpMessage | undefined {
  const { source, destination, protocol, payload, fragmentOffset } = packet;
  const isGroup = destination >>> 28 === 14 || destination === BROADCAST;
  const isFromNobody = source === UNSPECIFIED || source >>> 28 >= 14 || source >>> 24 === 127;
  if (fragmentOffset > 0 || isGroup || isFromNobody) return undefined;
  if (protocol === IpProtocol.icmp && (payload.length === 0 || isIcmpError(payload.readUInt8(0)))) return undefined;
  return { type, code, rest: mtu, data: emitIpv4Packet(packet).subarray(0, QUOTED_BYTES) };
}
