/**
 * The partition table of a disk: a GUID Partition Table with its protective MBR (UEFI 2.10 §5.2.3, §5.3). The builder writes one;
 * the device makes its last partition longer when the disk turns out to be larger than the image was.
 */
import { crc32 } from "../wire/crc32.ts";

export const SECTOR_BYTES = 512;
/** Entries in a table, and what one takes. UEFI asks for 16 KiB of them at least. */
const ENTRIES = 128;
const ENTRY_BYTES = 128;
export const ENTRY_SECTORS = (ENTRIES * ENTRY_BYTES) / SECTOR_BYTES;
/** Protective MBR, header, entries. */
const PRIMARY_SECTORS = 2 + ENTRY_SECTORS;
/** Entries, header: the last sectors of the disk. */
export const BACKUP_SECTORS = ENTRY_SECTORS + 1;
/** Partitions begin and end at multiples of 1 MiB, so that no erase block of a flash memory belongs to two. */
export const ALIGNMENT_SECTORS = 2048;

const SIGNATURE = "EFI PART";
const REVISION = 0x00010000;
const HEADER_BYTES = 92;
const NAME_BYTES = 72;

export interface Partition {
  /** At most 36 UTF-16 units; Linux shows it as PARTNAME. */
  readonly name: string;
  /** As it is written: `C12A7328-F81F-11D2-BA4B-00A0C93EC93B`. */
  readonly type: string;
  readonly guid: string;
  readonly firstSector: number;
  readonly sectors: number;
}

export interface PartitionTable {
  readonly diskGuid: string;
  /** Of the disk. */
  readonly sectors: number;
  /** Partition 1 first. */
  readonly partitions: readonly Partition[];
}

export interface PlacedBytes {
  /** In bytes from the disk's beginning. */
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Both copies, the backup first: whoever writes them in this order may lose power at any instant. */
export function emitPartitionTable(table: PartitionTable): {
  readonly backup: PlacedBytes;
  readonly primary: PlacedBytes;
} {
  const entries = emitEntries(table.partitions);
  const last = table.sectors - 1;
  const primary = Buffer.concat([
    protectiveMbr(table.sectors),
    header(table, entries, { here: 1, other: last, entriesAt: 2 }),
    entries,
  ]);
  const entriesAt = last - ENTRY_SECTORS;
  const backup = Buffer.concat([entries, header(table, entries, { here: last, other: 1, entriesAt })]);
  return { backup: { offset: entriesAt * SECTOR_BYTES, bytes: backup }, primary: { offset: 0, bytes: primary } };
}

/** The sector at which a header says its entries begin; undefined when it is no header of ours. */
export function entriesOf(sector: Buffer): number | undefined {
  return parseHeader(sector)?.entriesAt;
}

/**
 * Reads a copy of the table: the header's sector, and `ENTRY_SECTORS` from where `entriesOf` says. Undefined for anything that is
 * not a whole table as `emitPartitionTable` writes it.
 */
export function parsePartitionTable(sector: Buffer, entries: Buffer): PartitionTable | undefined {
  const found = parseHeader(sector);
  if (found === undefined || entries.length < ENTRIES * ENTRY_BYTES) return undefined;
  const used = entries.subarray(0, ENTRIES * ENTRY_BYTES);
  if (crc32(used) !== found.entriesCrc) return undefined;
  const partitions: Partition[] = [];
  let ended = false;
  for (let at = 0; at < used.length; at += ENTRY_BYTES) {
    const entry = used.subarray(at, at + ENTRY_BYTES);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) {
      ended = true;
      continue;
    }
    const partition = parseEntry(entry);
    // A table with holes is none of ours: partition numbers would change.
    if (partition === undefined || ended) return undefined;
    partitions.push(partition);
  }
  return { diskGuid: found.diskGuid, sectors: Math.max(found.here, found.other) + 1, partitions };
}

/**
 * The same table for a disk of `sectors`, the last partition ending at the disk's last multiple of ALIGNMENT_SECTORS. Undefined
 * when that would make it shorter: the disk is smaller than the image.
 */
export function fitToDisk(table: PartitionTable, sectors: number): PartitionTable | undefined {
  const last = table.partitions.at(-1);
  if (last === undefined) return undefined;
  const end = Math.floor((sectors - BACKUP_SECTORS) / ALIGNMENT_SECTORS) * ALIGNMENT_SECTORS;
  if (end < last.firstSector + last.sectors) return undefined;
  const longer = { ...last, sectors: end - last.firstSector };
  return { ...table, sectors, partitions: [...table.partitions.slice(0, -1), longer] };
}

