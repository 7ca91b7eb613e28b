/**
 * Every way from power-on to the login: `node dist/test/campaign/boot-paths.js [--paths x86_64:bios,arm64:uboot] [--quick]`. A new
 * device boots its flashable disk by its firmware, takes a password and a setting, restarts and has both. Where GRUB starts it, the
 * menu's failsafe shell and factory reset are tried too. Prints times and sizes; status 1 when a path fails.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Console } from "../../hil/console/console.ts";
import { deviceImage } from "../../hil/node/device.ts";
import { DeviceConsole } from "../../hil/node/device-console.ts";
import { firmwareNamed } from "../../hil/node/qemu/firmware.ts";
import type { Machine } from "../../hil/node/qemu/machine.ts";
import { Scope } from "../../hil/scope.ts";
import { boardNamed } from "../../image/boards/boards.ts";
import { buildFlashable } from "../../image/flashable.ts";
import { bootDevice, PASSWORD } from "../support/recorded-commits.ts";

const ALL = ["x86_64:bios", "x86_64:uefi", "arm64:uefi", "arm64:uboot", "mipsel:rom"];
const WAIT = { withinMs: 600_000, reason: "the device to come up" };

const { values } = parseArgs({ options: { paths: { type: "string" }, quick: { type: "boolean", default: false } } });
const paths = values.paths?.split(",") ?? ALL;
const unknown = paths.find((path) => !ALL.includes(path));
if (unknown !== undefined) {
  process.stderr.write(`boot-paths: there is no path ${unknown}; there are ${ALL.join(", ")}\n`);
  process.exit(2);
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Seconds since `since`, for people. */
function elapsed(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

async function tryPath(path: string): Promise<void> {
  const [board = "", word] = path.split(":");
  const firmware = firmwareNamed(boardNamed(board), word);
  const building = performance.now();
  const built = await buildFlashable({ board, locked: false, quick: values.quick, onProgress: () => {} });
  say(`${path}: ${built.fresh ? "built" : "found built"} in ${elapsed(building)}`);
  const scope = new Scope();
  const folder = mkdtempSync(join(tmpdir(), "cv-boot-"));
  scope.defer(folder, () => rmSync(folder, { recursive: true, force: true }));
  try {
    const image = await deviceImage({ board, firmware, quick: values.quick }, () => {});
    const disk = join(folder, "disk");
    await image.ensureDisk(disk);
    const started = performance.now();
    const { machine, console } = await bootDevice(image, folder, disk, scope);
    say(`${path}: first boot to the login ${elapsed(started)}`);
    await console.login(PASSWORD);
    assert.match(await console.run("show version"), new RegExp(`\\b${board}\\b`));
    await console.configure(["set vpn server mtu 1234"]);
    await restart(machine.console);
    const again = performance.now();
    await machine.console.expect({ login: "login: " }, WAIT);
    say(`${path}: a later boot to the login ${elapsed(again)}`);
    const later = new DeviceConsole(machine.console);
    await later.enter("admin", PASSWORD);
    assert.match(await later.run("show configuration"), /^set vpn server mtu 1234$/m);
    if (firmware !== "rom") await tryMenu(path, machine);
  } finally {
    await scope.close();
  }
}

async function restart(console: Console): Promise<void> {
  console.write("reboot\r");
  await console.expect({ answer: "Restarting." }, { withinMs: 60_000, reason: "the device to take `reboot`" });
}

/** The device is logged in. */
async function tryMenu(path: string, { console }: Machine): Promise<void> {
  await restart(console);
  await pressAtMenu(console, "f");
  await console.expect({ shell: "This is the failsafe shell" }, WAIT);
  await console.expect({ prompt: "# " }, WAIT);
  console.write("grep -c ' /data tmpfs' /proc/mounts; cat /proc/cmdline\r");
  await console.expect({ words: "culvert.failsafe" }, { withinMs: 20_000, reason: "the shell's answer" });
  console.write("reboot\r");
  await pressAtMenu(console, "r");
  await console.expect({ asks: "Type yes within 60 seconds: " }, WAIT);
  console.write("yes\r");
  await console.expect({ isNew: "New password: " }, WAIT);
  say(`${path}: failsafe shell and factory reset work`);
}

async function pressAtMenu(console: Console, key: string): Promise<void> {
  await console.expect({ menu: "Factory reset: asks" }, WAIT);
  console.write(key);
}

let failed = 0;
for (const path of paths) {
  try {
    await tryPath(path);
  } catch (error) {
    failed++;
    say(`${path}: FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
say(failed === 0 ? `all of ${paths.join(", ")} boot` : `${failed} of ${paths.length} failed`);
process.exitCode = failed === 0 ? 0 : 1;
