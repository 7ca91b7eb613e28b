/** The partition table: sgdisk reads what we write, every byte counts, and growing it survives a power cut after any write. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import {
  ALIGNMENT_SECTORS,
  BACKUP_SECTORS,
  ENTRY_SECTORS,
  emitPartitionTable,
  entriesOf,
  fitToDisk,
  type PartitionTable,
  type PlacedBytes,
  parsePartitionTable,
  SECTOR_BYTES,
} from "../../appliance/update/partition-table.ts";
import { projectRoot } from "../../image/project.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-gpt-"));
after(() => rmSync(folder, { recursive: true }));

const LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
const TABLE: PartitionTable = {
  diskGuid: "01234567-89AB-8CDE-8F01-23456789ABCD",
  sectors: 8 * ALIGNMENT_SECTORS,
  partitions: [
    { name: "first", type: LINUX, guid: "11111111-2222-8333-8444-555555555555", firstSector: 2048, sectors: 2048 },
    { name: "the last", type: LINUX, guid: "AAAAAAAA-BBBB-8CCC-8DDD-EEEEEEEEEEEE", firstSector: 4096, sectors: 4096 },
  ],
};

/** A file with the table on it. */
function disk(name: string, table: PartitionTable = TABLE): string {
  const file = join(folder, name);
  const handle = openSync(file, "w");
  ftruncateSync(handle, table.sectors * SECTOR_BYTES);
  for (const { offset, bytes } of Object.values(emitPartitionTable(table)))
    writeSync(handle, bytes, 0, bytes.length, offset);
  closeSync(handle);
  return file;
}

function readCopy(bytes: Buffer, headerAt: number): PartitionTable | undefined {
  const sector = (at: number, count: number): Buffer => bytes.subarray(at * SECTOR_BYTES, (at + count) * SECTOR_BYTES);
  const entriesAt = entriesOf(sector(headerAt, 1));
  return entriesAt === undefined
    ? undefined
    : parsePartitionTable(sector(headerAt, 1), sector(entriesAt, ENTRY_SECTORS));
}

function bothCopies(bytes: Buffer): (PartitionTable | undefined)[] {
  return [readCopy(bytes, 1), readCopy(bytes, bytes.length / SECTOR_BYTES - 1)];
}

function sgdisk(...args: readonly string[]): string {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  return execFileSync("sgdisk", args, { env: { ...process.env, PATH: path } }).toString();
}

describe("partition table", () => {
  test("sgdisk finds nothing wrong with it and reads every field (UEFI 2.10 §5.3)", () => {
    const file = disk("sgdisk");
    const said = sgdisk("-v", "-p", "-i", "2", file);
    assert.match(said, /No problems found/);
    assert.match(said, /Partition GUID code: 0FC63DAF-8483-4772-8E79-3D69D8477DE4 \(Linux filesystem\)/);
    assert.match(said, /Partition unique GUID: AAAAAAAA-BBBB-8CCC-8DDD-EEEEEEEEEEEE/);
    assert.match(said, /First sector: 4096 .*\nLast sector: 8191 [\s\S]*Partition name: 'the last'/);
    assert.match(said, /Disk identifier \(GUID\): 01234567-89AB-8CDE-8F01-23456789ABCD/);
  });

  test("we read what sgdisk writes", () => {
    const file = join(folder, "foreign");
    writeFileSync(file, "");
    truncateSync(file, TABLE.sectors * SECTOR_BYTES);
    const partitions = TABLE.partitions.flatMap(({ name, type, guid, firstSector, sectors }, index) => {
      const number = index + 1;
      const place = `${number}:${firstSector}:${firstSector + sectors - 1}`;
      return ["-n", place, "-t", `${number}:${type}`, "-u", `${number}:${guid}`, "-c", `${number}:${name}`];
    });
    sgdisk("-U", TABLE.diskGuid, ...partitions, file);
    assert.deepEqual(bothCopies(readFileSync(file)), [TABLE, TABLE]);
  });

  test("both copies are read again; one wrong bit anywhere in header or entries makes a copy none", () => {
    const bytes = readFileSync(disk("bits"));
    assert.deepEqual(bothCopies(bytes), [TABLE, TABLE]);
    const used = [SECTOR_BYTES, SECTOR_BYTES + 92, 2 * SECTOR_BYTES, (2 + ENTRY_SECTORS) * SECTOR_BYTES] as const;
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: used[0], max: used[1] - 1 }), fc.integer({ min: used[2], max: used[3] - 1 })),
        fc.integer({ min: 0, max: 7 }),
        (at, bit) => {
          const broken = Buffer.from(bytes.subarray(0, (2 + ENTRY_SECTORS) * SECTOR_BYTES));
          broken.writeUInt8(broken.readUInt8(at) ^ (1 << bit), at);
          assert.equal(readCopy(broken, 1), undefined);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("any bytes are read without a throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.uint8Array({ maxLength: 600 }), (sector, entries) => {
        entriesOf(Buffer.from(sector));
        assert.equal(parsePartitionTable(Buffer.from(sector), Buffer.from(entries)), undefined);
      }),
    );
  });

  test("fits a larger disk to its last MiB before the backup, and refuses a smaller one", () => {
    const sectors = 100 * ALIGNMENT_SECTORS + 7;
    const fitted = fitToDisk(TABLE, sectors);
    assert.deepEqual(fitted?.partitions[0], TABLE.partitions[0]);
    assert.deepEqual(fitted?.partitions[1], { ...TABLE.partitions[1], sectors: 97 * ALIGNMENT_SECTORS });
    assert.deepEqual(fitToDisk(TABLE, 4096 + 4096 + BACKUP_SECTORS)?.partitions, TABLE.partitions);
    assert.equal(fitToDisk(TABLE, 4096 + 4096 + BACKUP_SECTORS - 1), undefined);
  });
});

