import assert from "node:assert/strict";
import { before, test } from "node:test";
import { commit, parseEnvironment } from "../../appliance/update/boot-state.ts";
import { fatExtents } from "../../appliance/update/fat-file.ts";
import { CHUNK_BYTES, parseTrailer, TRAILER_BYTES } from "../../appliance/update/image-format.ts";
import { type Installed, type InstallOptions, type InstallProgress, install } from "../../appliance/update/install.ts";
import { Slots } from "../../appliance/update/slots.ts";
import type { SignedSlot } from "../../image/sign.ts";
import { FakeFlash, placeOf } from "../support/fake-flash.ts";
import { bundleOf, fakeFirmware, inPieces, signingKey } from "../support/signed-slots.ts";

const KEY = signingKey();
const OPTIONS: InstallOptions = { board: "x86_64", configSchema: 1, allowDowngrade: false, onProgress: () => {} };

let oldSlot: SignedSlot;
let newSlot: SignedSlot;
before(async () => {
  oldSlot = await fakeFirmware({ key: "1", signedBy: KEY });
  newSlot = await fakeFirmware({ key: "2", signedBy: KEY, version: "0.2.0", rollbackIndex: 2 });
});

async function device(): Promise<{ flash: FakeFlash; slots: Slots }> {
  const flash = FakeFlash.holding(oldSlot, 1);
  const slots = await Slots.open(flash);
  assert.ok(slots);
  return { flash, slots };
}

/** The environment as the boot loader's file system has it. */
async function environmentOf(flash: FakeFlash): Promise<ReturnType<typeof parseEnvironment>> {
  const partition = await flash.open("BOOT");
  assert.ok(partition);
  const [extent] = (await fatExtents(partition, ["GRUB", "GRUBENV"], 1024)) ?? [];
  assert.ok(extent);
  return parseEnvironment(
    Buffer.concat([await partition.read(extent.offset, 512), await partition.read(extent.offset + 512, 512)]),
  );
}

/** Expects a refusal that leaves the running slot, the boot state and the floor as they were. */
async function refuses(bundle: Buffer, problem: RegExp, options = OPTIONS): Promise<void> {
  const { flash, slots } = await device();
  const { seq: _, ...before } = slots.state;
  const slotA = Buffer.from(flash.partition("slot-a"));
  const done = await install(inPieces(bundle), slots, options);
  assert.equal(done.ok, false);
  assert.match(done.problem, problem);
  assert.ok(done.hint.length > 10);
  const { seq: __, ...after } = slots.state;
  assert.deepEqual(after, before);
  assert.ok(flash.partition("slot-a").equals(slotA));
  assert.equal((await environmentOf(flash))?.pending, undefined);
}

test("a bundle goes into the slot that does not run, is read back, and is tried at the next start", async () => {
  const { flash, slots } = await device();
  const progress: InstallProgress[] = [];
  const options = { ...OPTIONS, onProgress: (each: InstallProgress) => progress.push(each) };
  const done = await install(inPieces(bundleOf(newSlot), 1000), slots, options);
  assert.ok(done.ok);
  assert.deepEqual([done.slot, done.manifest.version, done.signedBy], ["b", "0.2.0", "release"]);
  assert.ok(flash.partition("slot-b").subarray(0, newSlot.payload.length).equals(newSlot.payload));
  assert.ok(flash.partition("slot-b").subarray(-TRAILER_BYTES).equals(newSlot.trailer));
  const { length } = newSlot.payload;
  assert.deepEqual(
    progress.map(({ step, bytes }) => `${step} ${bytes}`),
    ["writing", "reading back"].flatMap((step) => [CHUNK_BYTES, 2 * CHUNK_BYTES, length].map((n) => `${step} ${n}`)),
  );
  assert.ok(flash.largestWrite <= CHUNK_BYTES, "memory for one chunk");
  const { seq, active, pending, triesLeft: tries } = slots.state;
  assert.deepEqual(await environmentOf(flash), { seq, active, pending, tries });
  assert.deepEqual([active, pending, tries], ["a", "b", 3]);
});

test("pieces of any size make the same slot", async () => {
  for (const pieceBytes of [997, 4096, 5_000_000]) {
    const { flash, slots } = await device();
    assert.ok((await install(inPieces(bundleOf(newSlot), pieceBytes), slots, OPTIONS)).ok);
    assert.ok(flash.partition("slot-b").subarray(0, newSlot.payload.length).equals(newSlot.payload));
  }
});

test("one wrong bit anywhere is refused, and the MiB that holds it is not written", async () => {
  const good = bundleOf(newSlot);
  const { length } = newSlot.bundleHead;
  const places: readonly [number, RegExp][] = [
    [0, /no update bundle/],
    [12, /no update bundle|not signed/],
    [20, /not signed by a key/],
    [length - 1, /not signed by a key/],
    [length, /MiB 1 of the bundle/],
    [length + CHUNK_BYTES, /MiB 2 of the bundle/],
    [good.length - 1, /MiB 3 of the bundle/],
  ];
  for (const [at, problem] of places) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    await refuses(bad, problem);
  }
  const { flash, slots } = await device();
  const bad = Buffer.from(good);
  bad[length + CHUNK_BYTES] = (bad[length + CHUNK_BYTES] ?? 0) ^ 1;
  await install(inPieces(bad), slots, OPTIONS);
  assert.ok(
    flash
      .partition("slot-b")
      .subarray(CHUNK_BYTES, 2 * CHUNK_BYTES)
      .every((byte) => byte === 0),
  );
  assert.equal(parseTrailer(flash.partition("slot-b").subarray(-TRAILER_BYTES)), undefined);
});

