/** Ranges of addresses: what lies in a network, and what overlaps. */
import type { Ipv4Prefix } from "../ports.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";

/** Addresses from `first` to `last`, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

export function rangeIn({ address, length }: Ipv4Prefix): Range {
  const size = 2 ** (32 - length);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}
/** The host addresses of a network: all of it for /31 and /32 (RFC 3021). */
function hostsIn(prefix: Ipv4Prefix): Range {
  const { first, last } = rangeIn(prefix);
  return prefix.length >= 31 ? { first, last } : { first: first + 1, last: last - 1 };
}
export function contains({ first, last }: Range, address: number): boolean {
  return first <= address && address <= last;
}
export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}
export function isInside(range: Range, prefix: Ipv4Prefix): boolean {
  const hosts = hostsIn(prefix);
  return contains(hosts, range.first) && contains(hosts, range.last);
}
export function isHostIn(prefix: Ipv4Prefix, address: Ipv4): boolean {
  return contains(hostsIn(prefix), address);
}
export function rangeOf(prefix: Ipv4Prefix): string {
  return showRange(hostsIn(prefix));
}
export function showRange({ first, last }: Range): string {
  const end = Math.min(last, 0xffffffff);
  return `${formatIpv4(first as Ipv4)} to ${formatIpv4(end as Ipv4)}`;
}
