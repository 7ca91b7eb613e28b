/** LCP Configuration Options: RFC 1661 §6, RFC 1570 §2.3 (Callback), RFC 1990 §5 (multilink). */
import type { RawOption } from "./cp-packet.ts";

/** CHAP algorithms of the Authentication-Protocol option: RFC 1994 §3, RFC 2433 §4, RFC 2759 §2. */
export const ChapAlgorithm = { md5: 0x05, mschapV1: 0x80, mschapV2: 0x81 } as const;

export type LcpOption =
  | { readonly kind: "mru"; readonly mru: number }
  | { readonly kind: "accm"; readonly map: number }
  /** `data` follows the protocol: the CHAP algorithm, for one. */
  | { readonly kind: "authentication"; readonly protocol: number; readonly data: Buffer }
  | { readonly kind: "magic"; readonly magic: number }
  | { readonly kind: "pfc" }
  | { readonly kind: "acfc" }
  | { readonly kind: "callback"; readonly operation: number; readonly message: Buffer }
  | { readonly kind: "mrru"; readonly mrru: number }
  | { readonly kind: "endpoint"; readonly class: number; readonly address: Buffer }
  /** A type we do not know, or one whose length is wrong: it survives as bytes, for a Configure-Reject must echo it. */
  | { readonly kind: "unknown"; readonly type: number; readonly data: Buffer };

const TYPE = { mru: 1, accm: 2, authentication: 3, magic: 5, pfc: 7, acfc: 8, callback: 13, mrru: 17, endpoint: 19 };

export function parseLcpOption({ type, data }: RawOption): LcpOption {
  const length = data.length;
  if (type === TYPE.mru && length === 2) return { kind: "mru", mru: data.readUInt16BE() };
  if (type === TYPE.accm && length === 4) return { kind: "accm", map: data.readUInt32BE() };
  if (type === TYPE.authentication && length >= 2)
    return { kind: "authentication", protocol: data.readUInt16BE(), data: data.subarray(2) };
  if (type === TYPE.magic && length === 4) return { kind: "magic", magic: data.readUInt32BE() };
  if (type === TYPE.pfc && length === 0) return { kind: "pfc" };
  if (type === TYPE.acfc && length === 0) return { kind: "acfc" };
  if (type === TYPE.callback && length >= 1)
    return { kind: "callback", operation: data.readUInt8(), message: data.subarray(1) };
  if (type === TYPE.mrru && length === 2) return { kind: "mrru", mrru: data.readUInt16BE() };
  if (type === TYPE.endpoint && length >= 1)
    return { kind: "endpoint", class: data.readUInt8(), address: data.subarray(1) };
  return { kind: "unknown", type, data };
}

export function emitLcpOption(option: LcpOption): RawOption {
  switch (option.kind) {
    case "mru":
      return { type: TYPE.mru, data: u16(option.mru) };
    case "accm":
      return { type: TYPE.accm, data: u32(option.map) };
    case "authentication":
      return { type: TYPE.authentication, data: Buffer.concat([u16(option.protocol), option.data]) };
    case "magic":
      return { type: TYPE.magic, data: u32(option.magic) };
    case "pfc":
      return { type: TYPE.pfc, data: Buffer.alloc(0) };
    case "acfc":
      return { type: TYPE.acfc, data: Buffer.alloc(0) };
    case "callback":
      return { type: TYPE.callback, data: Buffer.concat([Buffer.from([option.operation]), option.message]) };
    case "mrru":
      return { type: TYPE.mrru, data: u16(option.mrru) };
    case "endpoint":
      return { type: TYPE.endpoint, data: Buffer.concat([Buffer.from([option.class]), option.address]) };
    case "unknown":
      return { type: option.type, data: option.data };
  }
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value & 0xffff);
  return bytes;
}
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
