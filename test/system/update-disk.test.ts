/** The builder's disk and its bundle are what the device's installer takes: real files, read by the device's own code. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, readFileSync } from "node:fs";
import { before, test } from "node:test";
import { parseEnvironment } from "../../appliance/update/boot-state.ts";
import { install } from "../../appliance/update/install.ts";
import { Slots } from "../../appliance/update/slots.ts";
import { diskLayout, extentOf } from "../../image/disk-layout.ts";
import { type BuiltFlashable, buildFlashable } from "../../image/flashable.ts";
import { scratchFolder } from "../image/fixture.ts";
import { CutFlash, type Places } from "../support/cut-flash.ts";
import { signingKey } from "../support/signed-slots.ts";
import { startUntilRest, wholeSlots } from "../support/slot-reader.ts";

const BOARD = "x86_64";
const NAMES = ["BOOT", "culvert-state", "slot-a", "slot-b"] as const;
const OPTIONS = { board: BOARD, configSchema: 1, allowDowngrade: false, onProgress: () => {} };

const folder = scratchFolder();
let built: BuiltFlashable;
let disk: Buffer;
before(async () => {
  const request = { board: BOARD, locked: false, quick: true, onProgress: () => {}, signingKey: signingKey() };
  built = await buildFlashable({ ...request, folder: `${folder}/built` });
  disk = readFileSync(built.disk);
});

function device(): CutFlash {
  const layout = diskLayout(BOARD);
  const places: Places = new Map(NAMES.map((name) => [name, extentOf(layout, name)]));
  const flash = new CutFlash({ read: (at, length) => Buffer.from(disk.subarray(at, at + length)) }, places);
  flash.booted = "a";
  return flash;
}

test("a new disk has a whole slot a, a boot state without findings, and an environment that GRUB has in its file", async () => {
  const flash = device();
  assert.deepEqual([...(await wholeSlots(flash))], ["a"]);
  const slots = await Slots.open(flash);
  assert.ok(slots);
  assert.deepEqual([slots.situation, slots.findings, slots.state.active], ["normal", [], "a"]);
  assert.equal((await slots.trustAnchor())?.[0]?.kind, "release");
  const { offset, size } = extentOf(diskLayout(BOARD), "BOOT");
  const boot = disk.subarray(offset, offset + size);
  const environment = parseEnvironment(boot.subarray(boot.indexOf("# GRUB Environment Block\nACTIVE")));
  assert.deepEqual(environment, { seq: slots.state.seq, active: "a", pending: undefined, tries: 0 });
});

test("the bundle beside it goes into slot b, and the boot loader's next start is that slot", async () => {
  const flash = device();
  const slots = await Slots.open(flash);
  assert.ok(slots);
  const done = await install(createReadStream(built.bundle), slots, OPTIONS);
  assert.ok(done.ok, JSON.stringify(done));
  const whole = await wholeSlots(flash);
  assert.deepEqual([...whole], ["a", "b"]);
  assert.deepEqual((await startUntilRest(flash, whole, "healthy")).starts, ["b", "b"]);
});

test("everybody may enter the root of the slot: dropbear and dnsmasq look there as other users than root", () => {
  const listed = execFileSync("unsquashfs", ["-lln", "-max-depth", "1", `${folder}/built/slot.sqfs`], {
    encoding: "utf8",
  });
  assert.match(listed, /^drwxr-xr-x 0\/0 .* squashfs-root$/m);
});
