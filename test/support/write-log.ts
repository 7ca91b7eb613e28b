/**
 * The log of a disk's writes in the order in which the disk completed them: the format of Linux's dm-log-writes, version 1
 * (drivers/md/dm-log-writes.c), as QEMU's blklogwrites writes it.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** `at` and `length` are in bytes. */
export type LogEntry =
  | {
      readonly kind: "write";
      readonly at: number;
      readonly data: Buffer;
      /** What was completed before it is on the medium before it is. */
      readonly flushesFirst: boolean;
      /** On the medium once completed, whatever else is still in the disk's cache (FUA). */
      readonly isForced: boolean;
    }
  /** What was completed before is on the medium. */
  | { readonly kind: "flush" }
  /** The bytes do not matter any more: they read as zeros, or as they were. */
  | { readonly kind: "discard"; readonly at: number; readonly length: number }
  /** A person's note; QEMU writes none. */
  | { readonly kind: "mark" };

export interface WriteLog {
  /** The unit in which the disk was written, in bytes. */
  readonly sectorBytes: number;
  readonly entries: readonly LogEntry[];
}

export type ParsedLog =
  | { readonly ok: true; readonly log: WriteLog }
  /** One clause: what is wrong, and where. */
  | { readonly ok: false; readonly problem: string };

const MAGIC = 0x6a736677736872n;
const VERSION = 1n;
const HEAD_BYTES = 28;
/** LOG_METADATA_FLAG of newer kernels changes nothing about a write. */
const FLAG = { flush: 1, forced: 2, discard: 4, mark: 8, metadata: 16 } as const;
const KNOWN_FLAGS = Object.values(FLAG).reduce((sum, flag) => sum + flag, 0);
const SMALLEST_SECTOR = 512;
const LARGEST_SECTOR = 1 << 23;

/**
 * Reads a log as far as its head counts: QEMU brings the head up to date at each flush. Data are views into `bytes`. Any
 * bytes are accepted as input.
 */
export function parseWriteLog(bytes: Buffer): ParsedLog {
  const head = parseHead(bytes);
  if ("problem" in head) return { ok: false, problem: head.problem };
  const { sectorBytes, count } = head;
  const entries: LogEntry[] = [];
  for (let at = sectorBytes; entries.length < count; ) {
    const read = parseEntry(bytes, at, sectorBytes);
    if ("problem" in read)
      return { ok: false, problem: `entry ${entries.length} of ${count} at byte ${at}: ${read.problem}` };
    entries.push(read.entry);
    at = read.end;
  }
  return { ok: true, log: { sectorBytes, entries } };
}

/** How many entries the head of the log in `file` counts, which may be written to meanwhile: what was flushed. 0 before the first flush. */
export function countEntries(file: string): number {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, bytes, 0, HEAD_BYTES, 0);
  } finally {
    closeSync(descriptor);
  }
  const head = parseHead(bytes);
  return "count" in head ? head.count : 0;
}

type Head = { readonly sectorBytes: number; readonly count: number } | { readonly problem: string };

function parseHead(bytes: Buffer): Head {
  if (bytes.length < HEAD_BYTES) return { problem: `${bytes.length} bytes are no log of writes` };
  if (bytes.readBigUInt64LE(0) !== MAGIC) return { problem: "it does not begin as a log of writes" };
  const version = bytes.readBigUInt64LE(8);
  if (version !== VERSION) return { problem: `version ${version} of the format is not known here` };
  const sectorBytes = bytes.readUInt32LE(24);
  const isPowerOfTwo = (sectorBytes & (sectorBytes - 1)) === 0;
  if (sectorBytes < SMALLEST_SECTOR || sectorBytes > LARGEST_SECTOR || !isPowerOfTwo)
    return { problem: `its sectors would have ${sectorBytes} bytes` };
  return { sectorBytes, count: Number(bytes.readBigUInt64LE(16)) };
}

function parseEntry(
  bytes: Buffer,
  start: number,
  sectorBytes: number,
): { readonly entry: LogEntry; readonly end: number } | { readonly problem: string } {
  const dataStart = start + sectorBytes;
  if (dataStart > bytes.length) return { problem: "the log ends before it" };
  const at = Number(bytes.readBigUInt64LE(start)) * sectorBytes;
  const length = Number(bytes.readBigUInt64LE(start + 8)) * sectorBytes;
  const flags = Number(bytes.readBigUInt64LE(start + 16));
  if (flags > KNOWN_FLAGS) return { problem: `its flags are not known here: ${flags}` };
  if (at + length > Number.MAX_SAFE_INTEGER) return { problem: "it lies beyond the end of any disk" };
  if ((flags & FLAG.mark) !== 0) return { entry: { kind: "mark" }, end: dataStart };
  if ((flags & FLAG.discard) !== 0) return { entry: { kind: "discard", at, length }, end: dataStart };
  const flushesFirst = (flags & FLAG.flush) !== 0;
  if (length === 0 && flushesFirst) return { entry: { kind: "flush" }, end: dataStart };
  const end = dataStart + length;
  if (end > bytes.length) return { problem: "the log ends in the midst of its data" };
  const isForced = (flags & FLAG.forced) !== 0;
  return { entry: { kind: "write", at, data: bytes.subarray(dataStart, end), flushesFirst, isForced }, end };
}
