/** What a capture of the Internet side shows of a PPTP tunnel: encrypted packets, and anything that should not be readable there. */
import { type GrePacket, parseGre } from "../../appliance/wire/gre.ts";
import type { Capture } from "../../appliance/wire/pcapng.ts";
import { Protocol, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";

export interface TunnelTraffic {
  /** PPP frames that carry MPPE-encrypted data. */
  readonly encrypted: number;
  /** PPP frames of the control protocols (LCP to IPCP). */
  readonly control: number;
  /** What a listener could read: where, and why it is readable. */
  readonly clear: readonly { readonly frame: number; readonly why: string }[];
}

const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_GRE = 47;
/** RFC 3078 §3: bit D of the MPPE header; without it the payload is compressed at most. */
const MPPE_ENCRYPTED = 0x1000;
const DATA: ReadonlySet<number> = new Set([
  Protocol.ipv4,
  Protocol.ipv6,
  Protocol.vjCompressedTcp,
  Protocol.vjUncompressedTcp,
]);

/**
 * `secrets` are bytes of the payload that must appear nowhere in the capture, such as a request line of the transfer.
 * The first `before` frames are left out.
 */
export function inspectTunnel(capture: Capture, secrets: readonly string[], before = 0): TunnelTraffic {
  let encrypted = 0;
  let control = 0;
  const clear: { frame: number; why: string }[] = [];
  for (const [index, { bytes }] of capture.packets.entries()) {
    if (index < before) continue;
    const frame = index + 1; // as Wireshark counts
    for (const secret of secrets) {
      if (bytes.includes(secret)) clear.push({ frame, why: `it contains ${JSON.stringify(secret)}` });
    }
    const ppp = pppFrame(bytes);
    if (ppp === undefined) continue;
    if (ppp.protocol === Protocol.compressed) {
      if (ppp.payload.length >= 2 && ppp.payload.readUInt16BE(0) & MPPE_ENCRYPTED) encrypted++;
      else clear.push({ frame, why: "its MPPE header says that it is not encrypted" });
    } else if (DATA.has(ppp.protocol)) {
      clear.push({ frame, why: `PPP protocol 0x${ppp.protocol.toString(16).padStart(4, "0")} outside MPPE` });
    } else control++;
  }
  return { encrypted, control, clear };
}

export interface PacketOrder {
  /** Packets that left behind a younger one. */
  readonly overtaken: number;
  /** Sequence numbers between the first and the last that never left. */
  readonly missing: number;
}

/**
 * The order in which one sender's GRE data packets left, by their sequence numbers. `side` is the sender's place in the
 * link; all packets behind the first `before` frames must belong to one call.
 */
export function inspectOrder(capture: Capture, side: number, before = 0): PacketOrder {
  const sequences = capture.packets
    .slice(before)
    .map(({ interfaceIndex, bytes }) => (interfaceIndex === side ? grePacket(bytes)?.sequence : undefined))
    .filter((sequence) => sequence !== undefined);
  let oldest = Number.POSITIVE_INFINITY;
  let newest = Number.NEGATIVE_INFINITY;
  let overtaken = 0;
  for (const sequence of sequences) {
    if (sequence < newest) overtaken++;
    oldest = Math.min(oldest, sequence);
    newest = Math.max(newest, sequence);
  }
  const span = sequences.length === 0 ? 0 : newest - oldest + 1;
  return { overtaken, missing: span - new Set(sequences).size };
}

function pppFrame(bytes: Buffer): { protocol: number; payload: Buffer } | undefined {
  const gre = grePacket(bytes);
  if (gre === undefined || gre.payload.length === 0) return undefined;
  const ppp = parsePppFrame(gre.payload);
  return ppp.ok ? ppp.value : undefined;
}

function grePacket(bytes: Buffer): GrePacket | undefined {
  if (bytes.length < ETHERNET_HEADER + 20 || bytes.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
  const ip = bytes.subarray(ETHERNET_HEADER);
  const headerLength = (ip.readUInt8(0) & 15) * 4;
  const isLaterFragment = (ip.readUInt16BE(6) & 0x1fff) !== 0;
  if (ip.readUInt8(9) !== PROTOCOL_GRE || isLaterFragment) return undefined;
  const gre = parseGre(ip.subarray(headerLength, ip.readUInt16BE(2)));
  return gre.ok ? gre.value : undefined;
}
