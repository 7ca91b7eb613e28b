/**
 * What the boot ROM of a board without GRUB does, on the host: reads the boot state of a flashable disk, counts a slot that is on
 * trial, and takes kernel and initramfs out of the slot. The state machine is the device's own, appliance/update/boot-state.ts.
 */
import { type FileHandle, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  countStart,
  emitRecord,
  firstState,
  newestRecord,
  otherSlot,
  recordOffset,
  type SlotName,
  STATE_BYTES,
} from "../../../appliance/update/boot-state.ts";
import {
  ENTRY_SECTORS,
  entriesOf,
  type Partition,
  parsePartitionTable,
  SECTOR_BYTES,
} from "../../../appliance/update/partition-table.ts";
import { ImageError } from "../../../image/failure.ts";
import type { LockedTools } from "../../../image/locked-tool.ts";
import { Fault } from "../../fault.ts";

export interface LoadedSlot {
  readonly slot: SlotName;
  /** It is on trial, and this start of it was counted. */
  readonly trial: boolean;
  /** Why another slot was passed over. */
  readonly notes: readonly string[];
  /** Files below the folder that was given. */
  readonly kernel: string;
  readonly initrd: string;
  /** The kernel's words for this board, as the slot has them. */
  readonly commandLine: string;
}

/** Loads the slot that is to start now into `folder`. Throws a Fault when the disk has none that can be read. */
export async function loadSlot(disk: string, folder: string, tools: Pick<LockedTools, "run">): Promise<LoadedSlot> {
  const handle = await open(disk, "r+");
  const notes: string[] = [];
  try {
    const partitions = await readPartitions(handle, disk);
    const place = partitionNamed(partitions, "culvert-state", disk);
    const { slot, trial } = await chooseSlot(handle, place, notes);
    for (const name of [slot, otherSlot(slot)]) {
      const { firstSector } = partitionNamed(partitions, `slot-${name}`, disk);
      const files = await extract(disk, firstSector * SECTOR_BYTES, folder, tools);
      if (typeof files !== "string") return { slot: name, trial: trial && name === slot, notes, ...files };
      notes.push(`slot ${name} cannot be read: ${files}`);
    }
  } finally {
    await handle.close();
  }
  throw new Fault("device", `${disk}: no slot can be read: ${notes.join("; ")}`);
}

async function readPartitions(handle: FileHandle, disk: string): Promise<readonly Partition[]> {
  const { size } = await handle.stat();
  for (const headerAt of [1, Math.floor(size / SECTOR_BYTES) - 1]) {
    const header = await read(handle, headerAt * SECTOR_BYTES, SECTOR_BYTES);
    const entriesAt = entriesOf(header);
    if (entriesAt === undefined) continue;
    const table = parsePartitionTable(
      header,
      await read(handle, entriesAt * SECTOR_BYTES, ENTRY_SECTORS * SECTOR_BYTES),
    );
    if (table !== undefined) return table.partitions;
  }
  throw new Fault("device", `${disk} has no partition table of ours: build it with \`culvert image build\``);
}

function partitionNamed(partitions: readonly Partition[], name: string, disk: string): Partition {
  const found = partitions.find((each) => each.name === name);
  if (found === undefined) throw new Fault("device", `${disk} has no partition ${name}`);
  return found;
}

/** Stores the count before the start that it counts. */
async function chooseSlot(
  handle: FileHandle,
  { firstSector }: Partition,
  notes: string[],
): Promise<{ slot: SlotName; trial: boolean }> {
  const at = firstSector * SECTOR_BYTES;
  const before = newestRecord(await read(handle, at, STATE_BYTES));
  if (before === undefined) notes.push("the boot state cannot be read");
  const { slot, trial, state } = countStart(before ?? firstState(0));
  if (state !== before && before !== undefined) {
    const record = emitRecord(state);
    await handle.write(record, 0, record.length, at + recordOffset(state));
    await handle.datasync();
  }
  return { slot, trial };
}

/** The slot's files, or why there are none. */
async function extract(
  disk: string,
  offset: number,
  folder: string,
  tools: Pick<LockedTools, "run">,
): Promise<Pick<LoadedSlot, "kernel" | "initrd" | "commandLine"> | string> {
  const into = await mkdtemp(join(folder, "slot-"));
  try {
    await tools.run("/usr/bin/unsquashfs", ["-o", String(offset), "-d", into, "-f", "-q", "-n", disk, "boot"]);
    const commandLine = (await readFile(join(into, "boot/command-line"), "utf8")).trim();
    return { kernel: join(into, "boot/vmlinuz"), initrd: join(into, "boot/initrd.img"), commandLine };
  } catch (error) {
    await rm(into, { recursive: true });
    if (error instanceof ImageError || isAbsent(error)) return error.message;
    throw error;
  }
}

async function read(handle: FileHandle, offset: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  await handle.read(bytes, 0, size, offset);
  return bytes;
}

function isAbsent(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
