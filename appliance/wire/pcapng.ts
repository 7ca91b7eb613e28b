/** pcapng captures (draft-ietf-opsawg-pcapng): a little-endian writer with nanosecond stamps, and a reader for either byte order. */
import { fault, type Parsed, type WireFault } from "./cursor.ts";

export const LINK_TYPE = { ethernet: 1, raw: 101 } as const;

export interface CaptureInterface {
  readonly name: string;
  readonly linkType: number;
  readonly description: string | undefined;
}

export interface CapturedPacket {
  /** Index into the interfaces, in the order of their blocks. */
  readonly interfaceIndex: number;
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly timestampNs: bigint;
  readonly bytes: Buffer;
  /** Length on the wire; larger than `bytes` when the capture was cut. */
  readonly originalLength: number;
  readonly comment: string | undefined;
}

export interface Capture {
  /** The program that wrote the capture, if it said so. */
  readonly application: string | undefined;
  readonly interfaces: readonly CaptureInterface[];
  readonly packets: readonly CapturedPacket[];
}

const BLOCK = { section: 0x0a0d0d0a, interface: 1, simplePacket: 3, enhancedPacket: 6 } as const;
const OPTION = {
  end: 0,
  comment: 1,
  userApplication: 4,
  interfaceName: 2,
  interfaceDescription: 3,
  tsresol: 9,
} as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const TSRESOL_NANOSECONDS = 9;
const TSRESOL_DEFAULT = 6;
const UINT32 = 1n << 32n;

/** The first block of a file. `application` names the writer. */
export function emitSection(application: string): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  body.writeUInt16LE(1, 4); // version 1.0
  body.writeBigInt64LE(-1n, 8); // section length unknown
  return emitBlock(BLOCK.section, [
    body,
    emitOption(OPTION.userApplication, Buffer.from(application)),
    emitOptionsEnd(),
  ]);
}

/** One block per interface, before its first packet. */
export function emitInterface(description: CaptureInterface): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(description.linkType, 0);
  return emitBlock(BLOCK.interface, [
    body, // snap length 0: no limit
    emitOption(OPTION.interfaceName, Buffer.from(description.name)),
    ...(description.description === undefined
      ? []
      : [emitOption(OPTION.interfaceDescription, Buffer.from(description.description))]),
    emitOption(OPTION.tsresol, Buffer.from([TSRESOL_NANOSECONDS])),
    emitOptionsEnd(),
  ]);
}

export function emitPacket(packet: CapturedPacket): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(packet.interfaceIndex, 0);
  head.writeUInt32LE(Number((packet.timestampNs / UINT32) % UINT32), 4);
  head.writeUInt32LE(Number(packet.timestampNs % UINT32), 8);
  head.writeUInt32LE(packet.bytes.length, 12);
  head.writeUInt32LE(packet.originalLength, 16);
  const options =
    packet.comment === undefined ? [] : [emitOption(OPTION.comment, Buffer.from(packet.comment)), emitOptionsEnd()];
  return emitBlock(BLOCK.enhancedPacket, [head, packet.bytes, padding(packet.bytes.length), ...options]);
}

function emitBlock(type: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 12);
  const block = Buffer.alloc(length);
  let at = block.writeUInt32LE(type, 0);
  at = block.writeUInt32LE(length, at);
  for (const part of parts) at += part.copy(block, at);
  block.writeUInt32LE(length, at);
  return block;
}

function emitOption(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, value, padding(value.length)]);
}

