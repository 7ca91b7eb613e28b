/** Runs a suite: lab up, scenarios in order, lab down, reports. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Progress } from "../image/progress.ts";
import type { LabClock } from "./clock.ts";
import { consoleLines, renderLines } from "./console/transcript.ts";
import { Journal, readJournal } from "./journal/journal.ts";
import { LabHost } from "./lab.ts";
import { emitHtml } from "./report/html.ts";
import { emitJunit } from "./report/junit.ts";
import type { RunReport, ScenarioResult, StepResult } from "./report/run-report.ts";
import { type Step, type Suite, selectScenarios } from "./scenario.ts";

export interface RunRequest {
  readonly suite: Suite;
  /** Run only the scenarios that `selectScenarios` takes for this. */
  readonly filter: string | undefined;
  /** An existing or new folder for reports, captures and console logs. */
  readonly runFolder: string;
  readonly clock: LabClock;
  readonly progress: Progress;
  /** Aborting takes the lab down; the run then ends with what it has. */
  readonly signal: AbortSignal;
}

const LAB_UP = "lab-up";

/** Runs the suite and writes `report.html`, `junit.xml`, `NODE.log`, `NODE.console` and `LINK.pcapng` into the run folder. */
export async function runSuite(request: RunRequest): Promise<RunReport> {
  const { suite, clock, progress, runFolder, signal } = request;
  await mkdir(runFolder, { recursive: true });
  const startedNs = clock.nowNs();
  const journalPath = join(runFolder, "journal.ndjson");
  const journal = new Journal(clock, journalPath);
  const host = new LabHost({ runFolder, clock, journal, progress });
  const stop = (): void => void host.down().catch(() => {}); // its failure is reported by the run's own `down`
  signal.addEventListener("abort", stop);
  const results: ScenarioResult[] = [];
  try {
    const steps = new StepList(clock, progress, host, signal);
    const run = await steps.step("build and boot every node", () => suite.open(host)).catch(() => undefined);
    results.push(steps.result({ name: LAB_UP, claim: "every node of the lab boots and answers on its console" }));
    for (const scenario of selectScenarios(suite, request.filter)) {
      results.push(await runScenario(scenario, run, results, new StepList(clock, progress, host, signal)));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    await host.down();
    journal.close();
  }
  const { events } = readJournal(journalPath);
  const report: RunReport = {
    suite: suite.name,
    title: suite.title,
    startedNs,
    endedNs: clock.nowNs(),
    accelerator: host.accelerator && `${host.accelerator.accelerator} (${host.accelerator.because})`,
    scenarios: results,
    captures: host.links.map(({ name, capture, dropped }) => ({
      link: name,
      file: basename(capture.path),
      frames: capture.frames,
      dropped,
    })),
    consoles: [...host.transcripts.keys()].map((node) => ({ node, lines: consoleLines(events, node) })),
  };
  await writeReports(report, runFolder);
  return report;
}

type RunScenario = (name: string, step: Step) => Promise<void>;

async function runScenario(
  scenario: Suite["scenarios"][number],
  run: RunScenario | undefined,
  before: readonly ScenarioResult[],
  steps: StepList,
): Promise<ScenarioResult> {
  const { name, claim, impossible } = scenario;
  if (impossible !== undefined) return { name, claim, verdict: "impossible", steps: [], because: impossible };
  const passed = (name: string): boolean => before.some((each) => each.name === name && each.verdict === "pass");
  const missing = run === undefined ? LAB_UP : scenario.needs?.find((need) => !passed(need));
  if (run === undefined || missing !== undefined) {
    return { name, claim, verdict: "blocked", steps: [], because: `needs ${missing}, which did not pass` };
  }
  // A scenario's own words count as a step, so that nothing can fail without a place.
  await run(scenario.name, steps.step).catch((error) => steps.outside(error));
  return steps.result(scenario);
}

/** The steps of one scenario, as they happen. */
class StepList {
  readonly #clock: LabClock;
  readonly #progress: Progress;
  readonly #host: LabHost;
  readonly #signal: AbortSignal;
  readonly #done: StepResult[] = [];

  constructor(clock: LabClock, progress: Progress, host: LabHost, signal: AbortSignal) {
    this.#clock = clock;
    this.#progress = progress;
    this.#host = host;
    this.#signal = signal;
  }

  readonly step: Step = async (name, work) => {
    this.#signal.throwIfAborted();
    const startedNs = this.#clock.nowNs();
    this.#progress({ kind: "start", step: name });
    try {
      const value = await work();
      this.#finish(name, startedNs, undefined);
      return value;
    } catch (error) {
      this.#finish(name, startedNs, this.#explain(error));
      throw error;
    }
  };

  /** An error that no step has reported yet. */
  outside(error: unknown): void {
    if (this.#done.some((step) => step.failure !== undefined)) return;
    this.#finish("between its steps", this.#clock.nowNs(), this.#explain(error));
  }

  result(of: { readonly name: string; readonly claim: string }): ScenarioResult {
    const failed = this.#done.some((step) => step.failure !== undefined);
    return { name: of.name, claim: of.claim, verdict: failed ? "fail" : "pass", steps: this.#done, because: undefined };
  }

  #finish(name: string, startedNs: bigint, failure: string | undefined): void {
    const endedNs = this.#clock.nowNs();
    this.#done.push({ name, startedNs, endedNs, failure });
    const took = `${(Number(endedNs - startedNs) / 1e9).toFixed(1)} s`;
    this.#progress({ kind: "done", step: name, text: failure === undefined ? took : `FAILED after ${took}` });
  }

  /** The error in words, then the last lines of every console that the words do not quote already. */
  #explain(error: unknown): string {
    if (this.#signal.aborted) return "the run was interrupted";
    const words = error instanceof Error ? describe(error) : String(error);
    const tails = [...this.#host.transcripts].flatMap(([node, transcript]) => {
      const tail = transcript.tail(8);
      if (tail.length === 0 || tail.slice(-2).every((line) => words.includes(line))) return [];
      return ["", `last lines of ${node}:`, ...tail.map((line) => `  | ${line}`)];
    });
    return [words, ...tails].join("\n");
  }
}

/** Errors of the lab speak for themselves; for the rest the place in the code is part of the story. */
function describe(error: Error): string {
  const bug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return bug ? (error.stack ?? error.message) : error.message;
}

async function writeReports(report: RunReport, runFolder: string): Promise<void> {
  await writeFile(join(runFolder, "report.html"), emitHtml(report));
  await writeFile(join(runFolder, "junit.xml"), emitJunit(report));
  for (const { node, lines } of report.consoles) {
    await writeFile(join(runFolder, `${node}.log`), renderLines(lines, report.startedNs));
  }
}
