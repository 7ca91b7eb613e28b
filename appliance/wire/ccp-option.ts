/** CCP Configuration Options: RFC 1962 §4, of which PPTP knows one, Microsoft's (RFC 2118 §2, RFC 3078 §2). */
import type { RawOption } from "./cp-packet.ts";

export type CcpOption =
  | { readonly kind: "mppe"; readonly bits: number }
  | { readonly kind: "unknown"; readonly type: number; readonly data: Buffer };

/** Supported Bits: RFC 3078 §2.1, MPPC's own from RFC 2118 §2. */
export const MppeBit = {
  /** H: stateless mode. */
  stateless: 0x01000000,
  /** M: 56-bit keys. */
  strength56: 0x00000080,
  /** S: 128-bit keys. */
  strength128: 0x00000040,
  /** L: 40-bit keys. */
  strength40: 0x00000020,
  /** D: obsolete. */
  obsolete: 0x00000010,
  /** C: MPPC compression. */
  mppc: 0x00000001,
} as const;

const MPPE = 18;

export function parseCcpOption({ type, data }: RawOption): CcpOption {
  if (type === MPPE && data.length === 4) return { kind: "mppe", bits: data.readUInt32BE() };
  return { kind: "unknown", type, data };
}

export function emitCcpOption(option: CcpOption): RawOption {
  if (option.kind === "unknown") return { type: option.type, data: option.data };
  const data = Buffer.alloc(4);
  data.writeUInt32BE(option.bits >>> 0);
  return { type: MPPE, data };
}
