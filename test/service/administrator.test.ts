import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "../../appliance/ports.ts";
import { Administrator } from "../../appliance/service/administrator.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { ManualClock } from "../support/manual-clock.ts";

const PASSWORD = "correct horse";
const counting = (): Random => {
  let salt = 0;
  return { bytes: (length) => Buffer.alloc(length, ++salt) };
};

async function withPassword(): Promise<{ disk: FakeDisk; clock: ManualClock; administrator: Administrator }> {
  const disk = new FakeDisk();
  const clock = new ManualClock();
  const administrator = new Administrator(disk, clock, counting());
  await administrator.setPassword(PASSWORD);
  return { disk, clock, administrator };
}

test("a new device has no password, accepts none, and takes one that is long enough", async () => {
  const administrator = new Administrator(new FakeDisk(), new ManualClock(), counting());
  assert.equal(administrator.hasPassword, false);
  assert.deepEqual(await administrator.tryPassword("", "console"), { result: "wrong" });
  await assert.rejects(administrator.setPassword("seven77"), /at least 8 characters/);
  await assert.rejects(administrator.setPassword("x".repeat(129)), /at most 128 characters/);
  assert.equal(administrator.hasPassword, false);
});

test("the password works after a restart, and neither it nor anything alike is on the disk", async () => {
  const { disk, clock } = await withPassword();
  const again = new Administrator(disk, clock, counting());
  assert.equal(again.hasPassword, true);
  assert.deepEqual(await again.tryPassword(`${PASSWORD} `, "console"), { result: "wrong" });
  assert.deepEqual(await again.tryPassword(PASSWORD, "console"), { result: "right" });
  for (const name of disk.list()) assert.ok(!disk.read(name)?.includes("horse"));
});

test("the same password has another hash each time: salt", async () => {
  const { disk, administrator } = await withPassword();
  const before = disk.read("administrator");
  await administrator.setPassword(PASSWORD);
  assert.notDeepEqual(disk.read("administrator"), before);
});

test("a damaged file is no password", async () => {
  const { disk, clock } = await withPassword();
  disk.damage("administrator", (bytes) => bytes.subarray(1));
  assert.equal(new Administrator(disk, clock, counting()).hasPassword, false);
});

test("three wrong passwords make the next one wait, longer each time, right or wrong", async () => {
  const { clock, administrator } = await withPassword();
  for (let i = 0; i < 3; i++) assert.equal((await administrator.tryPassword("wrong", "console")).result, "wrong");
  assert.deepEqual(await administrator.tryPassword(PASSWORD, "console"), { result: "wait", waitMs: 5000 });
  clock.advance(4999);
  assert.deepEqual(await administrator.tryPassword(PASSWORD, "console"), { result: "wait", waitMs: 1 });
  clock.advance(1);
  assert.equal((await administrator.tryPassword("wrong", "console")).result, "wrong");
  assert.deepEqual(await administrator.tryPassword(PASSWORD, "console"), { result: "wait", waitMs: 10_000 });
  clock.advance(10_000);
  assert.deepEqual(await administrator.tryPassword(PASSWORD, "console"), { result: "right" });
  assert.equal((await administrator.tryPassword("wrong", "console")).result, "wrong");
  assert.deepEqual(await administrator.tryPassword(PASSWORD, "console"), { result: "right" });
});

test("the wait ends at five minutes, and attempts side by side are not free", async () => {
  const { clock, administrator } = await withPassword();
  for (let i = 0; i < 12; i++) {
    clock.advance(300_000);
    await administrator.tryPassword("wrong", "console");
  }
  assert.deepEqual(await administrator.tryPassword(PASSWORD, "console"), { result: "wait", waitMs: 300_000 });
  clock.advance(300_000);
  const results = await Promise.all(["a", "b", "c"].map((word) => administrator.tryPassword(word, "console")));
  assert.deepEqual(
    results.map(({ result }) => result),
    ["wrong", "wait", "wait"],
  );
});
