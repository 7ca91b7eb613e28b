/**
 * Updates of a real device in QEMU, good ones and bad ones, and power cuts at any instant:
 * `npm run update:campaign -- [--path BOARD:FIRMWARE] [--cases NAME,...] [--states N] [--boots M] [--seed S] [--folder DIR]`.
 * The device starts from its flashable disk by its own boot loader, is set up over its serial console, and gets its updates by
 * `culvert flash` over SSH. For the cuts one update is recorded, write by write; N disks that a power cut may have left are read as
 * boot loader and device read them, and M of them are booted. Status 1 when one case is not as promised; DIR then keeps the disks.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type DeviceImage, deviceImage } from "../../hil/node/device.ts";
import { type BoardChoice, firmwareNamed } from "../../hil/node/qemu/firmware.ts";
import { boardNamed } from "../../image/boards/boards.ts";
import { diskLayout, extentOf } from "../../image/disk-layout.ts";
import { buildFlashable } from "../../image/flashable.ts";
import type { Progress } from "../../image/progress.ts";
import { writeBundle } from "../../image/sign.ts";
import { CutFlash, type Places } from "../support/cut-flash.ts";
import { CutDisk, plannedCuts } from "../support/power-cut.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { signingKey } from "../support/signed-slots.ts";
import { type Health, startUntilRest, wholeSlots } from "../support/slot-reader.ts";
import { makeSshKey, SlottedMachine } from "../support/slotted-machine.ts";
import { diskWith, extended, fillFileSystem, firmware, type Illness, repackSlot } from "../support/update-images.ts";
import { countEntries, parseWriteLog } from "../support/write-log.ts";

const PATHS = ["x86_64:bios", "x86_64:uefi", "arm64:uefi", "arm64:uboot", "mipsel:rom"] as const;
const CASES = ["refusals", "happy", "cuts", "full", "panics", "dies", "deaf", "hangs"] as const;
type Case = (typeof CASES)[number];

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: CASES.join(",") },
    path: { type: "string", default: PATHS[0] },
    states: { type: "string", default: "1000" },
    boots: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    folder: { type: "string" },
  },
});
const cases = values.cases.split(",").map((name) => CASES.find((each) => each === name) ?? wrong(`--cases ${name}`));
const path = PATHS.find((each) => each === values.path) ?? wrong(`--path ${values.path}`);
const [boardName = "", firmwareName] = path.split(":");
const board = boardNamed(boardName);
const choice: BoardChoice = { board: board.name, firmware: firmwareNamed(board, firmwareName), quick: true };
const states = count("states");
const boots = count("boots");
const seed = count("seed");

function count(name: "states" | "boots" | "seed"): number {
  const number = Number(values[name]);
  return Number.isSafeInteger(number) && number >= 0 ? number : wrong(`--${name} ${values[name]}`);
}
function wrong(what: string): never {
  process.stderr.write(
    `update: ${what}: cases are ${CASES.join(", ")}; paths ${PATHS.join(", ")}; counts are whole numbers\n`,
  );
  process.exit(2);
}

const startedMs = performance.now();
function say(text: string): void {
  process.stdout.write(`[${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s] ${text}\n`);
}
const failures: string[] = [];
function check(what: string, isRight: boolean, said: string): void {
  say(`${isRight ? "ok  " : "FAIL"} ${what}`);
  if (isRight) return;
  failures.push(what);
  say(`     ${said.trim().split("\n").slice(-12).join("\n     ")}`);
}

const folder = values.folder ?? mkdtempSync(join(tmpdir(), "culvert-update-"));
mkdirSync(folder, { recursive: true });
const inFolder = (name: string): string => join(folder, name);
const key = signingKey("development");
const machines: SlottedMachine[] = [];

async function start(disk: string, writeLog?: string): Promise<SlottedMachine> {
  const machine = await SlottedMachine.start({ image, disk, sshKey, ...(writeLog !== undefined && { writeLog }) });
  machines.push(machine);
  return machine;
}

let image: DeviceImage;
let sshKey = "";
let slotSquashfs = "";
let healthy: Buffer = Buffer.alloc(0);

/** A bundle with this content; returns its file. */
async function bundle(
  name: string,
  version: string,
  change: { illness?: Illness; rollbackIndex?: number; forBoard?: string; other?: boolean; bytes?: number } = {},
): Promise<string> {
  const { illness, rollbackIndex = 1, forBoard = board.name, other = false, bytes } = change;
  let squashfs = healthy;
  if (illness !== undefined) squashfs = await repackSlot(slotSquashfs, inFolder(`pack-${illness}`), illness);
  if (bytes !== undefined) squashfs = extended(healthy, bytes);
  const slot = await firmware(squashfs, other ? signingKey() : key, { version, rollbackIndex, board: forBoard });
  await writeBundle(slot, inFolder(`${name}.bundle`));
  return inFolder(`${name}.bundle`);
}

