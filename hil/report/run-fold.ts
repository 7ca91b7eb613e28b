/** The fold that makes a run's report of its journal, one event after the other. */
import { join } from "node:path";
import { consoleLines } from "../console/transcript.ts";
import type { Event, Failure } from "../journal/event.ts";
import { type RecordedRun, readJournal } from "../journal/journal.ts";
import type {
  AttemptResult,
  LinkResult,
  NodeResult,
  ResultVerdict,
  RunReport,
  ScenarioResult,
  SnapshotResult,
  StepResult,
} from "./run-report.ts";

/** The journal's name in a run folder. */
export const JOURNAL_FILE = "journal.ndjson";

/** Everything the journal says about the run. `folder` is where it and the captures lie. A run that was killed has no ends: what was open is `interrupted`. */
export function reportOf(run: RecordedRun, folder: string): RunReport {
  const fold = new RunFold(run.startNs);
  for (const event of run.events) fold.take(event);
  return fold.report(folder);
}

/** The report of a run folder. Throws a JournalError when there is no journal in it that can be read. */
export function readReport(folder: string): RunReport {
  return reportOf(readJournal(join(folder, JOURNAL_FILE)), folder);
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };
type Grows<T> = T extends readonly (infer E)[] ? E[] : T;
type Growing<T> = { -readonly [K in keyof T]: Grows<T[K]> };

interface AttemptDraft {
  readonly number: number;
  readonly startedNs: bigint;
  endedNs: bigint | undefined;
  readonly steps: (Omit<Draft<StepResult>, "endedNs" | "isInterrupted"> & { endedNs: bigint | undefined })[];
}
interface ScenarioDraft {
  readonly name: string;
  claim: string;
  verdict: ResultVerdict;
  because: string | undefined;
  readonly attempts: AttemptDraft[];
}
interface NodeDraft extends Omit<Growing<NodeResult>, "lines"> {
  readonly said: Event[];
}

class RunFold {
  readonly #startedNs: bigint;
  #endedNs: bigint;
  #suite = "";
  #title = "";
  #command: readonly string[] = [];
  readonly #facts: { name: string; value: string }[] = [];
  /** Of each name, the one that is going on or that ended last. */
  readonly #scenarios = new Map<string, ScenarioDraft>();
  readonly #ended: ScenarioDraft[] = [];
  readonly #steps = new Map<number, AttemptDraft["steps"][number]>();
  readonly #nodes = new Map<string, NodeDraft>();
  readonly #links = new Map<string, Growing<LinkResult>>();
  readonly #snapshots: SnapshotResult[] = [];
  readonly #faults: { atNs: bigint; failure: Failure }[] = [];
  readonly #messages: { atNs: bigint; text: string }[] = [];

  constructor(startedNs: bigint) {
    this.#startedNs = startedNs;
    this.#endedNs = startedNs;
  }

