/** IPv4 addresses and the header fields the data path looks at: RFC 791 §3.1. */

/** An IPv4 address in host order. */
export type Ipv4 = number & { readonly ipv4: true };
export function Ipv4(value: number): Ipv4 {
  return (value >>> 0) as Ipv4;
}

/** `undefined` unless `text` is four decimal octets without leading zeros (which some read as octal). */
export function parseIpv4(text: string): Ipv4 | undefined {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255) return undefined;
    value = value * 256 + Number(octet);
  }
  return Ipv4(value);
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

const MINIMUM_HEADER_BYTES = 20;

/**
 * Whether `bytes[start..end)` can be one whole IPv4 packet: version, header length and total length agree with what is
 * there. Cheap enough for every packet, and the first thing that fails when a decryption key is wrong.
 */
export function isIpv4Packet(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < MINIMUM_HEADER_BYTES) return false;
  const versionAndLength = bytes[start] ?? 0;
  const headerBytes = (versionAndLength & 15) * 4;
  const totalLength = bytes.readUInt16BE(start + 2);
  return (
    versionAndLength >>> 4 === 4 &&
    headerBytes >= MINIMUM_HEADER_BYTES &&
    headerBytes <= totalLength &&
    totalLength <= end - start
  );
}

const IPV6_HEADER_BYTES = 40;

/** The same for IPv6: RFC 8200 §3. */
export function isIpv6Packet(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < IPV6_HEADER_BYTES) return false;
  return (bytes[start] ?? 0) >>> 4 === 6 && bytes.readUInt16BE(start + 4) + IPV6_HEADER_BYTES <= end - start;
}

/** The source address of a packet that `isIpv4Packet` accepted. */
export function ipv4Source(bytes: Buffer, start: number): Ipv4 {
  return Ipv4(bytes.readUInt32BE(start + 12));
}
