/**
 * `node extend-data.cjs /dev/DISK`: makes the last partition reach to the disk's end and puts a broken copy of the partition table
 * right; prints the partition's length in sectors. start-system runs it when the disk turns out to be larger than the image.
 *
 * A power cut at any instant leaves one whole table: the backup is on the disk before the primary is touched.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import {
  ENTRY_SECTORS,
  emitPartitionTable,
  entriesOf,
  fitToDisk,
  type PartitionTable,
  type PlacedBytes,
  parsePartitionTable,
  SECTOR_BYTES,
} from "./partition-table.ts";

/** The boot loader's code in the first sector, before the protective partition. */
const BOOT_CODE_BYTES = 446;

function extendData(path: string): number {
  const disk = openSync(path, "r+");
  try {
    const sectors = sizeOf(disk, path);
    const table = readTable(disk, 1) ?? readTable(disk, sectors - 1);
    if (table === undefined) throw new Error(`${path} has no partition table of ours`);
    const fitted = fitToDisk(table, sectors);
    if (fitted === undefined) throw new Error(`${path} is smaller than the partitions on it: take a larger disk`);
    const { backup, primary } = emitPartitionTable(fitted);
    put(disk, backup);
    fsyncSync(disk);
    read(disk, 0, 1).copy(primary.bytes, 0, 0, BOOT_CODE_BYTES);
    put(disk, primary);
    fsyncSync(disk);
    return fitted.partitions.at(-1)?.sectors ?? 0;
  } finally {
    closeSync(disk);
  }
}

/** In sectors. stat says 0 of a block device. */
function sizeOf(disk: number, path: string): number {
  const stats = fstatSync(disk);
  if (stats.isFile()) return Math.floor(stats.size / SECTOR_BYTES);
  return Number(readFileSync(`/sys/class/block/${basename(path)}/size`, "utf8"));
}

function readTable(disk: number, headerAt: number): PartitionTable | undefined {
  const sector = read(disk, headerAt, 1);
  const entriesAt = entriesOf(sector);
  return entriesAt === undefined ? undefined : parsePartitionTable(sector, read(disk, entriesAt, ENTRY_SECTORS));
}

function read(disk: number, sector: number, count: number): Buffer {
  const bytes = Buffer.alloc(count * SECTOR_BYTES);
  readSync(disk, bytes, 0, bytes.length, sector * SECTOR_BYTES);
  return bytes;
}

function put(disk: number, { offset, bytes }: PlacedBytes): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(disk, bytes, done, bytes.length - done, offset + done);
}

const [path = ""] = process.argv.slice(2);
process.stdout.write(`${extendData(path)}\n`);
