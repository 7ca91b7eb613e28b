/** Logs of a disk's writes, from bytes and from QEMU; and the disks that a power cut may leave. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { octets } from "./arbitrary.ts";
import { mutate } from "./mutation.ts";
import { CutDisk, FATES, type Fate, plannedCuts } from "./power-cut.ts";
import { SeededRandom, withSeed } from "./seeded-random.ts";
import { countEntries, type LogEntry, parseWriteLog, type WriteLog } from "./write-log.ts";

const SECTOR = 512;
const DISK_BYTES = 8 * SECTOR;

/** A write to `sector` of as many sectors as there are letters, each filled with its letter. */
function write(sector: number, letters: string, how: "" | "forced" | "flushes-first" = ""): LogEntry {
  const data = Buffer.concat([...letters].map((letter) => Buffer.alloc(SECTOR, letter)));
  return {
    kind: "write",
    at: sector * SECTOR,
    data,
    flushesFirst: how === "flushes-first",
    isForced: how === "forced",
  };
}
const FLUSH: LogEntry = { kind: "flush" };
const logOf = (...entries: readonly LogEntry[]): WriteLog => ({ sectorBytes: SECTOR, entries });

/** The format as drivers/md/dm-log-writes.c defines it; all numbers are little-endian. */
function emitLog({ sectorBytes, entries }: WriteLog): Buffer {
  const head = Buffer.alloc(sectorBytes);
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeBigUInt64LE(BigInt(entries.length), 16);
  head.writeUInt32LE(sectorBytes, 24);
  const sectors = entries.flatMap((entry) => {
    const start = Buffer.alloc(sectorBytes);
    const put = (at: number, length: number, flags: number): void => {
      start.writeBigUInt64LE(BigInt(at / sectorBytes), 0);
      start.writeBigUInt64LE(BigInt(length / sectorBytes), 8);
      start.writeBigUInt64LE(BigInt(flags), 16);
    };
    if (entry.kind === "flush") put(0, 0, 1);
    if (entry.kind === "mark") put(0, 0, 8);
    if (entry.kind === "discard") put(entry.at, entry.length, 4);
    if (entry.kind !== "write") return [start];
    put(entry.at, entry.data.length, (entry.flushesFirst ? 1 : 0) + (entry.isForced ? 2 : 0));
    return [start, entry.data];
  });
  return Buffer.concat([head, ...sectors]);
}

const SAMPLE = logOf(
  write(3, "ab"),
  FLUSH,
  write(9, "c", "forced"),
  { kind: "discard", at: 20 * SECTOR, length: 8 * SECTOR },
  { kind: "mark" },
  write(3, "d", "flushes-first"),
);

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "culvert-write-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe("the log", () => {
  test("reads back as it was written", () => {
    assert.deepEqual(parseWriteLog(emitLog(SAMPLE)), { ok: true, log: SAMPLE });
  });

  test("no bytes make it throw, and damage is told with its place", () => {
    fc.assert(fc.property(octets(2000), (bytes) => void parseWriteLog(bytes)));
    const good = emitLog(SAMPLE);
    fc.assert(fc.property(fc.integer(), (seed) => void parseWriteLog(mutate(new SeededRandom(seed), good))));
    const problem = (bytes: Buffer): string => {
      const parsed = parseWriteLog(bytes);
      return parsed.ok ? "none" : parsed.problem;
    };
    assert.equal(problem(Buffer.alloc(5)), "5 bytes are no log of writes");
    assert.equal(
      problem(good.subarray(0, 2 * SECTOR)),
      "entry 0 of 6 at byte 512: the log ends in the midst of its data",
    );
    const flagged = Buffer.from(good);
    flagged.writeUInt8(0x20, SECTOR + 16);
    assert.equal(problem(flagged), "entry 0 of 6 at byte 512: its flags are not known here: 32");
    const far = Buffer.from(good);
    far.writeBigUInt64LE(2n ** 60n, SECTOR);
    assert.equal(problem(far), "entry 0 of 6 at byte 512: it lies beyond the end of any disk");
  });

  test("QEMU writes this format, one entry for each thing that was done", (t) => {
    const folder = scratch(t);
    const [disk, file] = [join(folder, "disk"), join(folder, "log")];
    for (const path of [disk, file]) writeFileSync(path, "");
    truncateSync(disk, 1024 * 1024);
    const image = `driver=blklogwrites,file.driver=file,file.filename=${disk},log.driver=file,log.filename=${file}`;
    const commands = [
      "write -P 0x61 0 1024",
      "flush",
      "write -z 8192 4096",
      "discard 16384 4096",
      "write -P 0x62 512 512",
      "flush",
    ];
    execFileSync("qemu-io", ["--image-opts", image, ...commands.flatMap((command) => ["-c", command])]);
    const parsed = parseWriteLog(readFileSync(file));
    assert.ok(parsed.ok, parsed.ok ? "" : parsed.problem);
    const { entries } = parsed.log;
    assert.deepEqual(entries.slice(0, 6), [
      write(0, "aa"),
      FLUSH,
      write(16, "\0\0\0\0\0\0\0\0"),
      { kind: "discard", at: 16384, length: 4096 },
      write(1, "b"),
      FLUSH,
    ]);
    assert.equal(countEntries(file), entries.length);
    const after = new CutDisk(parsed.log, 1024 * 1024).cutAt(entries.length, "lost", new SeededRandom(1));
    assert.deepEqual(after.read(0, 1024 * 1024), readFileSync(disk), "all of it makes the disk that QEMU made");
  });

  test("a log that nobody has flushed counts no entries", (t) => {
    const file = join(scratch(t), "log");
    writeFileSync(file, "");
    assert.equal(countEntries(file), 0);
  });
});

