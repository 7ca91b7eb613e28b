/** `culvert lab matrix --set mutations`: the cells that shall notice a defect pass without it, and fail with it. */
import { writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { workFolder } from "../../image/project.ts";
import { isLabFault } from "../fault.ts";
import { failedStep, type RunReport } from "../report/run-report.ts";
import { type LabRunOptions, runSuites } from "../run/command.ts";
import { UsageError } from "../usage-error.ts";
import { type Cell, cellName } from "./cell.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";
import { suitesOf } from "./suites.ts";

interface Caught {
  readonly name: string;
  readonly what: string;
  readonly file: string;
  /** Each cell and the step at which it noticed; undefined for one that did not. */
  readonly cells: readonly { readonly cell: string; readonly noticed: string | undefined }[];
}

/** 0 if every cell is green without a defect and every defect turns each of its cells red. */
export async function runMutations(options: LabRunOptions & { readonly list: boolean }): Promise<number> {
  const mutations = selected(options.filter);
  if (options.list) {
    for (const { name, what, turnsRed } of mutations)
      console.log(`${name.padEnd(20)} a device that ${what}: ${turnsRed.map(cellName).join(", ")}`);
    return 0;
  }
  const folder = resolve(options.report ?? join(workFolder, "runs", `mutations-${process.pid}`));
  const { filter: _, list: __, ...run } = options;
  const cells = new Map(mutations.flatMap(({ turnsRed }) => turnsRed).map((cell) => [cellName(cell), cell]));
  console.log(`mutations: ${cells.size} cells without a defect first, then ${mutations.length} defects`);
  const control = await runSuites(suitesOf([...cells.values()]), { ...run, report: join(folder, "without") });
  if (control.status !== 0) {
    console.log("mutations: cells that fail without any defect can notice none");
    return control.status;
  }
  const caught: Caught[] = [];
  for (const mutation of mutations) {
    const { status, reports } = await runSuites(suitesOf(mutation.turnsRed, mutation.defect), {
      ...{ ...run, report: join(folder, mutation.name) },
    });
    if (status === 130) return status;
    caught.push(judge(mutation, reports));
  }
  const missed = caught.filter(({ cells: each }) => each.some(({ noticed }) => noticed === undefined));
  await writeFile(join(folder, "mutations.json"), `${JSON.stringify(caught, undefined, 1)}\n`);
  console.log(`\nmutations: ${caught.length - missed.length} of ${caught.length} defects turn their cells red`);
  for (const { name, what, cells: each } of caught) {
    const noticed = each.map(({ cell, noticed: step }) => `${cell}: ${step ?? "NOT NOTICED"}`);
    console.log(
      `  ${name.padEnd(20)} a device that ${what}\n${noticed.map((line) => `${" ".repeat(23)}${line}`).join("\n")}`,
    );
  }
  console.log(`report:   ${join(relative(process.cwd(), folder) || ".", "mutations.json")}`);
  return missed.length === 0 ? 0 : 1;
}

/** A fault of the lab is no notice: the cell must fail by what the device did. */
function judge({ name, what, defect, turnsRed }: Mutation, reports: readonly RunReport[]): Caught {
  const scenarios = reports.flatMap((report) => report.scenarios);
  const noticedBy = (cell: Cell): string | undefined => {
    const result = scenarios.find((scenario) => scenario.name === cellName(cell));
    const step = result && failedStep(result);
    if (result?.verdict !== "fail" || step?.failure === undefined || isLabFault(step.failure.faultClass))
      return undefined;
    return `${step.name}: ${step.failure.text.split("\n")[0] ?? ""}`;
  };
  const cells = turnsRed.map((cell) => ({ cell: cellName(cell), noticed: noticedBy(cell) }));
  return { name, what, file: defect.file, cells };
}

function selected(filter: string | undefined): readonly Mutation[] {
  const words = filter?.split(",").filter((word) => word !== "") ?? [];
  const futile = words.find((word) => !MUTATIONS.some(({ name }) => name.includes(word)));
  if (futile !== undefined)
    throw new UsageError(`--filter ${futile}: there are ${MUTATIONS.map(({ name }) => name).join(", ")}`);
  return words.length === 0 ? MUTATIONS : MUTATIONS.filter(({ name }) => words.some((word) => name.includes(word)));
}
