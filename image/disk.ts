/** The flashable disk as one sparse file: partition table, boot loader, boot state, a slot. Equal parts give equal bytes. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { emitEnvironment, emitStatePartition, firstState } from "../appliance/update/boot-state.ts";
import { emitPartitionTable, type PlacedBytes } from "../appliance/update/partition-table.ts";
import { diskLayout, extentOf, type PartitionName } from "./disk-layout.ts";
import { ImageError } from "./failure.ts";
import { emitFat } from "./fat.ts";
import type { Grub } from "./grub.ts";
import { formatSize } from "./progress.ts";

export interface DiskContents {
  readonly board: string;
  /** Seconds since 1970: the date of the files in the boot partition. */
  readonly epoch: number;
  /** Undefined for a board whose boot ROM reads the boot state by itself. */
  readonly grub: (Grub & { readonly config: string }) | undefined;
  /** What a slot's partition begins with, and its last bytes. */
  readonly slot: { readonly payload: Buffer; readonly trailer: Buffer };
  readonly rollbackIndex: number;
}

export interface Disk {
  /** In bytes. */
  readonly size: number;
  /** In the order of their offsets; zeros are between them. */
  readonly parts: readonly PlacedBytes[];
}

/** A slot that is nearly full leaves the next version no room: GRUB, updates and partitions stay as they are for years. */
const SLOT_FULL = 0.9;

/** Throws an ImageError when the slot is too large. The other slot is empty, and so is the data partition. */
export function makeDisk({ board, epoch, grub, slot, rollbackIndex }: DiskContents): Disk {
  const layout = diskLayout(board);
  const place = (name: PartitionName): { offset: number; size: number } => extentOf(layout, name);
  const room = place("slot-a");
  if (slot.payload.length + slot.trailer.length > SLOT_FULL * room.size) {
    const [is, limit] = [formatSize(slot.payload.length), formatSize(SLOT_FULL * room.size)];
    throw new ImageError(
      `the slot is ${is}, over the ${limit} that it may have: \`culvert image inspect\` shows what is in it`,
    );
  }
  const state = firstState(rollbackIndex);
  const { primary, backup } = emitPartitionTable(layout);
  const parts = [
    primary,
    { offset: place("culvert-state").offset, bytes: emitStatePartition(state) },
    { offset: room.offset, bytes: slot.payload },
    { offset: room.offset + room.size - slot.trailer.length, bytes: slot.trailer },
    backup,
  ];
  if (grub !== undefined) {
    const environment = emitEnvironment(state);
    parts.push({ offset: place("BOOT").offset, bytes: bootPartition(grub, environment, place("BOOT").size, epoch) });
    if (grub.bios !== undefined) {
      const { offset, size } = place("bios-boot");
      if (grub.bios.core.length > size) throw new ImageError("GRUB's core does not fit the BIOS boot partition");
      grub.bios.boot.copy(primary.bytes);
      parts.push({ offset, bytes: grub.bios.core });
    }
  }
  return { size: layout.sectors * 512, parts: parts.sort((a, b) => a.offset - b.offset) };
}

function bootPartition(grub: Grub & { config: string }, environment: Buffer, size: number, epoch: number): Buffer {
  const files = [
    { path: "grub/grubenv", data: environment },
    { path: "grub/grub.cfg", data: Buffer.from(grub.config) },
    ...grub.efi.map(({ name, data }) => ({ path: `EFI/BOOT/${name}`, data })),
  ];
  return emitFat(files, { size, label: "BOOT", serial: 0x43554c56, epoch });
}

/** Writes the disk; what is zero takes no room. */
export async function writeDisk({ size, parts }: Disk, file: string): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.truncate(size);
    for (const { offset, bytes } of parts) await handle.write(bytes, 0, bytes.length, offset);
  } finally {
    await handle.close();
  }
}

/** SHA-256 of the file that `writeDisk` writes, in hex. */
export function hashDisk({ size, parts }: Disk): string {
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(1 << 20);
  let at = 0;
  const skipTo = (end: number): void => {
    for (; at < end; at += Math.min(zeros.length, end - at))
      hash.update(zeros.subarray(0, Math.min(zeros.length, end - at)));
  };
  for (const { offset, bytes } of parts) {
    skipTo(offset);
    hash.update(bytes);
    at += bytes.length;
  }
  skipTo(size);
  return hash.digest("hex");
}
