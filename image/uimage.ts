/**
 * U-Boot's legacy image, for boards whose boot loader is too old for FIT: a header of 64 bytes and a payload, each with its CRC-32
 * (U-Boot, include/image.h: struct legacy_img_hdr). Numbers are big-endian whatever the machine.
 */
import { crc32, gzipSync } from "node:zlib";
import { loadImage } from "./elf.ts";
import { ImageError } from "./failure.ts";

const MAGIC = 0x27051956;
const HEADER_BYTES = 64;
const HEADER_CRC_AT = 4;
const LONGEST_NAME = 32;
const OS_LINUX = 5;
const TYPE = { kernel: 2, ramdisk: 3 } as const;
const COMPRESSION = { none: 0, gzip: 1 } as const;
/** U-Boot's numbers of machines, by Debian's names. */
const MACHINE: Readonly<Record<string, number>> = { mipsel: 5, arm64: 22, amd64: 24 };

export interface UImage {
  /** Debian's name of the machine. */
  readonly architecture: string;
  readonly type: keyof typeof TYPE;
  readonly compression: keyof typeof COMPRESSION;
  /** At most 32 bytes, shown by U-Boot. */
  readonly name: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** Where U-Boot puts the payload, unpacked, and where it jumps to; 0 for a ramdisk, which stays where it was loaded. */
  readonly loadAddress: number;
  readonly entryAddress: number;
  readonly payload: Buffer;
}

/** Throws an ImageError for a machine or name that the format cannot say. */
export function emitUImage(image: UImage): Buffer {
  const { architecture, type, compression, name, epoch, loadAddress, entryAddress, payload } = image;
  const machine = MACHINE[architecture];
  if (machine === undefined) throw new ImageError(`U-Boot's legacy image has no machine ${architecture}`);
  const title = Buffer.from(name, "latin1");
  if (title.length > LONGEST_NAME)
    throw new ImageError(`"${name}" is longer than the 32 bytes of a legacy image's name`);
  const header = Buffer.alloc(HEADER_BYTES);
  for (const [index, word] of [MAGIC, 0, epoch, payload.length, loadAddress, entryAddress, crc32(payload)].entries())
    header.writeUInt32BE(word, 4 * index);
  Buffer.from([OS_LINUX, machine, TYPE[type], COMPRESSION[compression]]).copy(header, 28);
  title.copy(header, 32);
  header.writeUInt32BE(crc32(header), HEADER_CRC_AT);
  return Buffer.concat([header, payload]);
}

/** An ELF kernel as `bootm` takes it: its memory as one piece, packed by gzip, at the addresses it was linked for. */
export function kernelUImage(kernel: Buffer, architecture: string, name: string, epoch: number): Buffer {
  const { address, entry, memory } = loadImage(kernel, "the kernel");
  return emitUImage({
    ...{ architecture, type: "kernel", compression: "gzip", name, epoch },
    ...{ loadAddress: address, entryAddress: entry, payload: gzipSync(memory, { level: 9 }) },
  });
}

/** An initramfs that is compressed already: the kernel unpacks it, not U-Boot. */
export function ramdiskUImage(initramfs: Buffer, architecture: string, name: string, epoch: number): Buffer {
  return emitUImage({
    ...{ architecture, type: "ramdisk", compression: "none", name, epoch, payload: initramfs },
    ...{ loadAddress: 0, entryAddress: 0 },
  });
}
