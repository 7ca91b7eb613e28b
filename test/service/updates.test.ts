import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Net } from "../../appliance/ports.ts";
import type { Expected } from "../../appliance/service/health.ts";
import { Updates } from "../../appliance/service/updates.ts";
import { type SlotName, takeBack } from "../../appliance/update/boot-state.ts";
import { Slots } from "../../appliance/update/slots.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import type { SigningKey } from "../../image/sign.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { FakeFlash } from "../support/fake-flash.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { bundleOf, type FakeFirmware, fakeFirmware, inPieces, signingKey } from "../support/signed-slots.ts";

/** Everything that waits for nothing but memory is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A device over its lives: the medium and the data partition stay. */
class Device {
  readonly key: SigningKey = signingKey("development");
  readonly disk = new FakeDisk();
  readonly clock = new ManualClock();
  readonly log: string[] = [];
  runDisk = new FakeDisk();
  flash = new FakeFlash();
  updates!: Updates;
  reboots = 0;
  gateway: Ipv4 | undefined;
  complaints: readonly string[] = [];
  expected: Expected | undefined;

  async begin(): Promise<void> {
    this.flash = FakeFlash.holding(await this.firmware({ key: "1", version: "1.0" }), 1);
    await this.boot("a");
  }
  firmware(facts: Omit<FakeFirmware, "signedBy">): ReturnType<typeof fakeFirmware> {
    return fakeFirmware({ signedBy: this.key, bytes: 70_000, ...facts });
  }
  async boot(slot: SlotName | undefined): Promise<void> {
    this.updates?.close();
    this.flash.booted = slot;
    this.runDisk = new FakeDisk();
    this.reboots = 0;
    this.updates = new Updates({
      flash: this.flash,
      board: "x86_64",
      complaints: async (expected) => {
        this.expected = expected;
        return await Promise.resolve(this.complaints);
      },
      net: { defaultGateway: () => this.gateway } as Net,
      disk: this.disk,
      runDisk: this.runDisk,
      power: { reboot: () => this.reboots++, powerOff: () => {} },
      clock: this.clock,
      timers: this.clock,
      log: { write: (level, _area, text) => this.log.push(`${level}: ${text}`) },
    });
    await this.updates.start();
  }
  async install(facts: Omit<FakeFirmware, "signedBy">): ReturnType<Updates["install"]> {
    return await this.updates.install(inPieces(bundleOf(await this.firmware(facts))), () => {});
  }
  async wait(ms: number): Promise<void> {
    for (let done = 0; done < ms; done += 1000) {
      this.clock.advance(1000);
      await settled();
    }
  }
}

let device: Device;
beforeEach(async () => {
  device = new Device();
  await device.begin();
});

test("a healthy update commits by itself", async () => {
  const done = await device.install({ key: "2", version: "2.0", rollbackIndex: 2 });
  assert.deepEqual(done, {
    ok: true,
    said: "Version 2.0 is in slot b, read back and right. It is tried at the next start.",
  });
  const { running, spare, waiting } = device.updates.view() ?? {};
  assert.deepEqual([running?.version, running?.signedBy, spare?.version, waiting], ["1.0", "development", "2.0", true]);
  await device.boot("b");
  assert.equal(device.updates.view()?.situation, "trial");
  await device.wait(9000);
  assert.ok(device.updates.view()?.trial, "a service that lives for a moment is no proof");
  assert.equal(device.runDisk.read("committed"), undefined);
  await device.wait(1000);
  const view = device.updates.view();
  assert.deepEqual([view?.situation, view?.trial, view?.rollbackIndex, view?.waiting], ["normal", undefined, 2, false]);
  assert.ok(device.runDisk.read("committed"));
  await device.boot("b");
  assert.equal(device.updates.view()?.situation, "normal");
  assert.deepEqual((await device.install({ key: "1", version: "1.0" })).ok, false, "the floor has risen");
});

test("an update that is not healthy in time is taken back, and the reason is kept", async () => {
  await device.install({ key: "2", version: "2.0" });
  await device.boot("b");
  device.complaints = ["the PPTP service does not answer on port 1723", "the console did not start"];
  await device.wait(60_000);
  assert.deepEqual(device.updates.view()?.trial, { secondsLeft: 120, complaints: device.complaints });
  await device.wait(121_000);
  assert.equal(device.reboots, 1);
  assert.equal(device.updates.view()?.situation, "leaving", "until it has gone down");
  assert.equal((await device.updates.commit()).ok, false);
  await device.boot("a");
  assert.equal(device.updates.view()?.situation, "normal");
  const reason = "version 2.0 in slot b: the PPTP service does not answer on port 1723; the console did not start";
  assert.equal(device.updates.view()?.lastReason, reason);
  assert.deepEqual(device.updates.view()?.waiting, false);
  await device.boot("a");
  assert.equal(device.updates.view()?.lastReason, reason, "until the next update");
  await device.install({ key: "3", version: "3.0" });
  assert.equal(device.updates.view()?.lastReason, "");
});

test("health that comes late is soon enough", async () => {
  await device.install({ key: "2", version: "2.0" });
  await device.boot("b");
  device.complaints = ["there is no default route"];
  await device.wait(170_000);
  device.complaints = [];
  await device.wait(6000);
  assert.equal(device.updates.view()?.trial, undefined);
  assert.equal(device.reboots, 0);
});

