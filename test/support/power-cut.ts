/**
 * What a disk may hold after its power went away, made from the log of its writes. What was flushed is there. Of what was
 * completed since, which was in the disk's cache, anything may be there: all, nothing, some of it, the later without the
 * earlier, and parts of a write. A sector is written whole or not at all.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { SeededRandom } from "./seeded-random.ts";
import type { LogEntry, WriteLog } from "./write-log.ts";

/**
 * What became of the writes since the last flush:
 * - `arrived`: all are there, and the first sectors of the one that was under way;
 * - `lost`: none is there;
 * - `some`: each is there or not;
 * - `reordered`: the same, and of two to one place the earlier may have come last;
 * - `torn`: the same for each sector of each.
 */
export const FATES = ["arrived", "lost", "some", "reordered", "torn"] as const;
export type Fate = (typeof FATES)[number];

/** One disk that there may be. It is good until the next cut. */
export interface CutState {
  /** So many entries of the log were completed when the power went. */
  readonly cut: number;
  readonly fate: Fate;
  /** How many sectors are there although no flush came after them. */
  readonly unflushedSectors: number;
  /** A copy of `length` bytes from byte `at` on. */
  read(at: number, length: number): Buffer;
  /** Makes the file `path` this disk, with holes where it is blank. */
  writeTo(path: string): void;
}

type Write = Extract<LogEntry, { kind: "write" }>;
/** What lies on a sector, by the byte where it begins. */
type Sectors = Map<number, Buffer>;

/** How likely a write, or a sector of it, is to be there. */
const LIKELIHOODS = [0.1, 0.5, 0.9] as const;
/** Blank blocks of this size become holes. */
const BLOCK_BYTES = 4096;
const BLANK = Buffer.alloc(BLOCK_BYTES);

/** A disk whose power is cut at one instant after another. */
export class CutDisk {
  readonly #log: WriteLog;
  readonly #medium: Buffer;
  /** The medium has what the first so many entries wrote. */
  #durable = 0;

  /** `before`: the disk when the log began, or its size in bytes if it was blank. */
  constructor(log: WriteLog, before: Buffer | number) {
    this.#log = log;
    this.#medium = typeof before === "number" ? Buffer.alloc(before) : Buffer.from(before);
  }

