/** `culvert lab matrix`: draws a set of cells, runs them in their labs, and publishes what came of it. */
import { randomInt } from "node:crypto";
import { join, relative } from "node:path";
import process from "node:process";
import { type LabRunOptions, runSuites } from "../run/command.ts";
import { filterWords } from "../scenario.ts";
import { UsageError } from "../usage-error.ts";
import { type Cell, cellName } from "./cell.ts";
import { runMutations } from "./mutations-command.ts";
import { pairwiseCells, possibleCells, sliceCells } from "./pairwise.ts";
import { cellClaim, matrixReport, readMatrix, writeMatrix } from "./report.ts";
import { RULES } from "./rules.ts";
import { suitesOf } from "./suites.ts";
import { joined, writeInteropTable } from "./table.ts";

const SETS = ["pairwise", "full", "slice", "mutations"] as const;
type SetName = (typeof SETS)[number];
const SLICE_CELLS = 8;

/** As they were typed; `undefined` is what was not. */
export interface MatrixOptions extends Omit<LabRunOptions, "suite" | "bench" | "board" | "repeat"> {
  readonly set?: string;
  readonly seed?: string;
  readonly cells?: string;
  readonly readme?: string;
  readonly list: boolean;
}

/** 0 if every cell came out as it must, 1 if not, 130 after Ctrl-C. */
export async function runMatrix(options: MatrixOptions): Promise<number> {
  const { readme, filter, ...rest } = options;
  if (readme !== undefined) {
    writeInteropTable(joined(readme.split(",").map(readMatrix)));
    return 0;
  }
  const set = setNamed(options.set ?? "pairwise");
  if (set === "mutations") return await runMutations(options);
  const seed = wholeNumber("--seed", options.seed) ?? (set === "slice" ? randomInt(2 ** 31) : 0);
  const cells = cellsOf(set, seed, wholeNumber("--cells", options.cells) ?? SLICE_CELLS);
  const wanted = filter === undefined ? cells : cellsNamed(cells, filter, set);
  if (options.list) return listCells(wanted);
  const count = wanted === cells ? `${cells.length}` : `${wanted.length} of ${cells.length}`;
  console.log(`matrix: ${count} cells of set ${set}, --seed ${seed}`);
  const { status, reports, folder } = await runSuites(suitesOf(wanted), rest);
  const report = matrixReport({ set, seed, cells, runs: reports, into: folder });
  await writeMatrix(report, folder);
  console.log(`matrix:   ${join(relative(process.cwd(), folder) || ".", "matrix.html")}`);
  return status;
}

/** Those whose name contains a word of the filter, whatever lab they are of. */
function cellsNamed(cells: readonly Cell[], filter: string, set: SetName): readonly Cell[] {
  const takes = (word: string, cell: Cell): boolean => cellName(cell).includes(word);
  const words = filterWords(filter);
  const futile = words.length === 0 ? filter : words.find((word) => !cells.some((cell) => takes(word, cell)));
  if (futile !== undefined)
    throw new UsageError(
      `no cell of set ${set} contains '${futile}'; culvert lab matrix --set ${set} --list names them`,
    );
  return cells.filter((cell) => words.some((word) => takes(word, cell)));
}

function cellsOf(set: Exclude<SetName, "mutations">, seed: number, count: number): readonly Cell[] {
  switch (set) {
    case "pairwise":
      return pairwiseCells(seed);
    case "full":
      return possibleCells();
    case "slice":
      return sliceCells(seed, count);
  }
}

function listCells(cells: readonly Cell[]): number {
  for (const cell of cells) console.log(`${cellName(cell).padEnd(64)} ${cellClaim(cell)}`);
  console.log(`\n${cells.length} cells. What cannot be:`);
  for (const { limit, reason } of RULES) console.log(`  ${limit}: ${reason}`);
  return 0;
}

function setNamed(name: string): SetName {
  const set = SETS.find((each) => each === name);
  if (set === undefined) throw new UsageError(`--set ${name}: there are ${SETS.join(", ")}`);
  return set;
}

function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${option} ${text}: give a whole number`);
  return Number(text);
}
