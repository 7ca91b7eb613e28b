import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, takeBack } from "../../appliance/update/boot-state.ts";
import { type InstallOptions, install } from "../../appliance/update/install.ts";
import { Slots } from "../../appliance/update/slots.ts";
import { FakeFlash } from "../support/fake-flash.ts";
import { CutDisk, FATES } from "../support/power-cut.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { bundleOf, fakeFirmware, inPieces, signingKey } from "../support/signed-slots.ts";
import { type Health, startUntilRest, wholeSlots } from "../support/slot-reader.ts";

const OPTIONS: InstallOptions = { board: "x86_64", configSchema: 1, allowDowngrade: false, onProgress: () => {} };
const SEED = 20_261_125;
const BYTES = 1_060_001;

/** An update from its first byte to its end: installed, started, and then committed or taken back. */
async function recorded(end: "commit" | "take back"): Promise<{ before: Buffer; flash: FakeFlash }> {
  const key = signingKey();
  const flash = FakeFlash.holding(await fakeFirmware({ key: "1", signedBy: key, bytes: BYTES }), 1);
  // What an earlier update left there.
  flash.partition("slot-b").fill(0xa5);
  const before = Buffer.from(flash.medium);
  const slots = await Slots.open(flash);
  assert.ok(slots);
  const next = await fakeFirmware({ key: "2", signedBy: key, bytes: BYTES, version: "0.2.0", rollbackIndex: 2 });
  assert.ok((await install(inPieces(bundleOf(next)), slots, OPTIONS)).ok);
  flash.booted = "b";
  const trial = await Slots.open(flash);
  assert.ok(trial);
  await trial.store(end === "commit" ? commit(trial.state, "b", 2) : takeBack(trial.state, "the VPN is silent"));
  return { before, flash };
}

for (const end of ["commit", "take back"] as const) {
  test(`the power may go at any instant of an update that ends in a ${end}: whole slots start, and it comes to rest`, async () => {
    const random = new SeededRandom(SEED);
    const { before, flash } = await recorded(end);
    const disk = new CutDisk({ sectorBytes: 512, entries: flash.log }, before);
    const restedOn = { a: 0, b: 0 };
    for (let cut = 0; cut <= flash.log.length; cut++) {
      for (const fate of [random.pick(FATES), random.pick(FATES)]) {
        const medium = disk.cutAt(cut, fate, random).read(0, before.length);
        const whole = await wholeSlots(new FakeFlash(medium));
        for (const health of ["healthy", "ill", "dead"] satisfies Health[]) {
          const told = `seed ${SEED}, cut after ${cut} of ${flash.log.length} (${fate})`;
          const { starts } = await startUntilRest(new FakeFlash(Buffer.from(medium)), whole, health, told);
          restedOn[starts.at(-1) ?? "a"]++;
        }
      }
    }
    assert.ok(restedOn.a > 50 && restedOn.b > 10, JSON.stringify(restedOn));
  });
}

test("garbage in the boot loader's environment, or in both records, is put right by the next start", async () => {
  const { flash } = await recorded("commit");
  const whole = await wholeSlots(flash);
  const torn = new FakeFlash(Buffer.from(flash.medium));
  const at = torn.partition("BOOT").indexOf("# GRUB Environment Block");
  torn.partition("BOOT").fill(0xee, at, at + 1024);
  assert.deepEqual((await startUntilRest(torn, whole, "healthy")).starts, ["b"]);
  assert.equal(torn.partition("BOOT").toString("latin1", at, at + 33), "# GRUB Environment Block\nACTIVE=b");
  const lost = new FakeFlash(Buffer.from(flash.medium));
  lost.partition("culvert-state").fill(0xee, 0, 8192);
  lost.booted = "b";
  const slots = await Slots.open(lost);
  assert.equal(slots?.findings.length, 1);
  assert.deepEqual([slots.state.active, slots.state.rollbackIndex], ["b", 2], "the floor is the running slot's own");
});