  take(event: Event): void {
    const { atNs } = event;
    if (atNs > this.#endedNs) this.#endedNs = atNs;
    switch (event.kind) {
      case "run":
        this.#suite = event.suite;
        this.#title = event.title;
        this.#command = event.command;
        break;
      case "fact":
        this.#facts.push({ name: event.name, value: event.value });
        break;
      case "node": {
        const node = this.#node(event.node);
        node.role = event.role;
        node.what = event.what;
        break;
      }
      case "link": {
        const link = this.#link(event.link);
        link.ports = [...event.ports];
        link.capture = event.capture;
        break;
      }
      case "console":
      case "note":
        this.#node(event.node).said.push(event);
        break;
      case "frame": {
        const link = this.#link(event.link);
        link.frames = Math.max(link.frames, event.number);
        const { number: frame, side, faults } = event;
        if (faults !== undefined && faults.length > 0) link.faults.push({ atNs, frame, side, text: faults.join("; ") });
        break;
      }
      case "power":
        this.#node(event.node).power.push({ atNs, to: event.to, by: event.by });
        break;
      case "state":
        this.#node(event.node).states.push({ atNs, from: event.from, to: event.to });
        break;
      case "trap":
        this.#link(event.link).traps.push({ atNs, rule: event.rule, frame: event.frame, count: event.count });
        break;
      case "line":
        this.#link(event.link).changes.push({ atNs, text: event.text });
        break;
      case "snapshot": {
        const { kind, ...snapshot } = event;
        this.#snapshots.push(snapshot);
        break;
      }
      case "fault":
        this.#faults.push({ atNs, failure: event.failure });
        break;
      case "message":
        this.#messages.push({ atNs, text: event.text });
        break;
      case "scenario-begin":
      case "scenario-end":
      case "step-begin":
      case "step-end":
        this.#takeProgress(event);
        break;
    }
  }

  #takeProgress(event: Extract<Event, { kind: `scenario-${string}` | `step-${string}` }>): void {
    const { atNs } = event;
    switch (event.kind) {
      case "scenario-begin": {
        // Begun anew after its end, as a stage is that is made again: this is another result.
        if (this.#ended.includes(this.#scenario(event.scenario, ""))) this.#scenarios.delete(event.scenario);
        const scenario = this.#scenario(event.scenario, event.claim);
        endAttempt(scenario, atNs);
        scenario.attempts.push({ number: event.attempt, startedNs: atNs, endedNs: undefined, steps: [] });
        break;
      }
      case "scenario-end": {
        const scenario = this.#scenario(event.scenario, event.claim);
        endAttempt(scenario, atNs);
        scenario.verdict = event.verdict;
        scenario.because = event.because;
        this.#ended.push(scenario);
        break;
      }
      case "step-begin": {
        const attempts = this.#scenario(event.scenario, "").attempts;
        // A step outside any scenario has its own beginning.
        if (attempts.length === 0) attempts.push({ number: 1, startedNs: atNs, endedNs: undefined, steps: [] });
        const step = { number: event.step, name: event.name, startedNs: atNs, endedNs: undefined, failure: undefined };
        attempts.at(-1)?.steps.push(step);
        this.#steps.set(event.step, step);
        break;
      }
      case "step-end": {
        const step = this.#steps.get(event.step);
        if (step === undefined) break; // its beginning was in a part of the journal that is gone
        step.endedNs = atNs;
        step.failure = event.failure;
        break;
      }
    }
  }

  report(folder: string): RunReport {
    return {
      folder,
      suite: this.#suite,
      title: this.#title || this.#suite,
      command: this.#command,
      startedNs: this.#startedNs,
      endedNs: this.#endedNs,
      facts: this.#facts,
      // In the order of their ends: a stage that is made within a scenario comes before it. What is open comes last.
      scenarios: [...new Set([...this.#ended, ...this.#scenarios.values()])].map((scenario) =>
        finishScenario(scenario, this.#endedNs),
      ),
      nodes: [...this.#nodes.values()].map(({ said, ...node }) => ({
        ...node,
        lines: consoleLines(said, node.node),
      })),
      links: [...this.#links.values()],
      snapshots: this.#snapshots,
      faults: this.#faults,
      messages: this.#messages,
    };
  }

  #scenario(name: string, claim: string): ScenarioDraft {
    let scenario = this.#scenarios.get(name);
    if (scenario === undefined) {
      scenario = { name, claim, verdict: "interrupted", because: undefined, attempts: [] };
      this.#scenarios.set(name, scenario);
    }
    scenario.claim ||= claim;
    return scenario;
  }

  #node(node: string): NodeDraft {
    let draft = this.#nodes.get(node);
    if (draft === undefined) {
      draft = { node, role: "peer", what: "", power: [], states: [], said: [] };
      this.#nodes.set(node, draft);
    }
    return draft;
  }

  #link(link: string): Growing<LinkResult> {
    let draft = this.#links.get(link);
    if (draft === undefined) {
      draft = { link, ports: [], capture: `${link}.pcapng`, frames: 0, faults: [], traps: [], changes: [] };
      this.#links.set(link, draft);
    }
    return draft;
  }
}

function endAttempt({ attempts }: ScenarioDraft, atNs: bigint): void {
  const last = attempts.at(-1);
  if (last !== undefined) last.endedNs ??= atNs;
}

function finishScenario({ attempts: drafts, ...scenario }: ScenarioDraft, endedNs: bigint): ScenarioResult {
  const attempts: AttemptResult[] = drafts.map((attempt) => ({
    ...attempt,
    endedNs: attempt.endedNs ?? endedNs,
    steps: attempt.steps.map((step) => ({
      ...step,
      endedNs: step.endedNs ?? endedNs,
      isInterrupted: step.endedNs === undefined,
    })),
  }));
  const because = scenario.verdict === "interrupted" ? "the run ended before it did" : scenario.because;
  return { ...scenario, because, attempts, steps: attempts.at(-1)?.steps ?? [] };
}
