/**
 * The power goes while the device stores configurations: `node dist/test/campaign/config-power-cuts.js [--states N] [--boots M]
 * [--commits C] [--seed S] [--by kernel|e2fsck] [--folder DIR]`. A device in QEMU has its data disk recorded from its first
 * format to a factory reset, with C commits between. N disks that a power cut may have left are recovered and read as the
 * device reads them, and M of them are booted. Status 1 when one of them is not as promised; DIR then keeps it.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { DEVICE_BOARD, deviceImage } from "../../hil/node/device.ts";
import { Scope } from "../../hil/scope.ts";
import { bootCutDisk } from "../support/cut-boot.ts";
import { brokenPromise, readCutDisk, recoverByTool } from "../support/cut-store.ts";
import { CutDisk, FATES, plannedCuts } from "../support/power-cut.ts";
import { randomEdits, recordCommits } from "../support/recorded-commits.ts";
import { startRecoveringGuest } from "../support/recovering-guest.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const { values } = parseArgs({
  options: {
    states: { type: "string", default: "1200" },
    boots: { type: "string", default: "24" },
    commits: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    by: { type: "string", default: "kernel" },
    folder: { type: "string" },
  },
});
const by = values.by === "kernel" || values.by === "e2fsck" ? values.by : wrong(`--by ${values.by}`);
const states = count("states");
const boots = count("boots");
const commits = count("commits");
const seed = count("seed");

function count(name: "states" | "boots" | "commits" | "seed"): number {
  const number = Number(values[name]);
  return Number.isSafeInteger(number) && number >= 0 ? number : wrong(`--${name} ${values[name]}`);
}
function wrong(what: string): never {
  process.stderr.write(`config-power-cuts: ${what}: give a whole number, or kernel or e2fsck\n`);
  process.exit(2);
}

const scope = new Scope();
const kept = values.folder;
if (kept !== undefined) mkdirSync(kept, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "culvert-cuts-"));
scope.defer(folder, () => rmSync(folder, { recursive: true, force: true }));
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const startedMs = performance.now();
const elapsed = (): string => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;
try {
  const random = new SeededRandom(seed);
  const image = await deviceImage({ board: DEVICE_BOARD }, (event) => event.kind === "start" && say(event.step));
  const recording = await recordCommits(image, folder, randomEdits(commits, random), true);
  const { entries } = recording.log;
  const flushes = entries.filter(({ kind }) => kind === "flush").length;
  say(
    `recorded ${commits} commits and a factory reset: ${entries.length} entries, ${flushes} of them flushes; ${elapsed()}`,
  );

  const recover = by === "kernel" ? await startRecoveringGuest(folder, recording.diskBytes, scope) : recoverByTool;
  const disk = new CutDisk(recording.log, recording.diskBytes);
  const tally: Record<string, number> = {};
  let broken = 0;
  let booted = 0;
  for (const [index, { cut, fate }] of plannedCuts(states, 0, entries.length, random).entries()) {
    const state = disk.cutAt(cut, fate, new SeededRandom(seed + index));
    try {
      const found = await readCutDisk(state, recording.diskBytes, folder, recover);
      const problem = brokenPromise(recording, cut, found);
      if (problem !== undefined) throw new Error(problem);
      tally[fate] = (tally[fate] ?? 0) + 1;
      // Spread over all of them, with other fates each time.
      if (Math.floor(((index + 1) * boots) / states) > Math.floor((index * boots) / states)) {
        await bootCutDisk(image, folder, state, found);
        booted++;
      }
    } catch (error) {
      broken++;
      say(
        `state ${index} (cut after ${cut} entries, ${fate}): ${error instanceof Error ? error.message : String(error)}`,
      );
      if (kept !== undefined) state.writeTo(join(kept, `state-${index}.disk`));
    }
    if ((index + 1) % 100 === 0) say(`${index + 1} states, ${booted} of them booted, ${broken} broken; ${elapsed()}`);
  }
  const fates = FATES.map((fate) => `${tally[fate] ?? 0} ${fate}`).join(", ");
  say(`${states} states recovered by ${by} (${fates}), ${booted} booted, ${broken} broken; seed ${seed}, ${elapsed()}`);
  process.exitCode = broken === 0 ? 0 : 1;
} finally {
  await scope.close();
}
