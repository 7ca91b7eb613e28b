/**
 * Writes a FAT16 file system (Microsoft FAT Specification, 2004): the partition that firmware reads boot loaders from. Each file is
 * one run of clusters, and equal inputs give equal bytes.
 */
import { ImageError } from "./failure.ts";

const SECTOR = 512;
/** 2 KiB: a file of 1 KiB, the boot loader's environment, never shares a cluster and never spans two. */
const CLUSTER_SECTORS = 4;
const CLUSTER = CLUSTER_SECTORS * SECTOR;
const ROOT_ENTRIES = 512;
const ENTRY = 32;
const FATS = 2;
/** Boot sector, and what aligns the clusters to their size in the partition. */
const RESERVED_SECTORS = 4;
/** With fewer clusters it would be read as FAT12, with more as FAT32 (§ "FAT Type Determination"). */
const CLUSTERS = { least: 4085, most: 65524 } as const;
const ATTRIBUTE = { label: 0x08, folder: 0x10, archive: 0x20 } as const;
/** Windows NT's bits in the reserved byte: the name, or its extension, is shown in lower case. */
const LOWER = { name: 0x08, extension: 0x10 } as const;

export interface FatFile {
  /** Such as `EFI/BOOT/BOOTX64.EFI`: names of 8 and 3 characters, each part wholly of one case. */
  readonly path: string;
  readonly data: Buffer;
}

export interface FatOptions {
  /** Of the partition, in bytes. */
  readonly size: number;
  /** At most 11 capital letters. */
  readonly label: string;
  readonly serial: number;
  /** The date of every file, seconds since 1970; not before 1980. */
  readonly epoch: number;
}

interface Folder {
  readonly name: string;
  readonly folders: Folder[];
  readonly files: { name: string; data: Buffer }[];
}

/** Returns the partition up to the end of its last file; the rest of it is zero. Throws when the files do not fit. */
export function emitFat(files: readonly FatFile[], options: FatOptions): Buffer {
  const totalSectors = options.size / SECTOR;
  const rootSectors = (ROOT_ENTRIES * ENTRY) / SECTOR;
  const fatSectors = fatSectorsFor(totalSectors - RESERVED_SECTORS - rootSectors);
  const firstCluster = RESERVED_SECTORS + FATS * fatSectors + rootSectors;
  const clusters = Math.floor((totalSectors - firstCluster) / CLUSTER_SECTORS);
  if (clusters < CLUSTERS.least || clusters > CLUSTERS.most) {
    throw new ImageError(`a partition of ${options.size} bytes cannot be FAT16: it would have ${clusters} clusters`);
  }
  const area = new ClusterArea(clusters);
  const stamp = dosTime(options.epoch);
  const root = Buffer.alloc(ROOT_ENTRIES * ENTRY);
  const label = directoryEntry({ name: options.label.padEnd(11), attribute: ATTRIBUTE.label, stamp });
  const listed = fillFolder(treeOf(files), area, stamp);
  Buffer.concat([label, ...listed]).copy(root);
  const fat = area.table(fatSectors * SECTOR);
  const boot = bootSector(options, totalSectors, fatSectors);
  return Buffer.concat([boot, Buffer.alloc((RESERVED_SECTORS - 1) * SECTOR), fat, fat, root, area.bytes()]);
}

/** One entry of two bytes per cluster, and two before the first. */
function fatSectorsFor(sectors: number): number {
  const perFatSector = (SECTOR / 2) * CLUSTER_SECTORS;
  return Math.ceil((sectors + 2 * CLUSTER_SECTORS) / (perFatSector + FATS));
}

function treeOf(files: readonly FatFile[]): Folder {
  const root: Folder = { name: "", folders: [], files: [] };
  for (const { path, data } of files) {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    let folder = root;
    for (const part of parts) {
      let next = folder.folders.find((each) => each.name === part);
      if (next === undefined) {
        next = { name: part, folders: [], files: [] };
        folder.folders.push(next);
      }
      folder = next;
    }
    folder.files.push({ name, data });
  }
  return root;
}

/** The entries of a folder; what lies in it is given clusters. */
function fillFolder(folder: Folder, area: ClusterArea, stamp: Buffer, own = 0): Buffer[] {
  const entries: Buffer[] = [];
  for (const each of folder.folders) {
    // Its first cluster is known before its content, which names it.
    const at = area.reserve(entriesSize(each));
    const dots = [
      directoryEntry({ name: ".".padEnd(11), attribute: ATTRIBUTE.folder, stamp, cluster: at }),
      directoryEntry({ name: "..".padEnd(11), attribute: ATTRIBUTE.folder, stamp, cluster: own }),
    ];
    area.fill(at, Buffer.concat([...dots, ...fillFolder(each, area, stamp, at)]));
    entries.push(directoryEntry({ ...shortName(each.name), attribute: ATTRIBUTE.folder, stamp, cluster: at }));
  }
  for (const { name, data } of folder.files) {
    const cluster = data.length === 0 ? 0 : area.reserve(data.length);
    if (data.length > 0) area.fill(cluster, data);
    const file = { attribute: ATTRIBUTE.archive, stamp, cluster, size: data.length };
    entries.push(directoryEntry({ ...shortName(name), ...file }));
  }
  return entries;
}