describe("extend-data", () => {
  const program = join(projectRoot, "dist/appliance/update/extend-data.js");
  const LARGER = 64 * ALIGNMENT_SECTORS;
  const extend = (file: string): string =>
    execFileSync(process.execPath, [program, file], { stdio: "pipe" }).toString();

  /** A disk onto which the image was written: larger, with a boot loader's code in its first sector. */
  function flashed(name: string): string {
    const file = disk(name);
    const bytes = readFileSync(file);
    bytes.write("boot code", 0);
    writeFileSync(file, bytes);
    truncateSync(file, LARGER * SECTOR_BYTES);
    return file;
  }

  test("sgdisk finds nothing wrong afterwards; the boot code stays", () => {
    const file = flashed("extended");
    assert.match(sgdisk("-v", file), /secondary header.s self-pointer/);
    assert.equal(extend(file), `${61 * ALIGNMENT_SECTORS}\n`);
    assert.match(sgdisk("-v", file), /No problems found/);
    assert.equal(readFileSync(file).toString("latin1", 0, 9), "boot code");
    assert.equal(extend(file), `${61 * ALIGNMENT_SECTORS}\n`, "a second time changes nothing");
  });

  test("after a power cut at any sector of it, one whole table is left, and the next run completes it", () => {
    const file = flashed("cut");
    const before = readFileSync(file);
    const fitted = fitToDisk(TABLE, LARGER);
    assert.ok(fitted);
    const { backup, primary } = emitPartitionTable(fitted);
    const sectorsOf = ({ offset, bytes }: PlacedBytes): PlacedBytes[] =>
      Array.from({ length: bytes.length / SECTOR_BYTES }, (_, index) => ({
        offset: offset + index * SECTOR_BYTES,
        bytes: bytes.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
      }));
    // The first sector is written with what was in it.
    const writes = [...sectorsOf(backup), ...sectorsOf(primary).slice(1)];
    const state = Buffer.from(before);
    for (const { offset, bytes } of writes) {
      bytes.copy(state, offset);
      const copies = bothCopies(state).filter((copy) => copy !== undefined);
      assert.ok(copies.length > 0, `no table after the write at ${offset}`);
    }
    // The worst of them: entries of the primary are new, its header is not.
    const torn = Buffer.from(before);
    for (const { offset, bytes } of [...sectorsOf(backup), ...sectorsOf(primary).slice(2)]) bytes.copy(torn, offset);
    assert.equal(readCopy(torn, 1), undefined);
    writeFileSync(file, torn);
    extend(file);
    assert.deepEqual(bothCopies(readFileSync(file)), [fitted, fitted]);
  });

  test("a disk without a table of ours, and one that is too small, are left alone", () => {
    const empty = join(folder, "empty");
    writeFileSync(empty, Buffer.alloc(1 << 20));
    assert.throws(() => extend(empty), /has no partition table of ours/);
    const small = disk("small");
    truncateSync(small, (4096 + 2048) * SECTOR_BYTES);
    const before = readFileSync(small);
    assert.throws(() => extend(small), /is smaller than the partitions on it/);
    assert.deepEqual(readFileSync(small), before);
  });
});
