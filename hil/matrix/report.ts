/** What came of a run of the matrix, as data: `matrix.json`, of which the page and the table in the README are made. */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { windowsErrorRow } from "../../appliance/tunnel/windows-error.ts";
import { elapsedMs } from "../clock.ts";
import { emitMatrixPage } from "../report/matrix-page.ts";
import { failedStep, type RunReport, type ScenarioResult } from "../report/run-report.ts";
import { UsageError } from "../usage-error.ts";
import { type Cell, cellName, DIMENSION_NAMES, DIMENSIONS, everyCell, MEANING } from "./cell.ts";
import type { MatrixCell, MatrixReport } from "./data.ts";
import { type Expectation, expectationOf } from "./expectation.ts";
import { RULES } from "./rules.ts";

const JSON_NAME = "matrix.json";

/** Writes `matrix.json` and `matrix.html` into the run's folder. */
export async function writeMatrix(report: MatrixReport, folder: string): Promise<void> {
  await writeFile(join(folder, JSON_NAME), `${JSON.stringify(report, undefined, 1)}\n`);
  await writeFile(join(folder, "matrix.html"), emitMatrixPage(report));
}

/** Of an earlier run, by its folder. Throws a UsageError for a folder without a matrix. */
export function readMatrix(folder: string): MatrixReport {
  try {
    const report = JSON.parse(readFileSync(join(folder, JSON_NAME), "utf8")) as MatrixReport;
    if (report.version !== 1 || !Array.isArray(report.cells)) throw new Error("it is no matrix of this version");
    return report;
  } catch (error) {
    throw new UsageError(
      `${join(folder, JSON_NAME)}: ${(error as Error).message}; give the folder of a \`lab matrix\` run`,
    );
  }
}

export function matrixReport(run: {
  readonly set: string;
  readonly seed: number;
  readonly cells: readonly Cell[];
  readonly runs: readonly RunReport[];
  /** Where the matrix' page will lie. */
  readonly into: string;
}): MatrixReport {
  const { set, seed, cells, runs, into } = run;
  const found = new Map(
    runs.flatMap((report) => report.scenarios.map((scenario) => [scenario.name, { report, scenario }] as const)),
  );
  const first = runs.map(({ startedNs }) => startedNs).sort(byTime)[0] ?? 0n;
  const last =
    runs
      .map(({ endedNs }) => endedNs)
      .sort(byTime)
      .at(-1) ?? first;
  return {
    version: 1,
    set,
    seed,
    started: new Date(Number(first / 1_000_000n)).toISOString(),
    tookMs: Math.round(elapsedMs(first, last)),
    dimensions: DIMENSIONS,
    meaning: MEANING,
    cells: cells.map((cell) => {
      const ran = found.get(cellName(cell));
      return {
        ...plannedCell(cell),
        ...(ran === undefined ? { verdict: "not-run" } : resultOf(ran.report, ran.scenario, into)),
      };
    }),
    combinations: DIMENSION_NAMES.reduce((product, dimension) => product * DIMENSIONS[dimension].length, 1),
    impossible: impossibleCounts(),
  };
}

function plannedCell(cell: Cell): Omit<MatrixCell, "verdict"> {
  const expected = expectationOf(cell);
  return {
    name: cellName(cell),
    cell,
    claim: cellClaim(cell, expected),
    expected: expected.outcome,
    ...failureOf(expected),
  };
}

function failureOf(expected: Expectation): Pick<MatrixCell, "stage" | "code" | "confidence"> {
  if (expected.outcome === "pass") return {};
  const { stage, code } = expected;
  return { stage, code, confidence: windowsErrorRow(code)?.confidence ?? "predicted" };
}

function resultOf(
  report: RunReport,
  scenario: ScenarioResult,
  into: string,
): Omit<MatrixCell, keyof ReturnType<typeof plannedCell>> & Pick<MatrixCell, "verdict"> {
  const { verdict, attempts, because } = scenario;
  const failure = failedStep(scenario)?.failure;
  const folder = relative(into, report.folder);
  const file = (name: string): string =>
    [...folder.split("/").filter((part) => part !== ""), name].map(encodeURIComponent).join("/");
  const line = report.links.find(({ link }) => link === "internet");
  const trouble = verdict === "pass" ? undefined : (failure?.text.split("\n")[0] ?? because);
  return {
    verdict,
    ...(attempts.length > 0 && {
      tookMs: Math.round(attempts.reduce((sum, each) => sum + elapsedMs(each.startedNs, each.endedNs), 0)),
      recorder: `${file("report.html")}#scenario=${encodeURIComponent(scenario.name)}`,
    }),
    ...(line !== undefined && { capture: file(line.capture) }),
    ...(trouble !== undefined && { message: trouble }),
    ...(failure !== undefined && { faultClass: failure.faultClass }),
  };
}

/** One sentence that is true if the cell passes. */
export function cellClaim(cell: Cell, wanted: Expectation = expectationOf(cell)): string {
  const { peer, role, auth, encryption, mtu, network, fault } = cell;
  const what = [
    role === "server" ? `${peer} calls the device` : `the device calls ${peer}`,
    auth,
    encryption === "none" ? "no encryption" : `MPPE-${encryption}`,
    `MTU ${mtu}`,
    network,
    ...(fault === "none" ? [] : [fault]),
  ].join(", ");
  return wanted.outcome === "pass"
    ? `${what}: the call works and ends without a trace`
    : `${what}: no call, and the device's log names stage ${wanted.stage} and error ${wanted.code}`;
}

function impossibleCounts(): MatrixReport["impossible"] {
  const counts = RULES.map(() => 0);
  for (const cell of everyCell()) {
    const index = RULES.findIndex(({ forbids }) => forbids(cell));
    if (index >= 0) counts[index] = (counts[index] ?? 0) + 1;
  }
  return RULES.map(({ reason, limit }, index) => ({ reason, limit, count: counts[index] ?? 0 }));
}

function byTime(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
