/** A slice of the interop matrix, drawn by a seed that is printed, so that `npm test` stays short. All pairs: `npm run lab:pairwise`. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { MatrixReport } from "../../hil/matrix/data.ts";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";

/** One that works and one that fails by plan, in one lab. */
const CELLS = 2;
const { CULVERT_SEED } = process.env;
const seed = CULVERT_SEED === undefined ? randomInt(2 ** 31) : Number(CULVERT_SEED);
assert.ok(Number.isSafeInteger(seed) && seed >= 0, `CULVERT_SEED=${CULVERT_SEED} is not a whole number`);

test("a slice of the interop matrix comes out as it must, and is published", async (t) => {
  t.diagnostic(`CULVERT_SEED=${seed}`);
  const folder = temporaryFolder();
  const options = ["--set", "slice", "--cells", String(CELLS), "--seed", String(seed % 1e9), "--report", folder];
  const run = startCulvert(["lab", "matrix", ...options]);
  assert.equal((await run.ended).code, 0, `CULVERT_SEED=${seed}\n${run.output()}`);
  const { cells } = JSON.parse(readFileSync(join(folder, "matrix.json"), "utf8")) as MatrixReport;
  assert.ok(cells.length >= 2 && cells.length <= CELLS);
  for (const { name, verdict, recorder } of cells) {
    assert.ok(verdict === "pass" || verdict === "flaky", `${name}: ${verdict}`);
    assert.ok(readFileSync(join(folder, (recorder ?? "").replace(/#.*/, "")), "utf8").includes(name));
  }
});
