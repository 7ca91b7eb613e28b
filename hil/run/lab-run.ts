/**
 * Runs a suite: its shared lab's scenarios in their order, then those that get a lab of their own, then reports. Everything
 * that happens goes into the journal; a scenario that failed by the lab's own fault is tried again, and no other.
 */
import { mkdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import process from "node:process";
import type { Progress } from "../../image/progress.ts";
import { workFolder } from "../../image/project.ts";
import type { LabClock } from "../clock.ts";
import { isLabFault } from "../fault.ts";
import type { Failure, Verdict } from "../journal/event.ts";
import { Journal } from "../journal/journal.ts";
import type { Lab } from "../lab.ts";
import { LabHost } from "../lab-host.ts";
import { JOURNAL_FILE, readReport } from "../report/run-fold.ts";
import type { RunReport } from "../report/run-report.ts";
import { writeReports } from "../report/write.ts";
import { type Claim, check, type StagePlan, type Step, type Suite } from "../scenario.ts";
import { SnapshotStore } from "../snapshot-store.ts";
import { BUILT, StageAgain, StageBroken, Stages } from "../stages.ts";
import { StepList } from "./step-list.ts";

export interface RunRequest {
  readonly suite: Suite;
  /** Only these, which must have with them what they need; all of the suite unless given. */
  readonly scenarios: readonly string[] | undefined;
  /** Snapshots of other runs do not count. */
  readonly cold: boolean;
  /** How often a scenario is tried again whose lab failed. */
  readonly retries: number;
  /** An existing or new folder for the journal, reports, captures and console logs. */
  readonly runFolder: string;
  readonly clock: LabClock;
  readonly progress: Progress;
  /** Aborting takes the lab down; the run then ends with what it has. */
  readonly signal: AbortSignal;
  /** The caller makes the reports: it takes seconds in which nothing else in this process goes on, another lab's network included. */
  readonly reportsLater?: boolean;
  /** The command line, for the report's "run it again". */
  readonly command: readonly string[];
}

/** Runs the suite and writes `journal.ndjson`, the reports unless they come later, `NODE.log`, `NODE.console` and `LINK.pcapng` into the run folder. */
export async function runSuite(request: RunRequest): Promise<RunReport> {
  const { runFolder, clock, suite, signal } = request;
  await mkdir(runFolder, { recursive: true });
  const journal = new Journal(clock, join(runFolder, JOURNAL_FILE));
  const run = new SuiteRun(request, journal);
  const stop = (): void => void run.host.down().catch(() => {}); // its failure is reported by the run's own `down`
  signal.addEventListener("abort", stop);
  try {
    journal.append({ kind: "run", suite: suite.name, title: suite.title, command: request.command });
    await run.all();
  } finally {
    signal.removeEventListener("abort", stop);
    await run.host.down();
    await rm(join(runFolder, "snapshots"), { recursive: true, force: true });
    journal.close();
  }
  const report = readReport(runFolder);
  if (request.reportsLater !== true) await writeReports(report);
  return report;
}

class SuiteRun {
  readonly host: LabHost;
  readonly #request: RunRequest;
  readonly #journal: Journal;
  readonly #stages: Stages;
  readonly #results: { readonly name: string; readonly verdict: Verdict }[] = [];
  /** The lab of the scenarios without `from`, and which of them have run in it. */
  #shared: { readonly lab: Lab; readonly ran: Set<string> } | undefined;
  #steps = 0;
  #hasFailed = false;

  constructor(request: RunRequest, journal: Journal) {
    const { suite, runFolder, clock, progress, cold } = request;
    this.#request = request;
    this.#journal = journal;
    this.host = new LabHost(suite.lab, { runFolder, clock, journal, progress });
    this.#stages = new Stages({
      suite,
      host: this.host,
      // What a suite that always boots saves is of no use to other runs.
      store: new SnapshotStore(join(suite.cold || cold ? runFolder : workFolder, "snapshots")),
      journal,
      report: (stage, attempt, work) => this.#runStage(stage, attempt, work),
    });
  }

  async all(): Promise<void> {
    const { suite, scenarios } = this.#request;
    const selected = suite.scenarios.filter(({ name }) => scenarios === undefined || scenarios.includes(name));
    // First those that share a lab: the others end it.
    for (const scenario of selected.filter(({ from }) => from === undefined)) await this.#scenario(scenario);
    this.#shared = undefined;
    for (const scenario of selected.filter(({ from }) => from !== undefined)) await this.#scenario(scenario);
  }

  async #scenario(scenario: Claim): Promise<void> {
    const { name, claim, impossible } = scenario;
    if (impossible !== undefined) return this.#end({ name, claim, verdict: "impossible", because: impossible });
    const missing = scenario.needs?.find((need) => !this.#hasPassed(need));
    if (missing !== undefined) {
      return this.#end({ name, claim, verdict: "blocked", because: `needs ${missing}, which did not pass` });
    }
    for (let attempt = 1; ; attempt++) {
      this.#journal.append({ kind: "scenario-begin", scenario: name, claim, attempt });
      const steps = this.#stepList(name);
      const failure = await this.#attempt(scenario, steps);
      if (failure instanceof StageBroken) {
        return this.#end({ name, claim, verdict: "blocked", because: failure.message });
      }
      if (failure === undefined) {
        const because = laterPass(attempt);
        const verdict = attempt === 1 ? ({ verdict: "pass" } as const) : ({ verdict: "flaky", because } as const);
        return this.#end({ name, claim, ...(await this.#quarantined(scenario, verdict, steps)) });
      }
      if (!isLabFault(failure.faultClass) || attempt > this.#request.retries || this.#request.signal.aborted) {
        return this.#end({ name, claim, ...(await this.#quarantined(scenario, { verdict: "fail" }, steps)) });
      }
      this.#shared = undefined;
      this.#sayAgain(name, failure);
    }
  }

  /** The outcome of one in quarantine is told and does not count; a quarantine that is over is a failure of its own. */
  async #quarantined(
    { quarantine }: Claim,
    outcome: { readonly verdict: Verdict; readonly because?: string },
    steps: StepList,
  ): Promise<{ verdict: Verdict; because?: string }> {
    if (quarantine === undefined) return outcome;
    const { reason, until } = quarantine;
    const today = new Date(Number(this.#request.clock.nowNs() / 1_000_000n)).toISOString().slice(0, 10);
    if (today <= until) {
      const was = outcome.verdict === "fail" ? "it failed" : "it passed: the quarantine can end";
      return { verdict: "quarantined", because: `${was}; until ${until}: ${reason}` };
    }
    const over = `its quarantine ended on ${until}: mend what it was for, or renew it (${reason})`;
    await steps.step("its quarantine is not over", () => check(false, over)).catch(() => {});
    return { verdict: "fail" };
  }

  /** Undefined when it passed. */
  async #attempt(scenario: Claim, steps: StepList): Promise<Failure | StageBroken | undefined> {
    try {
      const lab = await this.#labFor(scenario, steps);
      await this.#request.suite.runScenario(scenario.name, lab, steps.step);
    } catch (error) {
      if (error instanceof StageBroken) return error;
      // A scenario's own words count as a step, so that nothing can fail without a place.
      await steps.outside(error);
    }
    return steps.failure;
  }

  async #labFor(scenario: Claim, steps: StepList): Promise<Lab> {
    if (scenario.from !== undefined) {
      const { from } = scenario;
      return await steps.step(`a fresh lab at stage ${from}`, () => this.#stages.reach(from));
    }
    const shared = this.#shared ?? { lab: await this.#openShared(), ran: new Set<string>() };
    this.#shared = shared;
    // After a fault of the lab there is a new one: what this scenario builds on is done again.
    for (const need of this.#request.suite.scenarios) {
      if (!this.#isNeeded(need.name, scenario) || shared.ran.has(need.name)) continue;
      await this.#request.suite.runScenario(need.name, shared.lab, (name, work) =>
        steps.step(`again, ${need.name}: ${name}`, work),
      );
      shared.ran.add(need.name);
    }
    shared.ran.add(scenario.name);
    return shared.lab;
  }

  async #openShared(): Promise<Lab> {
    const { suite } = this.#request;
    return suite.cold ? await this.#stages.boot() : await this.#stages.reach("booted");
  }

  #isNeeded(name: string, by: Claim): boolean {
    return (by.needs ?? []).some((need) => {
      const scenario = this.#request.suite.scenarios.find((each) => each.name === need);
      return need === name || (scenario !== undefined && this.#isNeeded(name, scenario));
    });
  }

  async #runStage(stage: StagePlan, attempt: number, work: (step: Step) => Promise<void>): Promise<void> {
    const { name, claim } = stage;
    const { retries, signal } = this.#request;
    this.#journal.append({ kind: "scenario-begin", scenario: name, claim, attempt });
    const steps = this.#stepList(name);
    await work(steps.step).catch((error: unknown) => steps.outside(error));
    const { failure } = steps;
    if (failure === undefined && attempt === 1) return this.#end({ name, claim, verdict: "pass" });
    if (failure === undefined) return this.#end({ name, claim, verdict: "flaky", because: laterPass(attempt) });
    if (isLabFault(failure.faultClass) && attempt <= retries && !signal.aborted && name !== BUILT.name) {
      this.#sayAgain(`stage ${name}`, failure);
      throw new StageAgain();
    }
    this.#end({ name, claim, verdict: "fail" });
    throw new StageBroken(name);
  }

  #sayAgain(what: string, { faultClass }: Failure): void {
    this.#say(`${what}: a fault of the lab (${faultClass}), not of what is tested: it is tried again`);
  }

  #stepList(scenario: string): StepList {
    const { clock, progress, signal } = this.#request;
    return new StepList({
      scenario,
      clock,
      progress,
      signal,
      journal: this.#journal,
      host: this.host,
      number: () => ++this.#steps,
    });
  }

  #hasPassed(name: string): boolean {
    return this.#results.some((each) => each.name === name && (each.verdict === "pass" || each.verdict === "flaky"));
  }

  #end(result: { name: string; claim: string; verdict: Verdict; because?: string }): void {
    const { name, claim, verdict, because } = result;
    this.#journal.append({ kind: "scenario-end", scenario: name, claim, verdict, because });
    this.#results.push({ name, verdict });
    if (verdict === "fail" && !this.#hasFailed) this.#tellHowToComeBack(name);
  }

  /** For the report's head: what a person types to be where the first failure was. */
  #tellHowToComeBack(scenario: string): void {
    this.#hasFailed = true;
    const folder = relative(process.cwd(), this.#request.runFolder) || ".";
    const { suite } = this.#request;
    const filter = suite.scenarios.some(({ name }) => name === scenario) ? ` --filter ${scenario}` : "";
    this.#journal.append({ kind: "fact", name: "attach", value: `culvert lab attach ${folder}/${scenario}` });
    this.#journal.append({ kind: "fact", name: "rerun", value: `culvert lab run --suite ${suite.name}${filter}` });
  }

  #say(text: string): void {
    this.#journal.append({ kind: "message", text });
    this.#request.progress({ kind: "note", text });
  }
}

function laterPass(attempt: number): string {
  return `passed at attempt ${attempt}, after a fault of the lab`;
}