function emitOptionsEnd(): Buffer {
  return Buffer.alloc(4);
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

/**
 * Reads a whole capture. Unknown blocks and options are passed over. A capture that was cut in the middle of a block, as a
 * writer that was killed leaves it, yields the blocks before the cut. Packet bytes are views into `bytes`.
 */
export function parsePcapng(bytes: Buffer): Parsed<Capture> {
  const sections = new CaptureReader();
  let at = 0;
  let big = false;
  while (bytes.length - at >= 12) {
    const isSection = bytes.readUInt32BE(at) === BLOCK.section; // a palindrome: the same in either order
    if (isSection) {
      big = bytes.readUInt32BE(at + 8) === BYTE_ORDER_MAGIC;
      if (!big && bytes.readUInt32LE(at + 8) !== BYTE_ORDER_MAGIC) return fault("bad-magic");
    } else if (at === 0) return fault("bad-magic");
    const view = new BlockView(bytes.subarray(at), big);
    const length = view.u32(4);
    if (length < 12 || length % 4 !== 0) return fault("bad-length");
    if (length > bytes.length - at) break;
    const wrong = sections.block(new BlockView(bytes.subarray(at, at + length - 4), big));
    if (wrong !== undefined) return fault(wrong);
    at += length;
  }
  if (at === 0) return fault("short");
  return { ok: true, value: sections };
}

/** Bounds-checked reads in one byte order; outside the block everything is zero. */
class BlockView {
  readonly bytes: Buffer;
  readonly #big: boolean;
  constructor(bytes: Buffer, big: boolean) {
    this.bytes = bytes;
    this.#big = big;
  }
  u16(at: number): number {
    if (at + 2 > this.bytes.length) return 0;
    return this.#big ? this.bytes.readUInt16BE(at) : this.bytes.readUInt16LE(at);
  }
  u32(at: number): number {
    if (at + 4 > this.bytes.length) return 0;
    return this.#big ? this.bytes.readUInt32BE(at) : this.bytes.readUInt32LE(at);
  }
  options(from: number): Map<number, Buffer> {
    const options = new Map<number, Buffer>();
    for (let at = from; at + 4 <= this.bytes.length; ) {
      const code = this.u16(at);
      const length = this.u16(at + 2);
      if (code === OPTION.end) break;
      options.set(code, this.bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length + ((4 - (length % 4)) % 4);
    }
    return options;
  }
}

class CaptureReader implements Capture {
  application: string | undefined;
  readonly interfaces: CaptureInterface[] = [];
  readonly packets: CapturedPacket[] = [];
  /** Nanoseconds per tick as a fraction, per interface. */
  readonly #resolutions: { readonly ns: bigint; readonly per: bigint }[] = [];
  /** Interface numbers of a packet count from its section's first interface. */
  #sectionBase = 0;

  block(view: BlockView): WireFault | undefined {
    switch (view.u32(0)) {
      case BLOCK.section: {
        if (view.u16(12) !== 1) return "bad-version";
        this.#sectionBase = this.interfaces.length;
        this.application ??= view.options(24).get(OPTION.userApplication)?.toString("utf8");
        return undefined;
      }
      case BLOCK.interface: {
        const options = view.options(16);
        this.interfaces.push({
          name: options.get(OPTION.interfaceName)?.toString("utf8") ?? "",
          linkType: view.u16(8),
          description: options.get(OPTION.interfaceDescription)?.toString("utf8"),
        });
        this.#resolutions.push(resolution(options.get(OPTION.tsresol)?.[0] ?? TSRESOL_DEFAULT));
        return undefined;
      }
      case BLOCK.enhancedPacket:
        return this.#packet(view);
      default:
        return undefined;
    }
  }

  #packet(view: BlockView): WireFault | undefined {
    const interfaceIndex = this.#sectionBase + view.u32(8);
    const unit = this.#resolutions[interfaceIndex];
    if (unit === undefined) return "bad-value";
    const captured = view.u32(20);
    if (28 + captured > view.bytes.length) return "bad-length";
    const ticks = BigInt(view.u32(12)) * UINT32 + BigInt(view.u32(16));
    this.packets.push({
      interfaceIndex,
      timestampNs: (ticks * unit.ns) / unit.per,
      bytes: view.bytes.subarray(28, 28 + captured),
      originalLength: view.u32(24),
      comment: view
        .options(28 + captured + ((4 - (captured % 4)) % 4))
        .get(OPTION.comment)
        ?.toString("utf8"),
    });
    return undefined;
  }
}

/** `if_tsresol`: a power of ten, or of two when the top bit is set. */
function resolution(code: number): { ns: bigint; per: bigint } {
  const exponent = BigInt(code & 0x7f);
  return { ns: 1_000_000_000n, per: code & 0x80 ? 2n ** exponent : 10n ** exponent };
}
