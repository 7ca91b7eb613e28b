/** The interop matrix: what can be, what must come of it, which cells are drawn, and what is published. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { windowsErrorRow } from "../../appliance/tunnel/windows-error.ts";
import { type Cell, cellName, cellWith, DIMENSION_NAMES, DIMENSIONS, everyCell } from "../../hil/matrix/cell.ts";
import { expectationOf } from "../../hil/matrix/expectation.ts";
import { MUTATIONS } from "../../hil/matrix/mutations.ts";
import { pairsToCover, pairwiseCells, possibleCells, sliceCells, uncovered } from "../../hil/matrix/pairwise.ts";
import { matrixReport, readMatrix, writeMatrix } from "../../hil/matrix/report.ts";
import { forbidding, RULES } from "../../hil/matrix/rules.ts";
import { suitesOf } from "../../hil/matrix/suites.ts";
import { emitInteropTable, joined, TABLE_BEGINS, TABLE_ENDS, withTable } from "../../hil/matrix/table.ts";
import { readReport } from "../../hil/report/run-fold.ts";
import { applyReplacement } from "../../image/compile.ts";
import { projectRoot } from "../../image/project.ts";
import { playRun } from "./played-run.ts";

const possible = possibleCells();

test("every rule forbids something, and every value of a dimension can be had, unless a rule forbids it as a whole", () => {
  const first = new Map(RULES.map((rule) => [rule, 0]));
  for (const cell of everyCell()) {
    const rule = forbidding(cell);
    if (rule !== undefined) first.set(rule, (first.get(rule) ?? 0) + 1);
  }
  for (const [{ reason }, count] of first) assert.ok(count > 0, `no cell is forbidden by: ${reason}`);
  const had = new Set(
    possible.flatMap((cell) => DIMENSION_NAMES.map((dimension) => `${dimension}=${cell[dimension]}`)),
  );
  const missing = DIMENSION_NAMES.flatMap((dimension) =>
    DIMENSIONS[dimension].filter((value) => !had.has(`${dimension}=${value}`)).map((value) => `${dimension}=${value}`),
  );
  assert.deepEqual(missing, ["plane=kernel"]);
});

test("what issue and protocols forbid is forbidden, and the plain cell of each peer is not", () => {
  const forbidden: readonly Partial<Cell>[] = [
    { auth: "pap", encryption: "128" },
    { auth: "chap-md5", encryption: "40" },
    { encryption: "56" },
    { plane: "kernel" },
    { fault: "set-link-info-lost" },
    { fault: "ccp-reset-lost" },
    { network: "two-clients", fault: "wrong-password" },
  ];
  for (const values of forbidden) assert.ok(forbidding(cellWith(values)), JSON.stringify(values));
  assert.equal(forbidding(cellWith({})), undefined);
  assert.equal(forbidding(cellWith({ peer: "poptop", role: "client" })), undefined);
  assert.equal(forbidding(cellWith({ peer: "culvert", encryption: "56" })), undefined);
});

test("names are different, and short enough to be typed", () => {
  const names = possible.map(cellName);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[\w.-]{1,90}$/);
});

test("a call that fails by plan has a code that a server can cause, and a cause to look for", () => {
  for (const cell of possible) {
    const wanted = expectationOf(cell);
    if (wanted.outcome === "pass") continue;
    const row = windowsErrorRow(wanted.code);
    assert.ok(row !== undefined && row.notOurs === undefined, `${cellName(cell)}: ${wanted.code}`);
    assert.ok(wanted.says.source.length > 5 && wanted.stage !== "");
  }
});

const wanted = pairsToCover(possible);
for (const seed of [0, 1])
  test(`pairwise, seed ${seed}: every pair that can be is in it, in a working cell where one has it; no cell is forbidden`, () => {
    const cells = pairwiseCells(seed);
    assert.ok(cells.length >= 60, `only ${cells.length} cells`);
    assert.deepEqual(cells.filter(forbidding).map(cellName), []);
    assert.deepEqual(uncovered(cells, wanted), []);
    const [gone, ...rest] = cells;
    assert.ok(
      gone !== undefined && uncovered(rest, wanted).length > 0,
      "a cell less covers less: nothing is superfluous",
    );
  });

test("the same seed draws the same cells", () => assert.deepEqual(sliceCells(7, 4), sliceCells(7, 4)));

test("a slice is of one lab, quick, has both kinds of cells, and differs from seed to seed", () => {
  const slices = [1, 2, 3, 4, 5, 6].map((seed) => sliceCells(seed, 4));
  for (const cells of slices) {
    assert.ok(cells.length >= 2 && cells.length <= 4);
    assert.equal(suitesOf(cells).length, 1, cells.map(cellName).join(", "));
    assert.equal(new Set(cells.map((cell) => expectationOf(cell).outcome)).size, 2);
  }
  assert.ok(new Set(slices.map((cells) => JSON.stringify(cells))).size > 3);
});

test("each possible cell is a scenario of exactly one suite", () => {
  const names = suitesOf(possible).flatMap(({ scenarios }) => scenarios.map(({ name }) => name));
  assert.deepEqual([...names].sort(), possible.map(cellName).sort());
});

test("there are a dozen defects and more; each still fits its source, and its cells can be", () => {
  assert.ok(MUTATIONS.length >= 12);
  assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
  for (const { defect, turnsRed } of MUTATIONS) {
    const source = readFileSync(join(projectRoot, defect.file), "utf8");
    assert.notEqual(applyReplacement(source, defect), source);
    assert.ok(turnsRed.length > 0);
    for (const cell of turnsRed) assert.equal(forbidding(cell)?.reason, undefined, cellName(cell));
  }
});

const folder = mkdtempSync(join(tmpdir(), "culvert-matrix-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A run in which a scenario `dial` failed; the cells of the matrix are others, so none of them ran. */
function madeUp() {
  playRun(join(folder, "run"), { outcome: "fail" });
  const cells = possible.slice(0, 12);
  return matrixReport({ set: "pairwise", seed: 0, cells, runs: [readReport(join(folder, "run"))], into: folder });
}

