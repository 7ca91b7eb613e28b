/** The Internet checksum: RFC 1071, and its repair after a change: RFC 1624. */

import type { Ipv4 } from "../../../appliance/wire/ipv4.ts";

/** The sum of big-endian 16-bit words, not folded; an odd last byte counts as if a zero followed. */
export function sum16(bytes: Buffer, start = 0, end = bytes.length): number {
  let sum = 0;
  for (let at = start; at + 1 < end; at += 2) sum += bytes.readUInt16BE(at);
  return (end - start) % 2 === 0 ? sum : sum + bytes.readUInt8(end - 1) * 256;
}

/** The checksum of what has this sum. */
export function onesComplement(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/**
 * Writes `change` at `at` and repairs the checksum at `checksumAt` by the difference alone: what was damaged before stays
 * damaged, as behind a real router. Both places count from `start`, where the words of the sum begin.
 */
export function patch(bytes: Buffer, start: number, at: number, change: Buffer, checksumAt: number): void {
  const from = start + at - (at % 2);
  const to = Math.min(bytes.length, start + at + change.length + ((at + change.length) % 2));
  const before = sum16(bytes, from, to);
  change.copy(bytes, start + at);
  adjust(bytes, start + checksumAt, before, sum16(bytes, from, to));
}

/** Repairs the checksum at `at` after words with the sum `before` became words with the sum `after`. */
export function adjust(bytes: Buffer, at: number, before: number, after: number): void {
  const sum = (~bytes.readUInt16BE(at) & 0xffff) + (~fold(before) & 0xffff) + after;
  bytes.writeUInt16BE(onesComplement(sum), at);
}

/** What an address adds to the sum of a pseudo header. */
export function addressSum(address: Ipv4): number {
  return (address >>> 16) + (address & 0xffff);
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}
