/** `culvert lab list` and `culvert lab run`. */
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { workFolder } from "../image/project.ts";
import { systemClock } from "./clock.ts";
import { ProgressPrinter } from "./report/progress.ts";
import { countVerdicts } from "./report/run-report.ts";
import { emitSummary, Paint } from "./report/terminal.ts";
import { runSuite } from "./run/lab-run.ts";
import { filterWords, type Suite, selectScenarios } from "./scenario.ts";
import { SUITES } from "./suites.ts";
import { UsageError } from "./usage-error.ts";

export function listSuites(): number {
  for (const suite of SUITES) {
    console.log(`${suite.name}: ${suite.title}`);
    for (const { name, claim } of suite.scenarios) console.log(`  ${name.padEnd(28)} ${claim}`);
  }
  return 0;
}

export interface LabRunOptions {
  readonly suite: string;
  readonly filter: string | undefined;
  /** For reports and captures; a new folder under .culvert/runs unless given. */
  readonly folder: string | undefined;
}

/** Runs a suite with progress and a table on the terminal; 0 if everything passed, 1 if not, 130 after Ctrl-C. */
export async function runLab(options: LabRunOptions): Promise<number> {
  const suite = suiteNamed(options.suite);
  rejectFutile(suite, options.filter);
  const clock = systemClock();
  const started = new Date(Number(clock.nowNs() / 1_000_000n));
  const runFolder = resolve(options.folder ?? join(workFolder, "runs", folderName(started)));
  const shown = relative(process.cwd(), runFolder) || ".";
  const { NO_COLOR } = process.env;
  const paint = new Paint(process.stdout.isTTY && NO_COLOR === undefined);
  const printer = new ProgressPrinter(process.stdout, clock, paint);
  const interrupt = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(130); // asked twice; every QEMU dies with this process
    printer.print({ kind: "note", text: "interrupted: taking the lab down" });
    interrupt.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  console.log(`lab: suite ${suite.name}, ${suite.title}; files in ${shown}`);
  try {
    const report = await runSuite({
      suite,
      filter: options.filter,
      runFolder,
      clock,
      progress: (event) => printer.print(event),
      signal: interrupt.signal,
      command: process.argv.slice(2),
    });
    printer.close();
    console.log(emitSummary(report, shown, paint));
    const { fail, blocked } = countVerdicts(report);
    if (interrupt.signal.aborted) return 130;
    return fail + blocked === 0 ? 0 : 1;
  } finally {
    printer.close();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
  }
}

function suiteNamed(name: string): Suite {
  const suite = SUITES.find((each) => each.name === name);
  if (suite === undefined) {
    throw new UsageError(`there is no suite '${name}'; there are ${SUITES.map((each) => each.name).join(", ")}`);
  }
  return suite;
}

/** A word of the filter that takes nothing is a mistake, even if others take something. */
function rejectFutile(suite: Suite, filter: string | undefined): void {
  if (filter === undefined) return;
  const words = filterWords(filter);
  const futile = words.length === 0 ? filter : words.find((word) => selectScenarios(suite, word).length === 0);
  if (futile === undefined) return;
  const names = suite.scenarios.map((scenario) => scenario.name).join(", ");
  throw new UsageError(`no scenario of suite ${suite.name} contains '${futile}'; there are ${names}`);
}

/** `2026-11-22T23-50-01`: sorts by time and needs no quoting. */
function folderName(started: Date): string {
  return started.toISOString().slice(0, 19).replaceAll(":", "-");
}