  /**
   * The power goes when the first `cut` entries of the log are completed and not one more. Throws a RangeError when that is
   * before an earlier cut's last flush, behind the log's end, or when the log writes beyond the disk's end.
   */
  cutAt(cut: number, fate: Fate, random: SeededRandom): CutState {
    const { entries, sectorBytes } = this.#log;
    if (cut > entries.length) throw new RangeError(`a cut after ${cut} entries: the log has ${entries.length}`);
    this.#flushTo(lastFlush(entries, cut));
    const pending = entries.slice(this.#durable, cut).filter((entry) => entry.kind === "write");
    const sectors = surviving(pending, fate, sectorBytes, random);
    const underWay = entries[cut];
    if (fate === "arrived" && underWay?.kind === "write") {
      const length = random.below(underWay.data.length / sectorBytes + 1) * sectorBytes;
      put(sectors, { ...underWay, data: underWay.data.subarray(0, length) }, sectorBytes);
    }
    return new MediumAfterCut({ cut, fate, medium: this.#medium, sectors, sectorBytes });
  }

  #flushTo(count: number): void {
    if (count < this.#durable)
      throw new RangeError(`the disk was cut after ${this.#durable} flushed entries: it cannot go back to ${count}`);
    for (const entry of this.#log.entries.slice(this.#durable, count)) {
      if (entry.kind === "write") {
        if (entry.at + entry.data.length > this.#medium.length)
          throw new RangeError(`the log writes to byte ${entry.at}: the disk has ${this.#medium.length}`);
        entry.data.copy(this.#medium, entry.at);
      }
      // The harder of the two: nothing may depend on what was there. A discard that was not flushed did nothing yet.
      if (entry.kind === "discard") this.#medium.fill(0, entry.at, entry.at + entry.length);
    }
    this.#durable = count;
  }
}

/** Cuts spread evenly over the entries from `first` to `end`, in rising order, each with a fate. */
export function plannedCuts(
  count: number,
  first: number,
  end: number,
  random: SeededRandom,
): readonly { readonly cut: number; readonly fate: Fate }[] {
  const cuts = Array.from({ length: count }, () => first + random.below(end - first + 1)).sort((a, b) => a - b);
  return cuts.map((cut) => ({ cut, fate: random.pick(FATES) }));
}

/** How many of the first `cut` entries are on the medium for certain. */
function lastFlush(entries: readonly LogEntry[], cut: number): number {
  for (let index = cut - 1; index >= 0; index--) {
    const entry = entries[index];
    if (entry?.kind === "flush") return index + 1;
    if (entry?.kind === "write" && entry.flushesFirst) return index;
  }
  return 0;
}

function surviving(pending: readonly Write[], fate: Fate, sectorBytes: number, random: SeededRandom): Sectors {
  const sectors: Sectors = new Map();
  const likelihood = fate === "arrived" ? 1 : fate === "lost" ? 0 : random.pick(LIKELIHOODS);
  const mayLose = fate === "reordered" || fate === "torn";
  for (const write of pending) {
    // With one piece the whole write has one fate, else each sector has its own.
    for (const piece of fate === "torn" ? inSectors(write, sectorBytes) : [write]) {
      if (!write.isForced && !random.chance(likelihood)) continue;
      put(sectors, piece, sectorBytes, mayLose && !write.isForced && random.chance(0.5));
    }
  }
  return sectors;
}

/** `cameEarlier`: what lies in its place stays there. */
function put(sectors: Sectors, { at, data }: Write, sectorBytes: number, cameEarlier = false): void {
  for (let done = 0; done < data.length; done += sectorBytes)
    if (!(cameEarlier && sectors.has(at + done))) sectors.set(at + done, data.subarray(done, done + sectorBytes));
}

function inSectors(write: Write, sectorBytes: number): Write[] {
  return Array.from({ length: write.data.length / sectorBytes }, (_, index) => {
    const start = index * sectorBytes;
    return { ...write, at: write.at + start, data: write.data.subarray(start, start + sectorBytes) };
  });
}

interface MediumParts {
  readonly cut: number;
  readonly fate: Fate;
  readonly medium: Buffer;
  readonly sectors: Sectors;
  readonly sectorBytes: number;
}

class MediumAfterCut implements CutState {
  readonly cut: number;
  readonly fate: Fate;
  readonly #parts: MediumParts;

  constructor(parts: MediumParts) {
    this.cut = parts.cut;
    this.fate = parts.fate;
    this.#parts = parts;
  }

  get unflushedSectors(): number {
    return this.#parts.sectors.size;
  }

  read(at: number, length: number): Buffer {
    const { medium, sectors, sectorBytes } = this.#parts;
    const bytes = Buffer.from(medium.subarray(at, at + length));
    for (let sector = at - (at % sectorBytes); sector < at + length; sector += sectorBytes) {
      const data = sectors.get(sector);
      if (data === undefined) continue;
      const start = Math.max(sector, at);
      data.copy(bytes, start - at, start - sector);
    }
    return bytes;
  }

  writeTo(path: string): void {
    const { medium, sectors } = this.#parts;
    const file = openSync(path, "w");
    try {
      ftruncateSync(file, medium.length);
      for (let at = 0; at < medium.length; at += BLOCK_BYTES) {
        const block = medium.subarray(at, at + BLOCK_BYTES);
        if (!block.equals(BLANK.subarray(0, block.length))) writeAll(file, block, at);
      }
      for (const [at, data] of sectors) writeAll(file, data, at);
    } finally {
      closeSync(file);
    }
  }
}

function writeAll(file: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}
