/**
 * A medium in memory with the device's partitions, and the log of its writes and flushes: what a power cut may leave of them is
 * made by `power-cut.ts`. BOOT is a FAT16 that mtools made, so that finding the environment in it is not our own idea of FAT.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Flash, type Partition, SystemError } from "../../appliance/ports.ts";
import { emitEnvironment, emitStatePartition, firstState, type SlotName } from "../../appliance/update/boot-state.ts";
import { TRAILER_BYTES } from "../../appliance/update/image-format.ts";
import type { SignedSlot } from "../../image/sign.ts";
import type { LogEntry } from "./write-log.ts";

const MIB = 1 << 20;
/** The cheapest FAT16 that mtools makes. */
const BOOT_BYTES = 2.5 * MIB;
const SLOT_BYTES = 4 * MIB;
const SIZES = { BOOT: BOOT_BYTES, "culvert-state": MIB, "slot-a": SLOT_BYTES, "slot-b": SLOT_BYTES };
type Name = keyof typeof SIZES;
const NAMES = Object.keys(SIZES) as readonly Name[];

export const FLASH_BYTES = Object.values(SIZES).reduce((sum, size) => sum + size, 0);

export function placeOf(name: Name): { readonly offset: number; readonly size: number } {
  const before = NAMES.slice(0, NAMES.indexOf(name));
  return { offset: before.reduce((sum, each) => sum + SIZES[each], 0), size: SIZES[name] };
}

let boot: Buffer | undefined;

/** A FAT16 with grub/grubenv somewhere behind other files. */
function bootPartition(): Buffer {
  boot ??= makeBootPartition();
  return boot;
}

function makeBootPartition(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "culvert-fat-"));
  try {
    const image = join(folder, "fat");
    writeFileSync(image, Buffer.alloc(BOOT_BYTES));
    writeFileSync(join(folder, "grub.cfg"), Buffer.alloc(5000, "x"));
    writeFileSync(join(folder, "grubenv"), emitEnvironment(firstState(1)));
    execFileSync("mformat", ["-i", image, "-h", "16", "-s", "16", "-t", "20", "-c", "1", "::"]);
    execFileSync("mmd", ["-i", image, "::/EFI", "::/grub"]);
    execFileSync("mcopy", ["-i", image, join(folder, "grub.cfg"), join(folder, "grubenv"), "::/grub/"]);
    return readFileSync(image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export class FakeFlash implements Flash {
  booted: SlotName | undefined = "a";
  readonly medium: Buffer;
  readonly log: LogEntry[] = [];
  /** Bytes that do not keep what is written to them. */
  broken: number | undefined;
  /** The most bytes that one write brought. */
  largestWrite = 0;

  constructor(medium: Buffer = Buffer.alloc(FLASH_BYTES)) {
    this.medium = medium;
  }

  /** A device fresh from the builder, with this in slot a. */
  static holding(slot: SignedSlot, rollbackIndex: number): FakeFlash {
    const flash = new FakeFlash();
    bootPartition().copy(flash.medium, placeOf("BOOT").offset);
    emitStatePartition(firstState(rollbackIndex)).copy(flash.medium, placeOf("culvert-state").offset);
    const { offset, size } = placeOf("slot-a");
    slot.payload.copy(flash.medium, offset);
    slot.trailer.copy(flash.medium, offset + size - TRAILER_BYTES);
    return flash;
  }

  partition(name: Name): Buffer {
    const { offset, size } = placeOf(name);
    return this.medium.subarray(offset, offset + size);
  }

  open(name: string): Promise<Partition | undefined> {
    if (!NAMES.includes(name as Name)) return Promise.resolve(undefined);
    const { offset, size } = placeOf(name as Name);
    const place = (operation: string, at: number, length: number): number => {
      if (at < 0 || at + length > size) throw new SystemError(`${operation} ${name}`, "ENOSPC");
      return offset + at;
    };
    return Promise.resolve({
      sizeBytes: size,
      read: async (at, length) => {
        const start = place("read", at, length);
        return await Promise.resolve(Buffer.from(this.medium.subarray(start, start + length)));
      },
      write: async (at, bytes) => {
        const start = place("write", at, bytes.length);
        const data = Buffer.from(bytes);
        this.largestWrite = Math.max(this.largestWrite, data.length);
        this.log.push({ kind: "write", at: start, data, flushesFirst: false, isForced: false });
        data.copy(this.medium, start);
        if (this.broken !== undefined && this.broken >= start && this.broken < start + data.length)
          this.medium[this.broken] = ~(this.medium[this.broken] ?? 0);
        await Promise.resolve();
      },
      sync: async () => {
        this.log.push({ kind: "flush" });
        await Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  }
}
