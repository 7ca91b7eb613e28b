/** A slice of suite `windows-errors`, so that `npm test` stays short. All of it: `npx culvert lab run --suite windows-errors`. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import process from "node:process";
import { test } from "node:test";
import { windowsErrorsSuite } from "../../hil/scenarios/windows-errors.ts";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";

/** Those that wait for nobody: each takes some seconds. */
const QUICK = /^(?:646|647|649|691|733|734-no|741|742|629)/;
const SLICE = 2;
const { CULVERT_SEED } = process.env;
const seed = CULVERT_SEED === undefined ? randomInt(2 ** 31) : Number(CULVERT_SEED);
assert.ok(Number.isSafeInteger(seed) && seed >= 0, `CULVERT_SEED=${CULVERT_SEED} is not a whole number`);

test("some errors are provoked, and the device's log names stage and code", async (t) => {
  const quick = windowsErrorsSuite.scenarios.filter(({ name, impossible }) => !impossible && QUICK.test(name));
  const first = seed % quick.length;
  const names = Array.from({ length: SLICE }, (_, n) => quick[(first + n * 5) % quick.length]?.name ?? assert.fail());
  t.diagnostic(`${names.join(", ")}: CULVERT_SEED=${seed}`);
  const run = startCulvert([
    ...["lab", "run", "--suite", "windows-errors", "--filter", names.join(","), "--report", temporaryFolder()],
  ]);
  assert.equal((await run.ended).code, 0, `CULVERT_SEED=${seed}\n${run.output()}`);
  assert.match(run.output(), /^lab: [2345] passed in /m);
});
