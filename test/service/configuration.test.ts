/** Commits on trial, the history, loading a whole configuration, factory reset. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toLines } from "../../appliance/config/diff.ts";
import type { Edit } from "../../appliance/service/edit.ts";
import { BenchDevice } from "../support/bench-device.ts";
import { BRANCH, OFFICE } from "../support/config-text.ts";

const MINUTE_MS = 60_000;

function edited(device: BenchDevice, ...lines: readonly string[]): Edit {
  const edit = device.appliance.beginEdit("a test");
  for (const line of lines) assert.equal(edit.set(line.split(" ")), undefined, line);
  return edit;
}
function office(): BenchDevice {
  const device = new BenchDevice();
  assert.equal(edited(device, ...OFFICE).commit().result, "committed");
  return device;
}
const mtuOf = (device: BenchDevice): unknown => device.vpn.applied.at(-1)?.server.mtu;

test("on trial: in force at once, not stored, and taken back when nobody confirms", () => {
  const device = office();
  const edit = edited(device, "vpn server mtu 1300");
  assert.equal(edit.commit(5).result, "on-trial");
  assert.equal(mtuOf(device), 1300);
  assert.equal(device.appliance.trialMinutes, 5);
  assert.equal(
    new BenchDevice(device.disk).vpn.applied.at(-1)?.server.mtu,
    1400,
    "a restart brings back the stored one",
  );
  device.clock.advance(5 * MINUTE_MS - 1);
  assert.equal(mtuOf(device), 1300);
  device.clock.advance(1);
  assert.equal(mtuOf(device), 1400);
  assert.equal(device.appliance.trialMinutes, undefined);
  assert.match(
    device.logText(),
    /warning config: nobody confirmed within 5 minutes: the configuration before is in force/,
  );
  assert.equal(edit.commit().result, "unchanged", "who comes too late confirms nothing");
  assert.equal(mtuOf(device), 1400);
});

test("a commit without changes confirms what is on trial", () => {
  const device = office();
  const edit = edited(device, "vpn server mtu 1300");
  edit.commit(5);
  assert.equal(edit.commit().result, "confirmed");
  device.clock.advance(60 * MINUTE_MS);
  assert.equal(mtuOf(device), 1300);
  assert.equal(new BenchDevice(device.disk).vpn.applied.at(-1)?.server.mtu, 1300);
  assert.equal(edit.commit().result, "unchanged");
});

test("a second trial begins its time anew, and goes back as far as the first", () => {
  const device = office();
  const edit = edited(device, "vpn server mtu 1300");
  edit.commit(5);
  device.clock.advance(4 * MINUTE_MS);
  edit.set(["vpn", "server", "mtu", "1200"]);
  assert.equal(edit.commit(2).result, "on-trial");
  device.clock.advance(2 * MINUTE_MS - 1);
  assert.equal(mtuOf(device), 1200);
  device.clock.advance(1);
  assert.equal(mtuOf(device), 1400);
});

test("an edit that began before a trial does not confirm it, and does not undo it unseen", () => {
  const device = office();
  const other = device.appliance.beginEdit("a test");
  edited(device, "vpn server mtu 1300").commit(5);
  assert.equal(other.commit().result, "unchanged");
  other.set(["system", "name", "x"]);
  assert.equal(other.commit().result, "overtaken");
  device.clock.advance(5 * MINUTE_MS);
  assert.equal(mtuOf(device), 1400);
});

test("what is wrong is refused on trial too", () => {
  const device = office();
  assert.equal(edited(device, "vpn server pool start 192.168.1.1").commit(5).result, "refused");
  assert.equal(device.appliance.trialMinutes, undefined);
});

test("the history tells each commit and what it changed", () => {
  const device = office();
  device.clock.advance(1000);
  edited(device, "vpn server mtu 1300", "vpn account alice password other").commit();
  const [newest, oldest, ...more] = device.appliance.history();
  assert.deepEqual(newest?.changes, ["set vpn server mtu 1300", "set vpn account alice password ********"]);
  assert.deepEqual([newest?.back, newest?.number, oldest?.back, more], [0, 2, 1, []]);
  assert.equal(oldest?.changes.length, OFFICE.length);
  const edit = device.appliance.beginEdit("a test");
  assert.deepEqual(edit.compareWith(1), newest?.changes);
  assert.equal(edit.compareWith(2), undefined);
});

/** Feeds lines as `show` prints them. */
function load(edit: Edit, mode: "merge" | "replace", lines: readonly string[]): readonly string[] {
  const loading = edit.load(mode);
  const refusals = lines.flatMap((line) => loading.take(line.split(" "))?.problem ?? []);
  assert.equal(edit.finish(loading), refusals.length === 0);
  return refusals;
}

test("what one device exports, another imports: with its secrets, or keeping its own", () => {
  const source = office();
  const exported = toLines(source.appliance.running, "show");
  const target = new BenchDevice();
  const edit = edited(target, ...BRANCH);
  assert.deepEqual(load(edit, "replace", exported), []);
  assert.deepEqual(toLines(edit.candidate, "show"), exported);
  assert.equal(edit.commit().result, "committed");

  const hidden = toLines(source.appliance.running, "hide");
  const again = target.appliance.beginEdit("a test");
  assert.deepEqual(load(again, "replace", hidden), []);
  assert.equal(again.changed, false, "hidden secrets are those that the device knows");
});

test("one wrong line, and nothing is taken", () => {
  const device = office();
  const edit = device.appliance.beginEdit("a test");
  const before = edit.candidate;
  const lines = ["set system name b", "set vpn server mtu 9", "show vpn", "set vpn account bob password ********"];
  assert.deepEqual(load(edit, "merge", lines), [
    '"9" is not possible here',
    '"show" is no line of a configuration',
    "the secret is hidden, and this device does not know it",
  ]);
  assert.equal(edit.candidate, before);
});

test("merge adds to what is set, and may delete", () => {
  const device = office();
  const edit = device.appliance.beginEdit("a test");
  assert.deepEqual(load(edit, "merge", ["set system name b", "delete vpn account alice"]), []);
  assert.deepEqual(edit.compare(), ["set system name b", "delete vpn account alice password"]);
});

test("a factory reset forgets settings and password, and restarts; cut in its midst it leaves no device without a password", async () => {
  const device = office();
  await device.appliance.administrator.setPassword("long enough");
  edited(device, "vpn server mtu 1300").commit();
  device.appliance.factoryReset();
  assert.deepEqual(device.powered, ["reboot"]);
  assert.deepEqual(device.disk.list(), []);
  const fresh = new BenchDevice(device.disk);
  assert.equal(fresh.appliance.running.size, 0);
  assert.equal(fresh.appliance.administrator.hasPassword, false);

  for (let operations = 0; operations < 5; operations++) {
    const cut = office();
    await cut.appliance.administrator.setPassword("long enough");
    cut.disk.cutAfter(operations);
    try {
      cut.appliance.factoryReset();
    } catch {}
    for (const disk of cut.disk.afterCut()) {
      const { appliance } = new BenchDevice(disk);
      assert.ok(appliance.administrator.hasPassword || appliance.running.size === 0, `after ${operations} operations`);
    }
  }
});
