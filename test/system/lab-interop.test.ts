/**
 * A slice of the interop suites, so that `npm test` stays short: two policies of each, drawn by a seed that is printed.
 * All of them: `npx culvert lab run --suite interop-server`, and `interop-client`.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import process from "node:process";
import { describe, test } from "node:test";
import { POLICIES } from "../../hil/scenarios/policies.ts";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";

const SLICE = 2;
const { CULVERT_SEED } = process.env;
const seed = CULVERT_SEED === undefined ? randomInt(2 ** 31) : Number(CULVERT_SEED);
assert.ok(Number.isSafeInteger(seed) && seed >= 0, `CULVERT_SEED=${CULVERT_SEED} is not a whole number`);

/** Different policies: `digits` is a number whose digits, to the base of how many are left, say which. */
function draw(digits: number): string[] {
  const left = POLICIES.map(({ name }) => name);
  const drawn: string[] = [];
  for (let rest = digits; drawn.length < SLICE; ) {
    const base = left.length;
    drawn.push(...left.splice(rest % base, 1));
    rest = Math.floor(rest / base);
  }
  return drawn;
}

// Side by side: each lab is a device and one peer, which wait for one another most of the time.
describe("interop", { concurrency: true }, () => {
  for (const [index, suite] of ["interop-server", "interop-client"].entries()) {
    test(`a slice of suite ${suite} passes`, async (t) => {
      const policies = draw(seed + index);
      t.diagnostic(`${policies.join(", ")}: CULVERT_SEED=${seed}`);
      const options = ["--suite", suite, "--filter", policies.join(","), "--report", temporaryFolder()];
      const run = startCulvert(["lab", "run", ...options]);
      assert.equal((await run.ended).code, 0, `CULVERT_SEED=${seed}\n${run.output()}`);
      assert.match(run.output(), /^lab: [345] passed in /m);
    });
  }
});
