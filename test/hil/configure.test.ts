/** Bringing a device to a file, over its console: the appliance's own command line, joined to the driver by a line in memory. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { ConsoleSession } from "../../appliance/cli/session.ts";
import { systemClock } from "../../hil/clock.ts";
import { configurationLines, configureDevice } from "../../hil/configure.ts";
import { Console } from "../../hil/console/console.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { DeviceConsole } from "../../hil/node/device-console.ts";
import { BenchDevice } from "../support/bench-device.ts";
import { OFFICE } from "../support/config-text.ts";
import { PASSWORD } from "../support/console-desk.ts";

/** A device whose console is `line`. */
async function bench() {
  const device = new BenchDevice();
  await device.appliance.administrator.setPassword(PASSWORD);
  let session: ConsoleSession | undefined;
  const line = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      session?.feed(bytes);
      done();
    },
  });
  session = new ConsoleSession(device.appliance, {
    terminal: true,
    write: (text) => void line.push(Buffer.from(text.replaceAll("\n", "\r\n"))),
  });
  const clock = systemClock();
  const console = new DeviceConsole(new Console("office", line, { clock, journal: new Journal(clock) }));
  session.start();
  return { device, console, session };
}

const FILE = ["# the head office", "", ...OFFICE.map((line) => `set ${line}`)].join("\n");
const REPLACE = { mode: "replace", isDryRun: false } as const;

test("a file onto a fresh device: shown, committed, read back, confirmed; a second time changes nothing", async () => {
  const { device, console } = await bench();
  await console.enter("admin", PASSWORD);
  const lines = configurationLines(FILE);
  const first = await configureDevice(console, lines, REPLACE);
  assert.equal(first.result, "changed");
  assert.ok(first.changes.includes("set vpn account alice password ********"), first.changes.join("\n"));
  assert.equal(device.appliance.trialMinutes, undefined, "it is confirmed");
  assert.equal(new BenchDevice(device.disk).vpn.applied.at(-1)?.server.enabled, true, "and stored");
  assert.deepEqual(await configureDevice(console, lines, REPLACE), { result: "unchanged", changes: [] });
  await console.leave();
});

test("only looking changes nothing", async () => {
  const { device, console } = await bench();
  await console.enter("admin", PASSWORD);
  const shown = await configureDevice(console, configurationLines(FILE), { mode: "merge", isDryRun: true });
  assert.equal(shown.result, "shown");
  assert.equal(shown.changes.length, OFFICE.length);
  assert.equal(device.appliance.running.size, 0);
});

test("lines that the device does not take are all told, and nothing is changed", async () => {
  const { device, console } = await bench();
  await console.enter("admin", PASSWORD);
  const lines = ["set system name good", "set vpn server mtu 9", "set vpn nothing 1"];
  await assert.rejects(configureDevice(console, lines, REPLACE), (error: Error) => {
    assert.match(error.message, /set vpn server mtu 9\n% line 2: "9" is not possible here/);
    assert.match(error.message, /set vpn nothing 1\n% line 3: no setting "nothing" here/);
    return true;
  });
  assert.equal(device.appliance.name, "culvert");
  const { result } = await configureDevice(console, ["set system name next"], REPLACE);
  assert.equal(result, "changed", "the console is as it was");
});

test("a configuration that makes no sense as a whole is refused with its problems", async () => {
  const { console } = await bench();
  await console.enter("admin", PASSWORD);
  await assert.rejects(
    configureDevice(console, ["set vpn server enabled true"], REPLACE),
    /Not committed: \d+ problems/,
  );
});

test("a console that another session left in the midst of something is taken as it is", async () => {
  const { console, session } = await bench();
  await console.enter("admin", PASSWORD);
  session.feed(Buffer.from("configure\rset system name left\rset vpn ser"));
  await console.enter("admin", PASSWORD);
  assert.match(await console.run("show version"), /Culvert/);
});

test("a wrong password is told as such", async () => {
  const { console } = await bench();
  await assert.rejects(console.enter("admin", "wrong"), /the device refuses the login: wrong user or password/);
});