/** In the order of bytes that GPT has: the first three groups are little-endian. */
function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll("-", ""), "hex");
  if (bytes.length !== 16) throw new Error(`"${guid}" is no GUID`);
  return mixed(bytes);
}

function guidText(bytes: Buffer): string {
  const hex = mixed(bytes).toString("hex").toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function mixed(bytes: Buffer): Buffer {
  const turned = Buffer.from(bytes);
  turned.subarray(0, 4).reverse();
  turned.subarray(4, 6).reverse();
  turned.subarray(6, 8).reverse();
  return turned;
}

/** One partition of type 0xEE over the whole disk keeps programs that know only MBRs from taking it for empty. */
function protectiveMbr(sectors: number): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  // Its first and last sector as head, sector, cylinder: 0/2/0, and the highest there is.
  Buffer.from([0, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]).copy(sector, 446);
  sector.writeUInt32LE(1, 454);
  sector.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

interface Place {
  readonly here: number;
  readonly other: number;
  readonly entriesAt: number;
}

function header({ diskGuid, sectors }: PartitionTable, entries: Buffer, { here, other, entriesAt }: Place): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.write(SIGNATURE, "latin1");
  sector.writeUInt32LE(REVISION, 8);
  sector.writeUInt32LE(HEADER_BYTES, 12);
  sector.writeBigUInt64LE(BigInt(here), 24);
  sector.writeBigUInt64LE(BigInt(other), 32);
  sector.writeBigUInt64LE(BigInt(PRIMARY_SECTORS), 40);
  sector.writeBigUInt64LE(BigInt(sectors - BACKUP_SECTORS - 1), 48);
  guidBytes(diskGuid).copy(sector, 56);
  sector.writeBigUInt64LE(BigInt(entriesAt), 72);
  sector.writeUInt32LE(ENTRIES, 80);
  sector.writeUInt32LE(ENTRY_BYTES, 84);
  sector.writeUInt32LE(crc32(entries), 88);
  sector.writeUInt32LE(crc32(sector.subarray(0, HEADER_BYTES)), 16);
  return sector;
}

interface Header extends Place {
  readonly diskGuid: string;
  readonly entriesCrc: number;
}

function parseHeader(sector: Buffer): Header | undefined {
  if (sector.length < SECTOR_BYTES || sector.toString("latin1", 0, 8) !== SIGNATURE) return undefined;
  const covered = Buffer.from(sector.subarray(0, HEADER_BYTES));
  covered.fill(0, 16, 20);
  if (sector.readUInt32LE(12) !== HEADER_BYTES || crc32(covered) !== sector.readUInt32LE(16)) return undefined;
  if (sector.readUInt32LE(80) !== ENTRIES || sector.readUInt32LE(84) !== ENTRY_BYTES) return undefined;
  const [here, other, entriesAt] = [sectorNumber(sector, 24), sectorNumber(sector, 32), sectorNumber(sector, 72)];
  if (here === undefined || other === undefined || entriesAt === undefined) return undefined;
  const diskGuid = guidText(sector.subarray(56, 72));
  return { here, other, entriesAt, diskGuid, entriesCrc: sector.readUInt32LE(88) };
}

function emitEntries(partitions: readonly Partition[]): Buffer {
  const entries = Buffer.alloc(ENTRIES * ENTRY_BYTES);
  for (const [index, { name, type, guid, firstSector, sectors }] of partitions.entries()) {
    const entry = entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    guidBytes(type).copy(entry, 0);
    guidBytes(guid).copy(entry, 16);
    entry.writeBigUInt64LE(BigInt(firstSector), 32);
    entry.writeBigUInt64LE(BigInt(firstSector + sectors - 1), 40);
    entry.write(name, 56, NAME_BYTES, "utf16le");
  }
  return entries;
}

/** Undefined for an entry that no disk can have. */
function parseEntry(entry: Buffer): Partition | undefined {
  const firstSector = sectorNumber(entry, 32);
  const lastSector = sectorNumber(entry, 40);
  if (firstSector === undefined || lastSector === undefined || lastSector < firstSector) return undefined;
  const [name = ""] = entry.toString("utf16le", 56, 56 + NAME_BYTES).split("\0");
  const [type, guid] = [guidText(entry.subarray(0, 16)), guidText(entry.subarray(16, 32))];
  return { name, type, guid, firstSector, sectors: lastSector - firstSector + 1 };
}

/** Undefined above 2^53: no disk has so many. */
function sectorNumber(bytes: Buffer, offset: number): number | undefined {
  const value = Number(bytes.readBigUInt64LE(offset));
  return Number.isSafeInteger(value) ? value : undefined;
}
