/** IPCP Configuration Options: RFC 1332 §3 and RFC 1877 §1 (name servers). */
import type { RawOption } from "./cp-packet.ts";
import { Ipv4 } from "./ipv4.ts";

/** Options that are one IPv4 address; 0.0.0.0 asks the peer to name it by Configure-Nak. */
export type IpcpAddressKind = "address" | "primary-dns" | "primary-nbns" | "secondary-dns" | "secondary-nbns";

export type IpcpOption =
  | { readonly kind: IpcpAddressKind; readonly address: Ipv4 }
  | { readonly kind: "compression"; readonly protocol: number; readonly data: Buffer }
  | { readonly kind: "unknown"; readonly type: number; readonly data: Buffer };

const COMPRESSION = 2;
const ADDRESS_TYPE: Readonly<Record<IpcpAddressKind, number>> = {
  address: 3,
  "primary-dns": 129,
  "primary-nbns": 130,
  "secondary-dns": 131,
  "secondary-nbns": 132,
};
const KIND_OF_TYPE = new Map(Object.entries(ADDRESS_TYPE).map(([kind, type]) => [type, kind as IpcpAddressKind]));

export function parseIpcpOption({ type, data }: RawOption): IpcpOption {
  const kind = KIND_OF_TYPE.get(type);
  if (kind !== undefined && data.length === 4) return { kind, address: Ipv4(data.readUInt32BE()) };
  if (type === COMPRESSION && data.length >= 2)
    return { kind: "compression", protocol: data.readUInt16BE(), data: data.subarray(2) };
  return { kind: "unknown", type, data };
}

export function emitIpcpOption(option: IpcpOption): RawOption {
  if (option.kind === "unknown") return { type: option.type, data: option.data };
  if (option.kind === "compression") {
    const protocol = Buffer.alloc(2);
    protocol.writeUInt16BE(option.protocol);
    return { type: COMPRESSION, data: Buffer.concat([protocol, option.data]) };
  }
  const data = Buffer.alloc(4);
  data.writeUInt32BE(option.address);
  return { type: ADDRESS_TYPE[option.kind], data };
}
