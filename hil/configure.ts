/**
 * `culvert configure --bench B FILE`: a configuration file onto devices, over their serial consoles. What differs is shown, committed
 * on trial, read back, and only then confirmed: a device that cannot be reached any more takes it back by itself. Done twice, the
 * second time changes nothing.
 */
import { readFileSync } from "node:fs";
import { env } from "node:process";
import { loadBench } from "./bench/load.ts";
import type { Person } from "./bench/person.ts";
import { reachBench } from "./bench/reach.ts";
import { systemClock } from "./clock.ts";
import { Console } from "./console/console.ts";
import { Journal } from "./journal/journal.ts";
import { DeviceConsole } from "./node/device-console.ts";
import { failureOf } from "./run/classify.ts";
import { UsageError } from "./usage-error.ts";

/** Minutes in which a device must answer again after the change. */
const TRIAL_MINUTES = 3;
const ADMINISTRATOR = "admin";

export interface ConfigureOptions {
  readonly benches: readonly string[];
  readonly file: string | undefined;
  /** `replace`: the file is the whole configuration. */
  readonly mode: "merge" | "replace";
  /** Only show what would change. */
  readonly isDryRun: boolean;
}

/** What became of one device. */
export interface Configured {
  readonly result: "unchanged" | "changed" | "shown";
  /** The commands that the change is. */
  readonly changes: readonly string[];
}

/** The file's lines without comments and blanks. */
export function configurationLines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Brings one device, that is logged in, to the lines. Throws with the device's own words, and leaves its configuration as it was. */
export async function configureDevice(
  device: DeviceConsole,
  lines: readonly string[],
  { mode, isDryRun }: Pick<ConfigureOptions, "mode" | "isDryRun">,
): Promise<Configured> {
  await device.run("configure");
  try {
    await device.load(mode, lines);
    const changes = changesIn(await device.run("compare"));
    if (changes.length === 0 || isDryRun) {
      await device.run("discard");
      return { result: changes.length === 0 ? "unchanged" : "shown", changes };
    }
    await device.run(`commit confirm ${TRIAL_MINUTES}`);
    // What is in force now must be what was meant: loading it again has to change nothing.
    await device.load(mode, lines);
    const left = changesIn(await device.run("compare"));
    await device.run("discard");
    if (left.length > 0)
      throw new Error(
        `it did not take all of it; on trial, and taken back in ${TRIAL_MINUTES} min:\n${left.join("\n")}`,
      );
    await device.run("commit");
    return { result: "changed", changes };
  } catch (error) {
    await device.run("discard").catch(() => "");
    throw error;
  } finally {
    await device.run("exit").catch(() => "");
  }
}

function changesIn(compared: string): readonly string[] {
  return compared.split("\n").filter((line) => /^(?:set|delete) /.test(line));
}

/** One device after the other; 1 if one of them could not be configured. */
export async function configure(options: ConfigureOptions, person: Person): Promise<number> {
  const { benches, file } = options;
  if (file === undefined || benches.length === 0)
    throw new UsageError("configure needs --bench NAME[,NAME...] and a file of `set` lines");
  const lines = configurationLines(readText(file));
  const loaded = benches.map((name) => loadBench(name));
  const { CULVERT_ADMIN_PASSWORD } = env;
  if (CULVERT_ADMIN_PASSWORD === undefined || CULVERT_ADMIN_PASSWORD === "")
    throw new UsageError("configure needs the administrator's password in the environment: CULVERT_ADMIN_PASSWORD");
  const password = CULVERT_ADMIN_PASSWORD;
  let failed = 0;
  for (const bench of loaded) {
    try {
      const { result, changes } = await configureBench(bench, lines, password, options, person);
      const words = {
        unchanged: "no changes",
        changed: `${changes.length} changes, confirmed`,
        shown: `${changes.length} changes, not made`,
      };
      console.log(`${bench.name}: ${words[result]}`);
      for (const change of changes) console.log(`  ${change}`);
    } catch (error) {
      failed++;
      const { faultClass, text } = failureOf(error, () => "device");
      console.log(`${bench.name}: FAILED (${faultClass})\n  ${text.replaceAll("\n", "\n  ")}`);
    }
  }
  console.log(`configure: ${loaded.length - failed} of ${loaded.length} devices have it`);
  return failed === 0 ? 0 : 1;
}

async function configureBench(
  bench: ReturnType<typeof loadBench>,
  lines: readonly string[],
  password: string,
  options: ConfigureOptions,
  person: Person,
): Promise<Configured> {
  const clock = systemClock();
  const journal = new Journal(clock);
  const reached = await reachBench(bench, { node: bench.name, why: "culvert configure", clock, journal, person });
  try {
    const device = new DeviceConsole(new Console(bench.name, reached.line, { clock, journal }));
    await device.enter(ADMINISTRATOR, password);
    const configured = await configureDevice(device, lines, options);
    await device.leave();
    return configured;
  } finally {
    await reached.close();
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}