function entriesSize({ folders, files }: Folder): number {
  return (2 + folders.length + files.length) * ENTRY;
}

/** Clusters are handed out from the first on and never come back. */
class ClusterArea {
  readonly #runs: { readonly at: number; readonly count: number }[] = [];
  readonly #parts: Buffer[] = [];
  readonly #clusters: number;
  #next = 2;

  constructor(clusters: number) {
    this.#clusters = clusters;
  }

  /** Room for `size` bytes; returns the first cluster. */
  reserve(size: number): number {
    const count = Math.ceil(size / CLUSTER);
    if (this.#next + count > this.#clusters + 2) {
      throw new ImageError(
        `the boot partition's files need more than its ${this.#clusters} clusters of ${CLUSTER} bytes`,
      );
    }
    const at = this.#next;
    this.#next += count;
    this.#runs.push({ at, count });
    this.#parts.push(Buffer.alloc(count * CLUSTER));
    return at;
  }

  fill(at: number, data: Buffer): void {
    const index = this.#runs.findIndex((run) => run.at === at);
    data.copy(this.#parts[index] ?? data);
  }

  table(size: number): Buffer {
    const fat = Buffer.alloc(size);
    fat.writeUInt16LE(0xfff8, 0); // the medium, as in the boot sector
    fat.writeUInt16LE(0xffff, 2);
    for (const { at, count } of this.#runs) {
      const end = at + count - 1;
      for (let cluster = at; cluster <= end; cluster++)
        fat.writeUInt16LE(cluster < end ? cluster + 1 : 0xffff, cluster * 2);
    }
    return fat;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function bootSector({ label, serial }: FatOptions, totalSectors: number, fatSectors: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  Buffer.from([0xeb, 0x3c, 0x90]).copy(sector); // a jump over the fields: without it some firmware sees no file system
  sector.write("CULVERT ", 3, "latin1");
  sector.writeUInt16LE(SECTOR, 11);
  sector.writeUInt8(CLUSTER_SECTORS, 13);
  sector.writeUInt16LE(RESERVED_SECTORS, 14);
  sector.writeUInt8(FATS, 16);
  sector.writeUInt16LE(ROOT_ENTRIES, 17);
  const isSmall = totalSectors < 0x10000;
  sector.writeUInt16LE(isSmall ? totalSectors : 0, 19);
  sector.writeUInt8(0xf8, 21); // a fixed disk
  sector.writeUInt16LE(fatSectors, 22);
  sector.writeUInt16LE(32, 24);
  sector.writeUInt16LE(64, 26);
  sector.writeUInt32LE(isSmall ? 0 : totalSectors, 32);
  sector.writeUInt8(0x80, 36);
  sector.writeUInt8(0x29, 38); // serial, label and type follow
  sector.writeUInt32LE(serial, 39);
  sector.write(label.padEnd(11), 43, 11, "latin1");
  sector.write("FAT16   ", 54, "latin1");
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

interface DirectoryEntry {
  /** Eleven characters. */
  readonly name: string;
  readonly attribute: number;
  readonly stamp: Buffer;
  readonly caseBits?: number;
  readonly cluster?: number;
  readonly size?: number;
}

function directoryEntry({ name, attribute, stamp, caseBits = 0, cluster = 0, size = 0 }: DirectoryEntry): Buffer {
  const entry = Buffer.alloc(ENTRY);
  entry.write(name, "latin1");
  entry.writeUInt8(attribute, 11);
  entry.writeUInt8(caseBits, 12);
  stamp.copy(entry, 14); // created
  stamp.copy(entry, 18, 2); // read
  stamp.copy(entry, 22); // written
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(size, 28);
  return entry;
}

/** `grub.cfg` becomes `GRUB    CFG` with the bits that show it in lower case again. */
function shortName(name: string): { readonly name: string; readonly caseBits: number } {
  const [, base = "", extension = ""] = /^([A-Za-z0-9_-]{1,8})(?:\.([A-Za-z0-9_-]{1,3}))?$/.exec(name) ?? [];
  const bits = (part: string, bit: number): number => {
    if (part !== part.toUpperCase() && part !== part.toLowerCase()) throw new ImageError(`"${name}" is of both cases`);
    return part === part.toUpperCase() ? 0 : bit;
  };
  if (base === "")
    throw new ImageError(`"${name}" is no name of 8 and 3 characters, which is all that the boot partition has`);
  return {
    name: base.toUpperCase().padEnd(8) + extension.toUpperCase().padEnd(3),
    caseBits: bits(base, LOWER.name) | bits(extension, LOWER.extension),
  };
}

/** Time and date of a directory entry, UTC, to two seconds. */
function dosTime(epoch: number): Buffer {
  const date = new Date(epoch * 1000);
  const stamp = Buffer.alloc(4);
  stamp.writeUInt16LE((date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1), 0);
  stamp.writeUInt16LE(((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate(), 2);
  return stamp;
}
