/** The power goes while a real device commits: a slice of the campaign of test/campaign/config-power-cuts.ts. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { DEVICE_BOARD, deviceImage } from "../../hil/node/device.ts";
import { brokenPromise, readCutDisk, recoverByTool } from "../support/cut-store.ts";
import { temporaryFolder } from "../support/lab-run.ts";
import { CutDisk, plannedCuts } from "../support/power-cut.ts";
import { randomEdits, recordCommits } from "../support/recorded-commits.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const COMMITS = 3;
const STATES = 40;

test("wherever the power is cut, the disk has the configuration before or the new one", async (t) => {
  const seed = randomInt(2 ** 31);
  const random = new SeededRandom(seed);
  const folder = temporaryFolder();
  const image = await deviceImage({ board: DEVICE_BOARD }, () => {});
  const recording = await recordCommits(image, folder, randomEdits(COMMITS, random), false);
  const { entries } = recording.log;
  const disk = new CutDisk(recording.log, recording.diskBytes);
  const seen = new Set<number>();
  for (const { cut, fate } of plannedCuts(STATES, 0, entries.length, random)) {
    const found = await readCutDisk(disk.cutAt(cut, fate, random), recording.diskBytes, folder, recoverByTool);
    assert.equal(brokenPromise(recording, cut, found), undefined, `seed ${seed}, cut after ${cut} entries, ${fate}`);
    seen.add(found.generations.length);
  }
  t.diagnostic(
    `${STATES} states of ${entries.length} entries, seed ${seed}; configurations found: ${[...seen].join(" ")}`,
  );
  assert.ok(seen.size > 1, "the cuts reached before and behind a commit");
});
