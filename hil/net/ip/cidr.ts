/** An address with the length of its network's prefix: `192.168.1.1/24`. */
import { formatIpv4, Ipv4, parseIpv4 } from "../../../appliance/wire/ipv4.ts";

export interface Cidr {
  readonly address: Ipv4;
  readonly prefixLength: number;
}

/** Throws a RangeError that quotes `text`. */
export function parseCidr(text: string): Cidr {
  const [address = "", length = "", ...rest] = text.split("/");
  const parsed = parseIpv4(address);
  if (parsed === undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32 || rest.length > 0) {
    throw new RangeError(`"${text}": give an IPv4 address and a prefix length, like 192.168.1.1/24`);
  }
  return { address: parsed, prefixLength: Number(length) };
}

/** Throws a RangeError that quotes `text`. */
export function ipv4Of(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new RangeError(`"${text}": give an IPv4 address, like 192.168.1.1`);
  return address;
}

export function netmask(prefixLength: number): Ipv4 {
  return Ipv4(prefixLength === 0 ? 0 : 0xffff_ffff << (32 - prefixLength));
}

export function contains({ address, prefixLength }: Cidr, other: Ipv4): boolean {
  const mask = netmask(prefixLength);
  return (address & mask) === (other & mask);
}

/** The address of all hosts of the network. A network of 31 or 32 bits has none: RFC 3021. */
export function broadcastOf({ address, prefixLength }: Cidr): Ipv4 | undefined {
  return prefixLength > 30 ? undefined : Ipv4(address | ~netmask(prefixLength));
}

export function formatCidr({ address, prefixLength }: Cidr): string {
  return `${formatIpv4(address)}/${prefixLength}`;
}

/** `203.0.113.7:1723`, for notes. */
export function endpointText(address: Ipv4, port: number): string {
  return `${formatIpv4(address)}:${port}`;
}
