/** A link between ports in memory, and the frames of a PPTP call to send through it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type ControlMessage, emitControlMessage } from "../../appliance/wire/control-message.ts";
import { emitCpPacket } from "../../appliance/wire/cp-packet.ts";
import { emitGre, type GrePacket } from "../../appliance/wire/gre.ts";
import { emitPppFrame, PLAIN_FRAMING } from "../../appliance/wire/ppp-frame.ts";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { repairChecksums } from "../../hil/net/dissect.ts";
import type { Impairment } from "../../hil/net/impairment.ts";
import { Link } from "../../hil/net/link.ts";
import type { Port } from "../../hil/net/port.ts";
import { EventList } from "./event-list.ts";
import { ManualClock } from "./fake-line.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-link-"));
after(() => rmSync(folder, { recursive: true }));
let captures = 0;

/** What the node got, and when, and a way to make it send. */
export class MemoryPort implements Port {
  readonly name: string;
  readonly got: { readonly frame: Buffer; readonly atMs: number }[] = [];
  full = false;
  transmit: (frame: Buffer) => void = () => {};
  readonly #nowMs: () => number;

  constructor(name: string, nowMs: () => number) {
    this.name = name;
    this.#nowMs = nowMs;
  }
  onFrame(receive: (frame: Buffer) => void): void {
    this.transmit = receive;
  }
  send(frame: Buffer): boolean {
    if (!this.full) this.got.push({ frame: Buffer.from(frame), atMs: this.#nowMs() });
    return !this.full;
  }
  /** The payloads of numbered frames, in the order of their arrival. */
  get numbers(): number[] {
    return this.got.map(({ frame }) => frame.readUInt32BE(14));
  }
}

export interface LinkBench {
  readonly clock: ManualClock;
  readonly link: Link<"mobile" | "device">;
  readonly events: EventList;
  readonly mobile: MemoryPort;
  readonly device: MemoryPort;
  /** The comments of all frames so far. */
  comments(): (string | undefined)[];
}

/** `mobile.eth0` and `device.wan` on one cable, at 0 ms. `usual` is its declared impairment. */
export function linkBench(usual?: Impairment): LinkBench {
  const clock = new ManualClock();
  const startNs = clock.nowNs();
  const nowMs = (): number => Number(clock.nowNs() - startNs) / 1e6;
  const mobile = new MemoryPort("mobile.eth0", nowMs);
  const device = new MemoryPort("device.wan", nowMs);
  const capture = new CaptureFile(join(folder, `${captures++}.pcapng`), ["mobile.eth0", "device.wan"], clock);
  after(() => capture.close());
  const events = new EventList();
  const link = new Link<"mobile" | "device">("internet", [mobile, device], capture, { clock, journal: events }, usual);
  return { clock, link, events, mobile, device, comments: () => capture.read().packets.map(({ comment }) => comment) };
}

const ADDRESSES = Buffer.from("020000000002020000000001", "hex");

/** A frame that is no IPv4, `bytes` long, with a number to know it again. */
export function numberedFrame(number: number, bytes = 64): Buffer {
  const frame = Buffer.alloc(bytes);
  ADDRESSES.copy(frame);
  frame.writeUInt16BE(0x88b5, 12); // IEEE 802: local experimental
  frame.writeUInt32BE(number, 14);
  return frame;
}

function ipv4Frame(protocol: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(34);
  ADDRESSES.copy(header);
  header.writeUInt16BE(0x0800, 12);
  header.writeUInt8(0x45, 14);
  header.writeUInt16BE(20 + payload.length, 16);
  header.writeUInt8(64, 22);
  header.writeUInt8(protocol, 23);
  header.set([203, 0, 113, 50, 203, 0, 113, 1], 26);
  const padding = Buffer.alloc(Math.max(0, 60 - header.length - payload.length)); // Ethernet's shortest frame
  const frame = Buffer.concat([header, payload, padding]);
  repairChecksums(frame);
  return frame;
}

/** One packet of a PPP control protocol in a call. */
export function pppControlFrame(sequence: number, protocol: number, code: number, identifier = 1): Buffer {
  const ppp = emitPppFrame(
    { protocol, payload: emitCpPacket({ code, identifier, data: Buffer.alloc(0) }) },
    PLAIN_FRAMING,
  );
  return ipv4Frame(47, emitGre({ callId: 7, sequence, ack: undefined, payload: ppp }));
}

/** A data packet of a call, or an acknowledgment alone. */
export function greFrame(packet: Partial<GrePacket>): Buffer {
  const { callId = 7, sequence, ack, payload = Buffer.alloc(0) } = packet;
  return ipv4Frame(47, emitGre({ callId, sequence, ack, payload }));
}

export function tcpFrame(sequence: number, payload: Buffer, options: { port?: number; syn?: boolean } = {}): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(40_000, 0);
  header.writeUInt16BE(options.port ?? 1723, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt8(5 << 4, 12);
  header.writeUInt8(options.syn === true ? 0x02 : 0x18, 13);
  return ipv4Frame(6, Buffer.concat([header, payload]));
}

export const ECHO_REQUEST: ControlMessage = { type: "echo-request", identifier: 9 };
export const SET_LINK_INFO: ControlMessage = {
  type: "set-link-info",
  peersCallId: 7,
  sendAccm: 0xffffffff,
  receiveAccm: 0xffffffff,
};
export const controlBytes = (...messages: ControlMessage[]): Buffer => Buffer.concat(messages.map(emitControlMessage));
