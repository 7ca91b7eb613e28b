/** IPV6CP Configuration Options: RFC 5072 §4. */
import type { RawOption } from "./cp-packet.ts";

export type Ipv6cpOption =
  /** Eight bytes: the low half of the link-local address. All zero asks the peer to name one. */
  | { readonly kind: "interface-identifier"; readonly identifier: Buffer }
  | { readonly kind: "unknown"; readonly type: number; readonly data: Buffer };

const INTERFACE_IDENTIFIER = 1;

export function parseIpv6cpOption({ type, data }: RawOption): Ipv6cpOption {
  if (type === INTERFACE_IDENTIFIER && data.length === 8) return { kind: "interface-identifier", identifier: data };
  return { kind: "unknown", type, data };
}

export function emitIpv6cpOption(option: Ipv6cpOption): RawOption {
  return option.kind === "unknown"
    ? { type: option.type, data: option.data }
    : { type: INTERFACE_IDENTIFIER, data: option.identifier };
}