/** Everything that must be refused leaves the device as it was. */
async function refusals(machine: SlottedMachine): Promise<void> {
  const refused = async (what: string, file: string, why: RegExp): Promise<void> => {
    const { said, status } = await machine.flash(file);
    check(what, status === 1 && why.test(said), said);
  };
  const good = readFileSync(await bundle("good", "1.1"));
  good[good.length - 5_000_000] = (good[good.length - 5_000_000] ?? 0) ^ 1;
  writeFileSync(inFolder("corrupted.bundle"), good);
  await refused(
    "a corrupted bundle is refused",
    inFolder("corrupted.bundle"),
    /MiB \d+ of the bundle is not what was signed/,
  );
  await refused(
    "a bundle of another key is refused",
    await bundle("key", "1.1", { other: true }),
    /not signed by a key/,
  );
  await refused(
    "a bundle for another board is refused",
    await bundle("board", "1.1", { forBoard: "another" }),
    /for board another/,
  );
  await refused(
    "a bundle that fills more than a slot is refused",
    await bundle("large", "1.1", { bytes: extentOf(diskLayout(board.name), "slot-b").size }),
    /larger medium/,
  );
  const old = await bundle("old", "0.9", { rollbackIndex: 0 });
  await refused("a downgrade is refused", old, /older than this device goes back to/);
  const remote = await machine.ssh("update allow-downgrade");
  check(
    "a downgrade cannot be allowed over SSH",
    remote.status === 1 && /serial console only/.test(remote.said),
    remote.said,
  );
  const allowed = await machine.run("update allow-downgrade");
  check("it is allowed on the serial console", /let in for 10 minutes/.test(allowed), allowed);
  const installed = await machine.ssh("update");
  check(
    "nothing of all that is armed",
    /^a +runs, committed .*\nb +spare +empty/m.test(installed.said),
    installed.said,
  );
}

/** An update that is healthy: installed, started and committed. */
async function happy(machine: SlottedMachine): Promise<void> {
  const { said, status } = await machine.flash(await bundle("next", "2.0"));
  check(
    "a healthy update commits, and culvert flash says so",
    status === 0 && /slot b runs version 2\.0, committed/.test(said),
    said,
  );
  say(`     ${said.trim().split("\n").at(-1)}`);
}

/** The settings' file system is full: nothing can be committed, nothing is lost, and an update needs nothing of it. */
async function full(disk: string): Promise<void> {
  const left = await fillFileSystem(disk, extentOf(diskLayout(board.name), "culvert-data").offset, inFolder("filler"));
  say(`     the file system of the settings has ${left} free blocks left`);
  const machine = await start(disk);
  await machine.logIn();
  const before = await machine.run("show configuration");
  const accounts = Array.from({ length: 400 }, (_, index) => `set vpn account user${index} password ${"x".repeat(40)}`);
  const said = await machine.commit(accounts).catch((error: unknown) => String(error));
  check("a commit that finds no space is refused with what to do", /no space|full/i.test(said), said);
  await machine.cutPower();
  const again = await start(disk);
  await again.logIn();
  const after = await again.run("show configuration");
  check("after a power cut the settings are those of before", after === before, after);
  const { said: flashed, status } = await again.flash(await bundle("when-full", "2.1"));
  check("the update commits nevertheless", status === 0 && /runs version 2\.1, committed/.test(flashed), flashed);
  await again.powerOff();
}

/** An update that comes to nothing: the slot before it runs again, and says why. `machine` runs what commits to `running`. */
async function ill(machine: SlottedMachine, illness: Illness, reason: RegExp): Promise<void> {
  await machine.enter();
  const [, running = "?"] = /^([ab]) +runs/m.exec(await machine.slots()) ?? [];
  const began = performance.now();
  const { said, status } = await machine.flash(await bundle(illness, "3.0", { illness }));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const isRight =
    status === 1 && new RegExp(`slot ${running} runs version .*, committed: the update was taken back`).test(said);
  check(
    `a firmware that ${illness}: slot ${running} runs again after ${seconds} s, and says why`,
    isRight && reason.test(said),
    said,
  );
  say(`     ${said.trim().split("\n").at(-1)}`);
}

