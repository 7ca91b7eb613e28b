/** `culvert lab list` and `culvert lab run`: which suites and scenarios, on how many labs at once, and what is said of it. */
import { readFileSync } from "node:fs";
import { cpus, freemem } from "node:os";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { BOARDS } from "../../image/boards/boards.ts";
import { workFolder } from "../../image/project.ts";
import { parseBenchOptions } from "../bench/resolve.ts";
import { systemClock } from "../clock.ts";
import { type BoardChoice, firmwareNamed } from "../node/qemu/firmware.ts";
import { windowsChoice } from "../peers/windows/options.ts";
import { ProgressPrinter } from "../report/progress.ts";
import { countsInWords, countVerdicts, isGood, type RunReport } from "../report/run-report.ts";
import { emitSummary, Paint } from "../report/terminal.ts";
import { reportFolders } from "../report/write.ts";
import { filterWords, type Suite, selectScenarios } from "../scenario.ts";
import { SUITES } from "../suites.ts";
import { UsageError } from "../usage-error.ts";
import { runSuite } from "./lab-run.ts";
import { type Durations, deal, jobsWithin, labMemoryMib, parseDurations, parseShard, partsOf } from "./plan.ts";

export function listSuites(asJson: boolean): number {
  if (asJson) {
    const suites = SUITES.map(({ name, title, stages, scenarios, cold }) => {
      return {
        name,
        title,
        cold,
        stages,
        scenarios: scenarios.map(({ name, claim, from, needs, impossible, quarantine }) => ({
          name,
          claim,
          from,
          needs,
          impossible,
          quarantine,
        })),
      };
    });
    console.log(JSON.stringify(suites, undefined, 2));
    return 0;
  }
  for (const suite of SUITES) {
    console.log(`${suite.name}: ${suite.title}`);
    for (const { name, claim, quarantine } of suite.scenarios) {
      const aside = quarantine === undefined ? "" : ` (in quarantine until ${quarantine.until}: ${quarantine.reason})`;
      console.log(`  ${name.padEnd(28)} ${claim}${aside}`);
    }
  }
  return 0;
}

/** As they were typed; `undefined` is what was not. */
export interface LabRunOptions {
  readonly suite?: string;
  readonly filter?: string;
  readonly bench?: string;
  readonly peer?: string;
  readonly image?: string;
  readonly firmware?: string;
  readonly "ssh-key"?: string;
  readonly "windows-user"?: string;
  readonly board?: string;
  readonly report?: string;
  readonly jobs?: string;
  readonly memory?: string;
  readonly shard?: string;
  readonly durations?: string;
  readonly repeat?: string;
  readonly retries?: string;
  readonly cold: boolean;
}

/** One lab at work: a part of a suite in a folder of its own. */
interface Task {
  readonly suite: Suite;
  readonly scenarios: readonly string[];
  /** Below the run's folder; empty when it is the only one. */
  readonly folder: string;
}

/** Runs with progress and a table on the terminal; 0 if everything passed, 1 if not, 130 after Ctrl-C. */
export async function runLab(options: LabRunOptions): Promise<number> {
  const named = (options.suite ?? (options.peer === undefined ? "smoke" : "windows")).split(",").map(suiteNamed);
  const suites = onPeers(named, options).map((suite) => onBenches(suite, options.bench, choiceOf(options.board)));
  return (await runSuites(suites, options)).status;
}

export interface SuitesRun {
  /** 0 if everything passed, 1 if not, 130 after Ctrl-C. */
  readonly status: number;
  /** One for each lab, in the order in which they were planned. */
  readonly reports: readonly RunReport[];
  /** Where the labs' folders are. */
  readonly folder: string;
}

