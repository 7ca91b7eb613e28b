/** Real sessions, recorded: reads a libpcap file's IPv4 packets, and splits TCP 1723 and GRE of one conversation. */
import { existsSync, readFileSync } from "node:fs";

export interface CapturedPacket {
  /** As Wireshark counts, from 1. */
  readonly frame: number;
  readonly source: number;
  readonly destination: number;
  /** Since the capture began. */
  readonly atMs: number;
  readonly kind: "pptp" | "gre";
  /** TCP payload, or the packet from the GRE header. */
  readonly bytes: Buffer;
}

/** The captures lie outside the project: `undefined` when they are not there, and the test says so. */
export function readCapture(name: string): readonly CapturedPacket[] | undefined {
  const path = new URL(`../../../../shared/captures/${name}`, import.meta.url);
  return existsSync(path) ? parsePcap(readFileSync(path)) : undefined;
}

/** libpcap of either byte order with Ethernet frames; anything but IPv4 with TCP 1723 or GRE is passed over. */
function parsePcap(file: Buffer): readonly CapturedPacket[] {
  const packets: CapturedPacket[] = [];
  let frame = 0;
  const isLittle = file.readUInt32LE(0) === 0xa1b2c3d4;
  const word = (at: number): number => (isLittle ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const timeMs = (at: number): number => word(at) * 1000 + word(at + 4) / 1000;
  const beganMs = file.length < 32 ? 0 : timeMs(24);
  for (let at = 24; at + 16 <= file.length; ) {
    const length = word(at + 8);
    const bytes = file.subarray(at + 16, at + 16 + length);
    const atMs = timeMs(at) - beganMs;
    at += 16 + length;
    frame++;
    if (bytes.length < 34 || bytes.readUInt16BE(12) !== 0x0800) continue;
    const ip = bytes.subarray(14, 14 + bytes.readUInt16BE(16));
    const body = ip.subarray(((ip[0] ?? 0) & 15) * 4);
    const ends = { frame, atMs, source: ip.readUInt32BE(12), destination: ip.readUInt32BE(16) };
    if (ip[9] === 47) packets.push({ ...ends, kind: "gre", bytes: body });
    if (ip[9] !== 6 || (body.readUInt16BE(0) !== 1723 && body.readUInt16BE(2) !== 1723)) continue;
    const payload = body.subarray(((body[12] ?? 0) >> 4) * 4);
    if (payload.length > 0) packets.push({ ...ends, kind: "pptp", bytes: payload });
  }
  return packets;
}
