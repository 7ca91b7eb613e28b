/** A real device in QEMU whose data disk is recorded, write by write, while an administrator commits over its serial console. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { set } from "../../appliance/config/change.ts";
import type { Config } from "../../appliance/config/config.ts";
import { systemClock } from "../../hil/clock.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { type DeviceImage, ensureDataDisk } from "../../hil/node/device.ts";
import { DeviceConsole } from "../../hil/node/device-console.ts";
import { chooseAccelerator } from "../../hil/node/qemu/accelerator.ts";
import { Machine } from "../../hil/node/qemu/machine.ts";
import { Scope } from "../../hil/scope.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { countEntries, parseWriteLog, type WriteLog } from "./write-log.ts";

export const PASSWORD = "lab-Admin-1";

export interface RecordedCommit {
  readonly config: Config;
  /** The log had so many flushed entries when nothing of this commit had been typed. */
  readonly begunAt: number;
  /** The log had so many when the device had said `Committed.`: from here on the configuration may not be lost. */
  readonly storedAt: number;
}

export interface Recording {
  readonly log: WriteLog;
  readonly diskBytes: number;
  /** The password was set when the log had so many entries. */
  readonly passwordAt: number;
  readonly commits: readonly RecordedCommit[];
  /** The factory reset at the end: asked for, and done, with the device up again and as new. */
  readonly reset: { readonly begunAt: number; readonly doneAt: number } | undefined;
}

/**
 * Boots `image` with a blank disk, sets the password, commits once for each list of settings, without the word `set`, and with
 * `andReset` makes the device a new one again.
 */
export async function recordCommits(
  image: DeviceImage,
  folder: string,
  edits: readonly (readonly string[])[],
  andReset: boolean,
): Promise<Recording> {
  const scope = new Scope();
  try {
    const disk = join(folder, "recorded.disk");
    const writeLog = join(folder, "recorded.log");
    await ensureDataDisk(disk);
    writeFileSync(writeLog, "");
    const { machine, console } = await bootDevice(image, folder, disk, scope, writeLog);
    await console.login(PASSWORD);
    const passwordAt = countEntries(writeLog);
    const commits: RecordedCommit[] = [];
    let config: Config = new Map();
    await console.run("configure");
    for (const lines of edits) {
      const begunAt = countEntries(writeLog);
      await console.load(
        "merge",
        lines.map((line) => `set ${line}`),
      );
      await console.run("commit");
      config = lines.reduce(withSetting, config);
      commits.push({ config, begunAt, storedAt: countEntries(writeLog) });
    }
    await console.run("exit");
    let reset: Recording["reset"];
    if (andReset) {
      const begunAt = countEntries(writeLog);
      machine.console.write("factory-reset\ryes\r");
      await console.awaitLogin();
      reset = { begunAt, doneAt: countEntries(writeLog) };
    }
    await machine.pause();
    await scope.close();
    const parsed = parseWriteLog(readFileSync(writeLog));
    if (!parsed.ok) throw new Error(`QEMU's log of writes: ${parsed.problem}`);
    return { log: parsed.log, diskBytes: statSync(disk).size, passwordAt, commits, reset };
  } finally {
    await scope.close();
  }
}

/** Starts the image on this disk and returns once its console asks who is there. `scope` ends it. */
export async function bootDevice(
  image: DeviceImage,
  folder: string,
  disk: string,
  scope: Scope,
  writeLog?: string,
): Promise<{ readonly machine: Machine; readonly console: DeviceConsole }> {
  const spec = image.machine("device", disk, []);
  const clock = systemClock();
  const machine = await Machine.start(
    {
      ...spec,
      disks: spec.disks.map((each) => (each.path === disk && writeLog !== undefined ? { ...each, writeLog } : each)),
    },
    {
      accelerator: (await chooseAccelerator()).accelerator,
      clock,
      journal: new Journal(clock),
      instance: "recorded",
      socketFolder: folder,
      runFolder: folder,
      adopt: (started) => void scope.own("the device", started),
    },
  );
  await machine.go();
  const console = new DeviceConsole(machine.console);
  await console.awaitLogin();
  return { machine, console };
}

function withSetting(config: Config, line: string): Config {
  const changed = set(config, line.split(" "));
  if (!changed.ok) throw new Error(`${line}: ${changed.problem}`);
  return changed.config;
}

/** Settings for so many commits, no two of them alike: small ones, and some with hundreds of accounts. */
export function randomEdits(count: number, random: SeededRandom): string[][] {
  return Array.from({ length: count }, (_, index) => {
    const accounts = random.pick([0, 1, 3, index % 5 === 4 ? 200 : 10]);
    const passwords = Array.from({ length: accounts }, () => {
      const name = `user${random.below(400)}`;
      return `vpn account ${name} password ${random.bytes(6 + random.below(20)).toString("hex")}`;
    });
    return [`vpn server mtu ${1000 + index}`, ...passwords];
  });
}