test("a run becomes matrix.json and a page that needs nothing else; cells that never ran are no passes", async () => {
  const report = madeUp();
  assert.deepEqual([...new Set(report.cells.map(({ verdict }) => verdict))], ["not-run"]);
  assert.ok(report.tookMs > 0);
  await writeMatrix(report, folder);
  assert.deepEqual(readMatrix(folder), JSON.parse(JSON.stringify(report)));
  const page = readFileSync(join(folder, "matrix.html"), "utf8");
  assert.match(page, /0 of 12 cells did not come out as they must, 12 were not run/);
  assert.doesNotMatch(page, /(?:src|href)="(?:https?:)?\/\//);
  for (const { name } of report.cells) assert.ok(page.includes(name));
});

test("a folder without a matrix is named, and what to give instead", () =>
  assert.throws(
    () => readMatrix(join(folder, "nothing")),
    /nothing\/matrix\.json: .*give the folder of a `lab matrix` run/,
  ));

test("the table has a row for each peer and role, and counts", () => {
  const report = madeUp();
  const passed = report.cells.map((cell, index) => ({
    ...cell,
    verdict: index === 0 ? ("fail" as const) : ("pass" as const),
  }));
  const table = emitInteropTable({ ...report, cells: passed });
  const rows = table.split("\n").filter((line) => line.startsWith("|"));
  assert.equal(rows.length, 2 + 6);
  const columns = rows.map((row) => row.split("|").length);
  assert.equal(new Set(columns).size, 1, "as many cells in each row");
  assert.match(rows[2] ?? "", /^\| pptp-linux calls us \| 11\/12 /);
  assert.match(rows[5] ?? "", /none/);
});

test("shards of a set join to the set, and of a cell that ran twice the later run counts", () => {
  const report = madeUp();
  const shard = (at: string, verdicts: readonly ("pass" | "fail" | "not-run")[]) => ({
    ...report,
    started: `2026-11-25T${at}Z`,
    cells: report.cells.slice(0, 3).map((cell, index) => ({ ...cell, verdict: verdicts[index] ?? "not-run" })),
  });
  const later = shard("12:00:00", ["not-run", "pass", "not-run"]);
  const whole = joined([later, shard("11:00:00", ["pass", "fail", "not-run"])]);
  assert.deepEqual(
    whole.cells.map(({ verdict }) => verdict),
    ["pass", "pass", "not-run"],
  );
  assert.equal(whole.started, "2026-11-25T11:00:00Z");
  assert.equal(whole.tookMs, 2 * report.tookMs);
});

test("the README has the table between its markers, in the shape in which it is made", () => {
  const readme = readFileSync(join(projectRoot, "hil/README.md"), "utf8");
  const begins = readme.indexOf(TABLE_BEGINS);
  const inside = readme
    .slice(begins + TABLE_BEGINS.length, readme.indexOf(TABLE_ENDS))
    .trim()
    .split("\n");
  const made = emitInteropTable(madeUp()).split("\n");
  assert.equal(inside.length, made.length);
  assert.equal(inside[2], made[2], "the head of the table");
  for (const row of inside.slice(4)) assert.match(row, /^\| [\w -]+(?: \| (?:none|\d+\/\d+))+ \|$/);
  assert.equal(withTable(readme, inside.join("\n")), readme, "writing it again changes nothing");
});

test("a README that lost its markers is told so", () => {
  assert.throws(() => withTable("no markers", ""), /must have one line/);
  assert.throws(() => withTable(`${TABLE_BEGINS}\n${TABLE_BEGINS}\n${TABLE_ENDS}`, ""), /must have one line/);
});
