/**
 * Finds where a file's bytes lie on a FAT16 file system (Microsoft FAT specification, 2000, §"Boot Sector and BPB"), so that they
 * are overwritten in place and the file system is never mounted for writing.
 */
import type { Partition } from "../ports.ts";

/** A run of bytes of the partition. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

const ENTRY_BYTES = 32;
const IS_FOLDER = 0x10;
/** Long-name entries and volume labels have this attribute; they are no files. */
const IS_LABEL = 0x08;
const END_OF_CHAIN = 0xfff8;
/** More clusters than a file of ours ever has: a chain that is a circle ends here. */
const LONGEST_CHAIN = 4096;

interface Geometry {
  readonly clusterBytes: number;
  readonly fatOffset: number;
  readonly rootOffset: number;
  readonly rootBytes: number;
  readonly dataOffset: number;
}

/**
 * The extents of a file's first `length` bytes. `path`: short names, such as `["GRUB", "GRUBENV"]`. Undefined when the file system is not
 * FAT16, or has no such file of that length.
 */
export async function fatExtents(
  partition: Partition,
  path: readonly string[],
  length: number,
): Promise<readonly Extent[] | undefined> {
  const geometry = parseGeometry(await partition.read(0, 512), partition.sizeBytes);
  if (geometry === undefined) return undefined;
  let folder: readonly Extent[] = [{ offset: geometry.rootOffset, length: geometry.rootBytes }];
  for (const [depth, name] of path.entries()) {
    const entry = findEntry(await readExtents(partition, folder), name);
    const last = depth === path.length - 1;
    if (entry === undefined || entry.isFolder === last || (last && entry.size < length)) return undefined;
    const chain = await clusterChain(partition, geometry, entry.cluster);
    if (chain === undefined) return undefined;
    folder = chain;
  }
  return cut(folder, length);
}

async function readExtents(partition: Partition, extents: readonly Extent[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const { offset, length } of extents) parts.push(await partition.read(offset, length));
  return Buffer.concat(parts);
}

function parseGeometry(sector: Buffer, sizeBytes: number): Geometry | undefined {
  if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) return undefined;
  const sectorBytes = sector.readUInt16LE(11);
  const clusterBytes = sector.readUInt8(13) * sectorBytes;
  const reserved = sector.readUInt16LE(14);
  const fats = sector.readUInt8(16);
  const rootBytes = sector.readUInt16LE(17) * ENTRY_BYTES;
  const fatSectors = sector.readUInt16LE(22);
  if (![512, 1024, 2048, 4096].includes(sectorBytes) || clusterBytes === 0 || reserved === 0) return undefined;
  if (fats === 0 || rootBytes === 0 || fatSectors === 0) return undefined;
  const fatOffset = reserved * sectorBytes;
  const rootOffset = fatOffset + fats * fatSectors * sectorBytes;
  const dataOffset = rootOffset + rootBytes;
  if (dataOffset > sizeBytes || fatSectors * sectorBytes > 2 * 0x10000) return undefined;
  return { clusterBytes, fatOffset, rootOffset, rootBytes, dataOffset };
}

function findEntry(
  folder: Buffer,
  name: string,
): { readonly cluster: number; readonly size: number; readonly isFolder: boolean } | undefined {
  const [stem = "", extension = ""] = name.split(".");
  const wanted = stem.padEnd(8) + extension.padEnd(3);
  for (let at = 0; at + ENTRY_BYTES <= folder.length; at += ENTRY_BYTES) {
    const entry = folder.subarray(at, at + ENTRY_BYTES);
    if (entry[0] === 0) return undefined;
    const attributes = entry.readUInt8(11);
    if ((attributes & IS_LABEL) !== 0 || entry.toString("latin1", 0, 11) !== wanted) continue;
    return {
      cluster: entry.readUInt16LE(26),
      size: entry.readUInt32LE(28),
      isFolder: (attributes & IS_FOLDER) !== 0,
    };
  }
  return undefined;
}

async function clusterChain(
  partition: Partition,
  { clusterBytes, fatOffset, dataOffset }: Geometry,
  first: number,
): Promise<readonly Extent[] | undefined> {
  const extents: Extent[] = [];
  for (let cluster = first; cluster < END_OF_CHAIN; ) {
    const offset = dataOffset + (cluster - 2) * clusterBytes;
    if (cluster < 2 || offset + clusterBytes > partition.sizeBytes || extents.length === LONGEST_CHAIN)
      return undefined;
    extents.push({ offset, length: clusterBytes });
    cluster = (await partition.read(fatOffset + cluster * 2, 2)).readUInt16LE(0);
  }
  return extents;
}

/** Undefined when they are shorter than that. */
function cut(extents: readonly Extent[], length: number): readonly Extent[] | undefined {
  let left = length;
  const result = extents.flatMap((extent) => {
    const taken = Math.min(left, extent.length);
    left -= taken;
    return taken === 0 ? [] : [{ offset: extent.offset, length: taken }];
  });
  return left === 0 ? result : undefined;
}
