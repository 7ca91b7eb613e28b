/**
 * Which accelerator to use, found by racing them: /dev/kvm may exist, open and report success without being able to run a
 * guest (nested and para-virtual hosts). Each candidate runs the canary; the first to finish wins, and the choice holds until reboot.
 */
import { constants } from "node:fs";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { workFolder } from "../../../image/project.ts";
import { Fault } from "../../fault.ts";
import type { Accelerator } from "./args.ts";
import { CANARY_DEVICE, CANARY_STATUS, canaryBios } from "./canary.ts";
import { qemuVersion, spawnQemu } from "./process.ts";

export interface Choice {
  readonly accelerator: Accelerator;
  /** Why, in words for the terminal. */
  readonly because: string;
}

const CACHE = join(workFolder, "accelerator.json");

/** `CULVERT_ACCEL` if set, else the cached winner of this boot, else a race (0.3 s where it matters). */
export async function chooseAccelerator(): Promise<Choice> {
  const { CULVERT_ACCEL: wanted } = env;
  if (wanted !== undefined && wanted !== "") {
    if (wanted !== "kvm" && wanted !== "tcg") throw new Error(`CULVERT_ACCEL is '${wanted}'; it may be 'kvm' or 'tcg'`);
    return { accelerator: wanted, because: "CULVERT_ACCEL says so" };
  }
  if (!(await kvmOpens())) return { accelerator: "tcg", because: "there is no /dev/kvm that this user may open" };
  const key = `${(await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim()} ${await qemuVersion()}`;
  const cached = await readCache(key);
  if (cached !== undefined) return cached;
  const choice = await race(["kvm", "tcg"]);
  await mkdir(workFolder, { recursive: true });
  await writeFile(CACHE, `${JSON.stringify({ key, choice })}\n`);
  return choice;
}

async function kvmOpens(): Promise<boolean> {
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function readCache(key: string): Promise<Choice | undefined> {
  try {
    const cached: { key: string; choice: Choice } = JSON.parse(await readFile(CACHE, "utf8"));
    return cached.key === key ? cached.choice : undefined;
  } catch {
    return undefined; // absent or cut short: race again
  }
}

async function race(candidates: readonly Accelerator[]): Promise<Choice> {
  const folder = await mkdtemp(join(tmpdir(), "culvert-canary-"));
  const bios = join(folder, "canary.bin");
  await writeFile(bios, canaryBios());
  const runs = candidates.map((accelerator) => ({
    accelerator,
    process: spawnQemu([
      ...["-accel", accelerator, "-cpu", "qemu64", "-machine", "pc", "-m", "8M", "-nodefaults", "-display", "none"],
      ...["-bios", bios, "-device", CANARY_DEVICE],
    ]),
  }));
  const startedMs = performance.now();
  try {
    const accelerator = await Promise.any(
      runs.map(async (run) => {
        const { exitCode, said } = await run.process.ended;
        if (exitCode !== CANARY_STATUS) throw new Error(`${run.accelerator}: ${said}`);
        return run.accelerator;
      }),
    );
    const took = (performance.now() - startedMs).toFixed(0);
    const losers = candidates.filter((candidate) => candidate !== accelerator).join(", ");
    return { accelerator, because: `it ran the canary in ${took} ms, before ${losers}` };
  } catch (error) {
    const reasons = error instanceof AggregateError ? error.errors.map(String).join("; ") : String(error);
    throw new Fault("host", `QEMU cannot run a guest here, with any accelerator: ${reasons}`);
  } finally {
    for (const run of runs) run.process.kill("SIGKILL");
    await Promise.all(runs.map((run) => run.process.ended));
    await rm(folder, { recursive: true });
  }
}