/** Runs these suites, with progress and a table on the terminal; of the options, `suite`, `bench` and `board` are not looked at. */
export async function runSuites(suites: readonly Suite[], options: LabRunOptions): Promise<SuitesRun> {
  for (const suite of suites) rejectFutile(suite, options.filter, suites.length > 1);
  const repeat = wholeNumber("--repeat", options.repeat, 1, 10_000) ?? 1;
  const retries = wholeNumber("--retries", options.retries, 0, 10) ?? 1;
  const { tasks, jobs } = plan(suites, options, repeat);
  const clock = systemClock();
  const started = new Date(Number(clock.nowNs() / 1_000_000n));
  const runFolder = resolve(options.report ?? join(workFolder, "runs", folderName(started)));
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
  const titles = suites.map(({ name, title }) => `suite ${name}, ${title}`).join("; ");
  const labs = tasks.length === 1 ? "" : `; ${tasks.length} labs, ${jobs} at once`;
  console.log(`lab: ${titles}${labs}; files in ${shown}`);
  try {
    const reports = await inParallel(tasks, jobs, interrupt.signal, async ({ suite, scenarios, folder }) => {
      const tag = folder === "" ? "" : `${folder}: `;
      return await runSuite({
        ...{ suite, scenarios, retries, clock, cold: options.cold, runFolder: join(runFolder, folder) },
        progress: (event) =>
          printer.print("step" in event ? { ...event, step: tag + event.step } : { ...event, text: tag + event.text }),
        signal: interrupt.signal,
        reportsLater: tasks.length > 1, // `joined` makes them all
        command: process.argv.slice(2),
      });
    });
    printer.close();
    for (const report of reports)
      console.log(emitSummary(report, relative(process.cwd(), report.folder) || ".", paint));
    const isAllGood = reports.length === 1 ? isGoodRun(reports) : await joined(reports, runFolder, shown);
    const status = interrupt.signal.aborted ? 130 : isAllGood ? 0 : 1;
    return { status, reports, folder: runFolder };
  } finally {
    printer.close();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
  }
}

function isGoodRun(reports: readonly RunReport[]): boolean {
  return reports.every((report) => isGood(countVerdicts(report)));
}

/** Several labs leave one index page, one JUnit file and one list of results. */
async function joined(reports: readonly RunReport[], runFolder: string, shown: string): Promise<boolean> {
  const merged = await reportFolders(
    reports.map(({ folder }) => folder),
    runFolder,
  );
  console.log(`\nall:      ${shown}/index.html`);
  console.log(`lab: ${countsInWords(merged.counts)} in ${reports.length} labs`);
  return isGood(merged.counts);
}

function plan(suites: readonly Suite[], options: LabRunOptions, repeat: number): { tasks: Task[]; jobs: number } {
  const memoryMib = wholeNumber("--memory", options.memory, 256, 1_000_000) ?? Math.floor(freemem() / 2 ** 20);
  const largest = Math.max(...suites.map(labMemoryMib));
  const most = jobsWithin({ processors: cpus().length, memoryMib }, largest);
  const jobs = options.jobs === "auto" ? most : (wholeNumber("--jobs", options.jobs, 1, 64) ?? 1);
  if (options.memory !== undefined && jobs > 1 && jobs * largest > memoryMib)
    throw new UsageError(`--jobs ${jobs}: a lab takes up to ${largest} MiB, so ${memoryMib} MiB hold ${most}`);
  const shard = options.shard === undefined ? undefined : parseShard(options.shard);
  if (options.shard !== undefined && shard === undefined)
    throw new UsageError(`--shard ${options.shard}: give INDEX/COUNT with INDEX from 1, such as 2/4`);
  const durations = options.durations === undefined ? new Map() : readDurations(options.durations);
  const tasks = suites.flatMap((suite) => {
    const parts = partsOf(suite, options.filter);
    const mine = shard === undefined ? parts : cut(suite, parts, shard.index, shard.count, durations);
    const hands = deal(suite.name, mine, Math.min(jobs, mine.length), durations);
    return hands.flatMap((scenarios, hand) =>
      Array.from({ length: repeat }, (_, round) => ({
        suite,
        scenarios,
        folder: `${suite.name}-${hand + 1}.${round + 1}`,
      })),
    );
  });
  if (tasks.length === 0) throw new UsageError(`--shard ${options.shard}: nothing is left for this shard; use fewer`);
  const [only] = tasks;
  return { jobs, tasks: only !== undefined && tasks.length === 1 ? [{ ...only, folder: "" }] : tasks };
}

