/** Where everything lies on the flashable disk. The same on every board, so that partition numbers mean the same everywhere. */
import { createHash } from "node:crypto";
import { ALIGNMENT_SECTORS, type PartitionTable, SECTOR_BYTES } from "../appliance/update/partition-table.ts";

const MIB_SECTORS = (1024 * 1024) / SECTOR_BYTES;

/** Types of partitions: Discoverable Partitions Specification, GRUB Manual §3.4 "BIOS installation". */
const TYPE = {
  biosBoot: "21686148-6449-6E6F-744E-656564454649",
  efiSystem: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
  linux: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
} as const;

/** Partition 1 first. Names are what the device finds them by. */
const PARTITIONS = [
  { name: "bios-boot", type: TYPE.biosBoot, mib: 1 },
  { name: "BOOT", type: TYPE.efiSystem, mib: 32 },
  { name: "culvert-state", type: TYPE.linux, mib: 1 },
  { name: "slot-a", type: TYPE.linux, mib: 64 },
  { name: "slot-b", type: TYPE.linux, mib: 64 },
  // The least that settings need; the device makes it reach to the disk's end.
  { name: "culvert-data", type: TYPE.linux, mib: 16 },
] as const;

export type PartitionName = (typeof PARTITIONS)[number]["name"];

/** Where the BIOS boot partition begins: the same on every disk. */
export const BIOS_BOOT_SECTOR = ALIGNMENT_SECTORS;

/** GUIDs are made of the names, so that the same inputs make the same disk. */
export function diskLayout(board: string): PartitionTable {
  let at = ALIGNMENT_SECTORS;
  const partitions = PARTITIONS.map(({ name, type, mib }) => {
    const partition = { name, type, guid: guidOf(`${board} ${name}`), firstSector: at, sectors: mib * MIB_SECTORS };
    at += partition.sectors;
    return partition;
  });
  // The backup of the table lies in one more MiB.
  return { diskGuid: guidOf(board), sectors: at + MIB_SECTORS, partitions };
}

/** Where a partition lies, in bytes. */
export function extentOf(
  table: PartitionTable,
  name: PartitionName,
): { readonly offset: number; readonly size: number } {
  const partition = table.partitions.find((each) => each.name === name);
  if (partition === undefined) throw new Error(`the layout has no partition ${name}`);
  return { offset: partition.firstSector * SECTOR_BYTES, size: partition.sectors * SECTOR_BYTES };
}

/** A UUID of version 8 (RFC 9562 §5.8): 122 bits of a SHA-256. */
function guidOf(text: string): string {
  const bytes = createHash("sha256").update(`culvert disk ${text}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex").toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