async function cuts(before: Buffer, writeLog: string, firstEntry: number): Promise<void> {
  const parsed = parseWriteLog(readFileSync(writeLog));
  if (!parsed.ok) throw new Error(`QEMU's log of writes: ${parsed.problem}`);
  const { entries } = parsed.log;
  const layout = diskLayout(board.name);
  const names = ["BOOT", "culvert-state", "slot-a", "slot-b"] as const;
  const places: Places = new Map(names.map((name) => [name, extentOf(layout, name)]));
  const random = new SeededRandom(seed);
  const plan = plannedCuts(states, firstEntry, entries.length, random);
  const disk = new CutDisk(parsed.log, before);
  const toBoot = new Set(Array.from({ length: boots }, (_, index) => Math.floor(((index + 0.5) * states) / boots)));
  const rests = new Map<string, number>();
  const booting = new Set<Promise<void>>();
  for (const [index, { cut, fate }] of plan.entries()) {
    const state = disk.cutAt(cut, fate, random);
    const told = `seed ${seed}, cut after ${cut} of ${entries.length} (${fate})`;
    const whole = await wholeSlots(new CutFlash(state, places));
    let first = "";
    for (const health of ["healthy", "ill", "dead"] satisfies Health[]) {
      const { starts } = await startUntilRest(new CutFlash(state, places), whole, health, told);
      first = starts[0] ?? "";
      const end = `${health}: rests on slot ${starts.at(-1)}`;
      rests.set(end, (rests.get(end) ?? 0) + 1);
    }
    if (!toBoot.has(index)) continue;
    const file = inFolder(`cut-${index}.img`);
    state.writeTo(file);
    while (booting.size >= 2) await Promise.race(booting);
    const boot = bootCut(file, first, told).finally(() => booting.delete(boot));
    booting.add(boot);
  }
  say(
    `     ${entries.length - firstEntry} writes and flushes of one update, cut ${plan.length} times: ${[...rests].map(([end, n]) => `${end} ${n}`).join(", ")}`,
  );
  check(
    `${plan.length} disks that a power cut left: a whole slot starts each time, and the device comes to rest`,
    true,
    "",
  );
  await Promise.all(booting);
}

async function bootCut(file: string, slot: string, told: string): Promise<void> {
  const machine = await start(file);
  try {
    await machine.logIn();
    const said = await machine.slots();
    check(`booted: ${told}: slot ${slot}`, new RegExp(`^${slot} +runs, (?:committed|on trial)`, "m").test(said), said);
  } catch (error) {
    check(`booted: ${told}: slot ${slot}`, false, String(error));
  } finally {
    await machine.cutPower();
    rmSync(file, { force: true });
  }
}

async function run(wanted: ReadonlySet<Case>): Promise<void> {
  sshKey = await makeSshKey(folder);
  const onProgress: Progress = (event) => event.kind === "start" && say(event.step);
  image = await deviceImage(choice, onProgress);
  const built = await buildFlashable({ board: board.name, locked: false, quick: true, onProgress });
  slotSquashfs = join(built.disk, "..", "slot.sqfs");
  healthy = readFileSync(slotSquashfs);
  const disk = inFolder("device.img");
  const layout = diskLayout(board.name);
  const factory = await firmware(healthy, key, { version: "1.0", board: board.name });
  await diskWith(built.disk, disk, factory, extentOf(layout, "slot-a"));
  const first = await start(disk);
  await first.setUp();
  say("the device is set up");
  if (wanted.has("refusals")) await refusals(first);
  await first.powerOff();
  const before = inFolder("before.img");
  copyFileSync(disk, before);
  const writeLog = inFolder("writes.log");
  writeFileSync(writeLog, "");
  let machine = await start(disk, writeLog);
  await machine.logIn();
  const firstEntry = countEntries(writeLog);
  if (wanted.has("happy") || wanted.has("cuts")) await happy(machine);
  await machine.powerOff();
  if (wanted.has("cuts")) await cuts(readFileSync(before), writeLog, firstEntry);
  rmSync(writeLog);
  if (wanted.has("full")) {
    const filled = inFolder("full.img");
    copyFileSync(disk, filled);
    await full(filled);
    rmSync(filled);
  }
  const illnesses: readonly [Illness, RegExp][] = [
    ["panics", /started 3 times and never got as far/],
    ["dies", /started 3 times and never got as far/],
    ["deaf", /PPTP service/],
    ["hangs", /started 3 times and never got as far/],
  ];
  if (!illnesses.some(([name]) => wanted.has(name))) return;
  machine = await start(disk);
  await machine.logIn();
  for (const [name, reason] of illnesses) if (wanted.has(name)) await ill(machine, name, reason);
}

try {
  await run(new Set(cases));
} catch (error) {
  check("the campaign runs to its end", false, error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  for (const machine of machines) await machine.cutPower();
}
say(failures.length === 0 ? "all as promised" : `${failures.length} not as promised; the disks are in ${folder}`);
if (failures.length === 0 && values.folder === undefined) rmSync(folder, { recursive: true, force: true });
process.exitCode = failures.length === 0 ? 0 : 1;
