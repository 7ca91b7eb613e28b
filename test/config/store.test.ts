import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Config } from "../../appliance/config/config.ts";
import { type Disk, folderDisk } from "../../appliance/config/disk.ts";
import { ConfigStore } from "../../appliance/config/store.ts";
import { configOf } from "../support/config-text.ts";
import { FakeDisk, PowerCut } from "../support/fake-disk.ts";

const TIME = "2026-11-22T10:00:00.000Z";
const mtu = (value: number): Config => configOf(`vpn server mtu ${value}`);
const newest = (disk: Disk): unknown => new ConfigStore(disk).load().generations[0]?.config.get("vpn server mtu");

/** A disk with `count` commits: MTU 1001, 1002, ... */
function withCommits(count: number): { disk: FakeDisk; store: ConfigStore } {
  const disk = new FakeDisk();
  const store = new ConfigStore(disk);
  store.load();
  for (let i = 1; i <= count; i++) store.commit(mtu(1000 + i), TIME);
  return { disk, store };
}

test("a new disk holds nothing, and what is committed is there after a restart", () => {
  const { disk, store } = withCommits(0);
  assert.deepEqual(new ConfigStore(disk).load(), { generations: [], findings: [] });
  store.commit(configOf("vpn server dns 10.0.0.1 10.0.0.2", 'vpn account al.ice password ü\\"x'), TIME);
  const { generations, findings } = new ConfigStore(disk).load();
  assert.deepEqual(findings, []);
  assert.deepEqual(generations, store.generations);
  assert.equal(generations[0]?.committedAt, TIME);
});

test("the last 20 commits are kept behind the newest, and no file more", () => {
  const { disk, store } = withCommits(30);
  assert.deepEqual(
    store.generations.map(({ number }) => number),
    Array.from({ length: 21 }, (_, i) => 30 - i),
  );
  assert.equal(disk.list().length, 21);
  assert.deepEqual(new ConfigStore(disk).load().generations, store.generations);
});

test("a power cut at any instant of a commit leaves the old configuration or the new one", () => {
  for (const before of [1, 25]) {
    let operations = 0;
    for (let cut = true; cut; operations++) {
      const { disk, store } = withCommits(before);
      disk.cutAfter(operations);
      cut = false;
      try {
        store.commit(mtu(1400), TIME);
      } catch (error) {
        assert.ok(error instanceof PowerCut);
        cut = true;
      }
      for (const after of disk.afterCut()) {
        const { findings } = new ConfigStore(after).load();
        assert.deepEqual(findings, [], `cut after ${operations} operations`);
        assert.ok([1000 + before, 1400].includes(Number(newest(after))), `cut after ${operations} operations`);
        // And the device goes on from there.
        const next = new ConfigStore(after);
        next.load();
        next.commit(mtu(1234), TIME);
        assert.equal(newest(after), 1234);
      }
      if (!cut) for (const after of disk.afterCut()) assert.equal(newest(after), 1400, "a finished commit survives");
    }
    assert.ok(operations >= 4, "writing, renaming and syncing were all cut");
  }
});

test("whatever happens to the newest file, the one before is in force, and it is said", () => {
  const { disk } = withCommits(3);
  const length = disk.read("config.3")?.length ?? 0;
  const damages: ((bytes: Buffer) => Buffer)[] = [
    ...Array.from({ length }, (_, at) => (bytes: Buffer) => bytes.subarray(0, at)),
    ...Array.from(
      { length },
      (_, at) => (bytes: Buffer) =>
        Buffer.concat([bytes.subarray(0, at), Buffer.from([(bytes[at] ?? 0) ^ 1]), bytes.subarray(at + 1)]),
    ),
    (bytes) => Buffer.concat([bytes, Buffer.from(" ")]),
    (bytes) => Buffer.alloc(bytes.length),
  ];
  for (const [i, damage] of damages.entries()) {
    const damaged = withCommits(3).disk;
    damaged.damage("config.3", damage);
    const { generations, findings } = new ConfigStore(damaged).load();
    assert.equal(generations[0]?.number, 2, `damage ${i}`);
    assert.match(findings.join("; "), /configuration 3 was passed over: it is damaged .*configuration 2 is in force/);
  }
});

test("after damage the next commit gets a number of its own", () => {
  const { disk } = withCommits(3);
  disk.damage("config.3", () => Buffer.alloc(0));
  const store = new ConfigStore(disk);
  store.load();
  assert.equal(store.commit(mtu(1400), TIME).number, 4);
  assert.equal(newest(disk), 1400);
});

test("with no good file left the defaults hold, and it is said", () => {
  const { disk } = withCommits(1);
  disk.damage("config.1", () => Buffer.from("gone"));
  const { generations, findings } = new ConfigStore(disk).load();
  assert.deepEqual(generations, []);
  assert.match(findings.join("; "), /defaults are in force/);
});

test("other files in the folder do not matter", () => {
  const { disk } = withCommits(2);
  for (const name of ["config.3.new", "config.x", "administrator", "lost+found"]) disk.write(name, Buffer.from("?"));
  assert.deepEqual(new ConfigStore(disk).load().findings, []);
  assert.equal(newest(disk), 1002);
});

test("the real folder is made, readable by root alone, and commits survive in it", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "culvert-store-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const place = join(folder, "data", "config");
  const store = new ConfigStore(folderDisk(place));
  store.load();
  store.commit(mtu(1300), TIME);
  store.commit(mtu(1301), TIME);
  writeFileSync(join(place, "config.2"), "damaged");
  assert.equal(newest(folderDisk(place)), 1300);
  assert.equal(statSync(place).mode & 0o777, 0o700);
  assert.equal(statSync(join(place, "config.1")).mode & 0o777, 0o600);
  assert.equal(folderDisk(place).read("nothing"), undefined);
});