/** The letters of the sectors that differ from a blank disk's, by sector. */
function shown(log: WriteLog, cut: number, fate: Fate, seed: number): string {
  const state = new CutDisk(log, DISK_BYTES).cutAt(cut, fate, new SeededRandom(seed));
  const bytes = state.read(0, DISK_BYTES);
  return Array.from({ length: DISK_BYTES / SECTOR }, (_, sector) => {
    const piece = bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    assert.deepEqual([piece[0], piece[0]], [piece[1], piece.at(-1)], "a sector is written whole");
    return String.fromCharCode(piece[0] || 0x2e);
  })
    .join("")
    .replace(/\.+$/, "");
}

/** Every disk that 300 seeds make. */
function all(log: WriteLog, cut: number, fate: Fate): Set<string> {
  return new Set(Array.from({ length: 200 }, (_, seed) => shown(log, cut, fate, seed)));
}

describe("a power cut", () => {
  const log = logOf(write(0, "ab"), FLUSH, write(1, "cd"), write(2, "e"), write(4, "fg"));

  test("what was flushed is there, whatever the fate", () => {
    const apart = logOf(write(0, "ab"), FLUSH, write(3, "cd"), write(3, "e"), write(5, "f"));
    for (const cut of [2, 3, 4, 5])
      for (const fate of FATES) for (const disk of all(apart, cut, fate)) assert.match(disk, /^ab/, fate);
  });

  test("before the flush is completed nothing is certain", () => {
    assert.deepEqual(all(log, 1, "lost"), new Set([""]));
    assert.deepEqual(all(log, 1, "torn"), new Set(["", "a", ".b", "ab"]));
  });

  test("arrived: all that was completed, and a beginning of what was under way", () => {
    assert.deepEqual(all(log, 4, "arrived"), new Set(["ace", "ace.f", "ace.fg"]));
    assert.deepEqual(all(log, 5, "arrived"), new Set(["ace.fg"]));
  });

  test("lost: only what was flushed", () => assert.deepEqual(all(log, 5, "lost"), new Set(["ab"])));

  test("some: each write whole or not at all, the later on top", () => {
    assert.deepEqual(all(log, 4, "some"), new Set(["ab", "acd", "abe", "ace"]));
  });

  test("reordered: the earlier of two may lie on top", () => {
    assert.deepEqual(all(log, 4, "reordered"), new Set(["ab", "acd", "abe", "ace"]));
    const over = logOf(write(0, "ab"), write(0, "cd"));
    assert.deepEqual(all(over, 2, "reordered"), new Set(["", "ab", "cd"]));
    assert.deepEqual(all(over, 2, "some"), new Set(["", "ab", "cd"]));
    // Both are there in `arrived`, where the order holds.
    assert.deepEqual(all(over, 2, "arrived"), new Set(["cd"]));
  });

  test("torn: each sector by itself", () => {
    assert.deepEqual(all(logOf(write(0, "ab"), write(0, "cd")), 2, "torn").size, 9);
  });

  test("a forced write is there, over everything before it, and what was not forced is not for that", () => {
    const forced = logOf(write(0, "a"), write(0, "b", "forced"), write(1, "c"));
    for (const fate of FATES) for (const disk of all(forced, 3, fate)) assert.match(disk, /^bc?$/, fate);
    assert.deepEqual(all(forced, 3, "lost"), new Set(["b"]));
  });

  test("a write that flushes first makes those before it certain, not itself", () => {
    const flushing = logOf(write(0, "a"), write(1, "b", "flushes-first"));
    assert.deepEqual(all(flushing, 2, "lost"), new Set(["a"]));
    assert.deepEqual(all(flushing, 1, "lost"), new Set([""]));
  });

  test("a discard that was flushed leaves zeros; one that was not, nothing yet", () => {
    const discarding = logOf(write(0, "abc"), FLUSH, { kind: "discard", at: 0, length: 2 * SECTOR }, FLUSH);
    assert.equal(shown(discarding, 3, "arrived", 1), "abc");
    assert.equal(shown(discarding, 4, "lost", 1), "..c");
  });

  test("the same seed makes the same disks, and the file is what is read", (t) => {
    const path = join(scratch(t), "disk");
    for (let seed = 1; seed <= 50; seed++) {
      withSeed(seed, (random) => {
        const disk = new CutDisk(log, Buffer.alloc(DISK_BYTES, "z"));
        for (const { cut, fate } of plannedCuts(4, 0, 5, random)) {
          const state = disk.cutAt(cut, fate, new SeededRandom(seed));
          const whole = state.read(0, DISK_BYTES);
          state.writeTo(path);
          assert.deepEqual(readFileSync(path), whole);
          assert.deepEqual(disk.cutAt(cut, fate, new SeededRandom(seed)).read(0, DISK_BYTES), whole);
          assert.deepEqual(state.read(700, 900), whole.subarray(700, 1600));
        }
      });
    }
  });

  test("what cannot be is said", () => {
    const disk = new CutDisk(log, DISK_BYTES);
    const cut = (at: number) => () => disk.cutAt(at, "lost", new SeededRandom(1));
    assert.throws(cut(6), /the log has 5/);
    disk.cutAt(3, "lost", new SeededRandom(1));
    assert.throws(cut(0), /cannot go back to 0/);
    assert.throws(() => new CutDisk(log, SECTOR).cutAt(2, "lost", new SeededRandom(1)), /the disk has 512/);
  });
});