test("what is too short, too long, too large or no bundle is refused", async () => {
  const good = bundleOf(newSlot);
  await refuses(Buffer.alloc(0), /no update bundle/);
  await refuses(good.subarray(0, 100), /no update bundle/);
  await refuses(good.subarray(0, good.length - 1), /ended after 2506751 of 2506752 bytes/);
  await refuses(Buffer.concat([good, Buffer.alloc(1)]), /longer than its manifest/);
  await refuses(newSlot.payload, /no update bundle/);
  const large = await fakeFirmware({ key: "3", signedBy: KEY, bytes: placeOf("slot-b").size - TRAILER_BYTES });
  const { flash, slots } = await device();
  const writes = flash.log.length;
  const done = await install(inPieces(bundleOf(large)), slots, OPTIONS);
  assert.ok(!done.ok);
  assert.match(done.problem, /has \d+ bytes, and slot b has room for 4177920/);
  assert.equal(flash.log.length, writes, "refused before anything is written");
});

test("another board, layout, schema, key and an older firmware are refused in plain words", async () => {
  const firmware = async (facts: object, signedBy = KEY) =>
    bundleOf(await fakeFirmware({ key: "4", signedBy, ...facts }));
  await refuses(await firmware({ board: "arm64" }), /is for board arm64, and this is x86_64/);
  await refuses(await firmware({}, signingKey()), /not signed by a key that this firmware trusts/);
  await refuses(
    await firmware({ rollbackIndex: 0 }),
    /older than this device goes back to \(rollback index 0, floor 1\)/,
  );
  await refuses(await firmware({}), /schema 1 to 1, and this device's is of schema 2/, { ...OPTIONS, configSchema: 2 });
  await refuses(await firmware({}), /schema 1 to 1, and this device's is of schema 0/, { ...OPTIONS, configSchema: 0 });
});

test("an older firmware is let in for somebody who stands at the device", async () => {
  const { slots } = await device();
  const old = await fakeFirmware({ key: "4", signedBy: KEY, rollbackIndex: 0 });
  assert.ok((await install(inPieces(bundleOf(old)), slots, { ...OPTIONS, allowDowngrade: true })).ok);
  assert.equal(slots.state.rollbackIndex, 1, "the floor stays");
});

test("a key that the running firmware trusts beside its own signs too", async () => {
  const next = signingKey("development");
  const flash = FakeFlash.holding(await fakeFirmware({ key: "1", signedBy: KEY, alsoTrusted: [next.trusted] }), 1);
  const slots = await Slots.open(flash);
  assert.ok(slots);
  const done = await install(inPieces(bundleOf(await fakeFirmware({ key: "2", signedBy: next }))), slots, OPTIONS);
  assert.ok(done.ok);
  assert.equal(done.signedBy, "development");
});

test("a firmware without keys takes nothing", async () => {
  const flash = FakeFlash.holding(oldSlot, 1);
  flash.partition("slot-a").fill(0, oldSlot.payload.length - 4096, oldSlot.payload.length);
  const slots = await Slots.open(flash);
  assert.ok(slots);
  const done = await install(inPieces(bundleOf(newSlot)), slots, OPTIONS);
  assert.ok(!done.ok);
  assert.match(done.problem, /trusts no key/);
});

test("a medium that does not keep what is written is found out", async () => {
  const { flash, slots } = await device();
  flash.broken = placeOf("slot-b").offset + CHUNK_BYTES + 77;
  const done = await install(inPieces(bundleOf(newSlot)), slots, OPTIONS);
  assert.ok(!done.ok);
  assert.match(done.problem, /slot b does not hold what was written/);
  assert.match(done.hint, /slot a still runs/);
  assert.equal(slots.state.pending, undefined);
});

test("while a slot is on trial nothing is installed; an update that only waits is replaced", async () => {
  const { flash, slots } = await device();
  assert.ok((await install(inPieces(bundleOf(newSlot)), slots, OPTIONS)).ok);
  const newest = await fakeFirmware({ key: "5", signedBy: KEY, version: "0.3.0" });
  const replaced: Installed = await install(inPieces(bundleOf(newest)), slots, OPTIONS);
  assert.ok(replaced.ok && replaced.manifest.version === "0.3.0");
  flash.booted = "b";
  const trial = await Slots.open(flash);
  assert.ok(trial);
  assert.equal(trial.situation, "trial");
  const done = await install(inPieces(bundleOf(newSlot)), trial, OPTIONS);
  assert.ok(!done.ok && /still on trial/.test(done.problem));
  await trial.store(commit(trial.state, "b", 2));
  const committed = await Slots.open(flash);
  assert.ok(committed);
  assert.equal(committed.situation, "normal");
  const back = await install(inPieces(bundleOf(newSlot)), committed, OPTIONS);
  assert.ok(back.ok && back.slot === "a");
});

test("a sender that fails in the midst leaves nothing armed, and its failure is the caller's", async () => {
  const { slots } = await device();
  async function* broken(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(bundleOf(newSlot).subarray(0, 1_500_000));
    throw new Error("the line went dead");
  }
  await assert.rejects(install(broken(), slots, OPTIONS), /the line went dead/);
  assert.equal(slots.state.pending, undefined);
});

test("a system that was not started from a slot has no slots", async () => {
  const flash = FakeFlash.holding(oldSlot, 1);
  flash.booted = undefined;
  assert.equal(await Slots.open(flash), undefined);
});