test("what was there before the update is expected after it", async () => {
  for (const gateway of [Ipv4(1), undefined]) {
    device = new Device();
    await device.begin();
    device.gateway = gateway;
    await device.install({ key: "2" });
    await device.boot("b");
    await device.wait(10_000);
    assert.deepEqual(device.expected, { defaultRoute: gateway !== undefined });
  }
});

test("the administrator ends a trial by hand", async () => {
  assert.equal((await device.updates.commit()).ok, false);
  await device.install({ key: "2", version: "2.0" });
  await device.boot("b");
  device.complaints = ["something"];
  assert.deepEqual(await device.updates.commit(), { ok: true, said: "Slot b is committed." });
  await device.wait(300_000);
  assert.equal(device.reboots, 0);
  await device.install({ key: "3", version: "3.0" });
  await device.boot("a");
  assert.deepEqual(await device.updates.rollback(), { ok: true, said: "Restarting slot b." });
  await device.wait(1000);
  assert.equal(device.reboots, 1);
  await device.boot("b");
  assert.match(device.updates.view()?.lastReason ?? "", /slot a was taken back by the administrator/);
});

test("rollback goes back to the slot before, on trial, unless it is damaged or too old", async () => {
  assert.match(JSON.stringify(await device.updates.rollback()), /slot b holds no firmware/);
  await device.install({ key: "2", version: "2.0" });
  await device.boot("b");
  await device.wait(10_000);
  assert.deepEqual(await device.updates.rollback(), { ok: true, said: "Restarting slot a, on trial as an update is." });
  await device.boot("a");
  assert.equal(device.updates.view()?.situation, "trial");
  await device.wait(10_000);
  const slotB = device.flash.partition("slot-b");
  slotB[1000] = (slotB[1000] ?? 0) ^ 1;
  assert.match(JSON.stringify(await device.updates.rollback()), /slot b is damaged in MiB 1/);
});

test("an older firmware is let in for ten minutes after somebody at the device says so", async () => {
  await device.install({ key: "2", version: "2.0", rollbackIndex: 2 });
  await device.boot("b");
  await device.wait(10_000);
  const refused = await device.updates.rollback();
  assert.match(JSON.stringify(refused), /older than this device goes back to.*update allow-downgrade/);
  device.updates.allowDowngrade();
  await device.wait(600_000);
  assert.equal((await device.updates.rollback()).ok, false);
  device.updates.allowDowngrade();
  assert.equal((await device.install({ key: "3", version: "0.9", rollbackIndex: 0 })).ok, true);
  assert.equal((await device.updates.rollback()).ok, true);
});

test("one bundle at a time; a sender that fails says why", async () => {
  let go = (): void => {};
  async function* slow(): AsyncGenerator<Buffer> {
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    yield Buffer.alloc(0);
    throw new Error("the connection was cut");
  }
  const first = device.updates.install(slow(), () => {});
  assert.match(JSON.stringify(await device.install({ key: "2" })), /another update is coming in/);
  go();
  assert.deepEqual(await first, {
    ok: false,
    problem: "the connection was cut",
    hint: "nothing has changed: the next start is as this one",
  });
  assert.equal((await device.install({ key: "2" })).ok, true);
});

test("an environment that started a slot that was taken back leads to one more restart", async () => {
  await device.install({ key: "2" });
  await device.boot("b");
  const before = Buffer.from(device.flash.partition("BOOT"));
  const slots = await Slots.open(device.flash);
  assert.ok(slots);
  await slots.store(takeBack(slots.state, "ill"));
  before.copy(device.flash.partition("BOOT"));
  await device.boot("b");
  assert.equal(device.updates.view()?.situation, "leaving");
  await device.wait(1000);
  assert.equal(device.reboots, 1);
});

test("a system without slots says what is missing; a medium that fails is logged", async () => {
  await device.boot(undefined);
  assert.equal(device.updates.view(), undefined);
  for (const done of [
    await device.updates.commit(),
    await device.updates.rollback(),
    await device.install({ key: "2" }),
  ])
    assert.match(JSON.stringify(done), /not started out of a slot/);
  device.flash.open = () => Promise.reject(new Error("EIO"));
  await device.boot("a");
  assert.equal(device.log.at(-1), "error: the slots cannot be read: EIO");
});

test("until the medium has been read, nobody is told that there are no slots", async () => {
  const device = new Device();
  const begun = device.begin();
  while (device.updates === undefined) await Promise.resolve();
  assert.equal(device.updates.isReading, true);
  assert.deepEqual(await device.updates.commit(), {
    ok: false,
    problem: "the slots are still being read",
    hint: "try again in some seconds",
  });
  await begun;
  assert.equal(device.updates.isReading, false);
});

test("a full disk of the settings does not keep an update out", async () => {
  const device = new Device();
  await device.begin();
  device.disk.isFull = true;
  const done = await device.install({ key: "2", version: "2.0" });
  assert.ok(done.ok, JSON.stringify(done));
  assert.match(device.log.join("\n"), /warning: what a healthy device has could not be stored for the trial: ENOSPC/);
});
