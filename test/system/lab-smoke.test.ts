/** Figure 13-1 with the device itself: what `npm start` runs, its two labs side by side. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";

test("suite smoke passes", async () => {
  const run = startCulvert(["lab", "run", "--suite", "smoke", "--jobs", "2", "--report", temporaryFolder()]);
  assert.equal((await run.ended).code, 0, run.output());
});
