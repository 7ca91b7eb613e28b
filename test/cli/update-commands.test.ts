import assert from "node:assert/strict";
import { test } from "node:test";
import { BenchDevice } from "../support/bench-device.ts";
import { ConsoleDesk } from "../support/console-desk.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { FakeFlash } from "../support/fake-flash.ts";
import { bundleOf, fakeFirmware, signingKey } from "../support/signed-slots.ts";
import { frame, SshDesk, withSsh } from "../support/ssh-desk.ts";

const TIMEOUT = { timeout: 30_000 };
const KEY = signingKey("development");
const FRAME_BYTES = 16_384;

async function slottedDevice(): Promise<BenchDevice> {
  const flash = FakeFlash.holding(await fakeFirmware({ key: "1", signedBy: KEY, version: "1.0", rollbackIndex: 2 }), 2);
  const device = withSsh(new BenchDevice(new FakeDisk(), () => {}, flash));
  await device.appliance.updates.start();
  return device;
}

/** `ssh admin@DEVICE COMMAND < input`, no faster than it is granted. */
async function ssh(
  device: BenchDevice,
  command: string,
  input: Buffer,
): Promise<{ status: number | "cut"; desk: SshDesk }> {
  const desk = new SshDesk({ device, command });
  for (let at = 0; at < input.length; at += FRAME_BYTES) {
    for (let waits = 0; desk.credit < FRAME_BYTES && desk.client.isOpen && waits < 100; waits++)
      await new Promise((resolve) => setImmediate(resolve));
    const bytes = input.subarray(at, at + FRAME_BYTES);
    desk.credit -= bytes.length;
    desk.client.send(frame("I", bytes));
  }
  desk.endInput();
  return { status: await desk.status(), desk };
}

test("an update over SSH: refused and taken, told MiB by MiB, waiting for the next start", TIMEOUT, async () => {
  const device = await slottedDevice();
  const next = bundleOf(await fakeFirmware({ key: "2", signedBy: KEY, version: "2.0", rollbackIndex: 2 }));
  const foreign = bundleOf(await fakeFirmware({ key: "2", signedBy: signingKey() }));
  const refused = await ssh(device, "update install", foreign);
  assert.equal(refused.status, 1);
  assert.match(refused.desk.error, /^% the bundle is not signed by a key that this firmware trusts/);
  const taken = await ssh(device, "update install", next);
  assert.deepEqual([taken.status, taken.desk.error], [0, ""]);
  const said = taken.desk.text.split("\n");
  assert.deepEqual(said.slice(0, 3), ["writing: 1 of 3 MiB", "writing: 2 of 3 MiB", "writing: 3 of 3 MiB"]);
  assert.match(said.at(-2) ?? "", /^Version 2\.0 is in slot b, read back and right\./);
  const view = new SshDesk({ device, command: "update" });
  assert.equal(await view.status(), 0);
  assert.match(view.text, /^b +at the next start +2\.0 +with a development key$/m);
  const person = new SshDesk({ device, size: [80, 24] });
  assert.match(person.text, /^Slot a runs version 1\.0; version 2\.0 in slot b is tried at the next start\.\n/);
  assert.match(person.run("show version").join("\n"), /^ {2}slot +a\n {2}signed +with a development key$/m);
});

test("an older firmware is let in at the serial console, and there alone", TIMEOUT, async () => {
  const device = await slottedDevice();
  const old = bundleOf(await fakeFirmware({ key: "2", signedBy: KEY, version: "0.9", rollbackIndex: 1 }));
  const remote = new SshDesk({ device, command: "update allow-downgrade" });
  assert.equal(await remote.status(), 1);
  assert.match(remote.error, /on the serial console only/);
  const refused = await ssh(device, "update install", old);
  assert.match(
    refused.desk.error,
    /older than this device goes back to .*\n +only `update allow-downgrade` on the serial console/s,
  );
  const console = new ConsoleDesk({ device });
  await console.firstLogin();
  assert.deepEqual(console.run("update allow-downgrade"), ["An older firmware is let in for 10 minutes."]);
  assert.equal((await ssh(device, "update install", old)).status, 0);
});

test("a console says how a bundle comes in, and what cannot be done", TIMEOUT, async () => {
  const console = new ConsoleDesk({ device: await slottedDevice() });
  await console.firstLogin();
  assert.match(console.run("update install").join("\n"), /ssh admin@DEVICE update install < /);
  assert.equal(
    console.type("update commit\r").includes("% no slot is on trial") ||
      (await console.until("no slot is on trial")) !== "",
    true,
  );
});