/** What one shard has of a suite's parts. */
function cut(suite: Suite, parts: ReturnType<typeof partsOf>, index: number, count: number, durations: Durations) {
  const hand = new Set(deal(suite.name, parts, count, durations)[index - 1]);
  return parts.filter((part) => part.some((name) => hand.has(name)));
}

/** At most `jobs` at once, in the order of the list; results in that order too. After an interruption no more begin. */
async function inParallel<T, R>(
  items: readonly T[],
  jobs: number,
  signal: AbortSignal,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length && !signal.aborted; at = next++) {
      results[at] = await work(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, worker));
  return results.filter((result) => result !== undefined);
}

function readDurations(path: string): Durations {
  try {
    return parseDurations(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UsageError(`--durations ${path}: ${(error as Error).message}; give the results.ndjson of an earlier run`);
  }
}

function wholeNumber(option: string, text: string | undefined, low: number, high: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw new UsageError(`${option} ${text}: give a whole number from ${low} to ${high}`);
}

/** What the devices are, if the user says it: `arm64`, or `arm64:uboot` for its flashable disk. */
function choiceOf(text: string | undefined): BoardChoice | undefined {
  if (text === undefined) return undefined;
  const [name, firmware] = text.split(":");
  const board = BOARDS.find((each) => each.name === name);
  if (board === undefined) {
    throw new UsageError(`--board ${text}: there is ${BOARDS.map((each) => each.name).join(", ")}`);
  }
  return { board: board.name, firmware: firmwareNamed(board, firmware) };
}

/** `NODE=FILE,...`: the benches that nodes of the suite are. `choice` is what the other devices are. */
function onBenches(suite: Suite, options: string | undefined, choice: BoardChoice | undefined): Suite {
  const nodes = suite.benches?.nodes ?? [];
  const overrides = parseBenchOptions(options?.split(",") ?? [], nodes);
  let chosen = suite;
  if (choice !== undefined) {
    if (suite.onBoard === undefined)
      throw new UsageError(`--board ${choice.board}: suite ${suite.name} has no device that boots an image`);
    chosen = suite.onBoard(choice);
  }
  return overrides.size === 0 ? chosen : (chosen.benches?.on(overrides) ?? chosen);
}

/** `--peer windows`: every named suite with a real Windows in the place of the one that is played. */
function onPeers(suites: readonly Suite[], options: LabRunOptions): readonly Suite[] {
  const windows = windowsChoice(options);
  if (windows === undefined) return suites;
  return suites.map((suite) => {
    const other = suite.onWindows?.(windows);
    if (other === undefined)
      throw new UsageError(`--peer windows: suite ${suite.name} has no Windows; suite windows has`);
    return other;
  });
}

export function suiteNamed(name: string): Suite {
  const suite = SUITES.find((each) => each.name === name);
  if (suite === undefined) {
    throw new UsageError(`there is no suite '${name}'; there are ${SUITES.map((each) => each.name).join(", ")}`);
  }
  return suite;
}

/** A word of the filter that takes nothing is a mistake, even if others take something. Of several suites each may have its own. */
function rejectFutile(suite: Suite, filter: string | undefined, isOneOfSeveral: boolean): void {
  if (filter === undefined) return;
  const words = filterWords(filter);
  const takes = (word: string): boolean => selectScenarios(suite, word).length > 0;
  if (isOneOfSeveral && words.some(takes)) return;
  const futile = words.length === 0 ? filter : words.find((word) => !takes(word));
  if (futile === undefined) return;
  const names = suite.scenarios.map((scenario) => scenario.name).join(", ");
  throw new UsageError(`no scenario of suite ${suite.name} contains '${futile}'; there are ${names}`);
}

/** `2026-11-22T23-50-01`: sorts by time and needs no quoting. */
function folderName(started: Date): string {
  return started.toISOString().slice(0, 19).replaceAll(":", "-");
}
