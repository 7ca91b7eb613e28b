/** The steps of one scenario or stage as they happen: journaled, shown, and kept for its verdict. */
import type { Progress } from "../../image/progress.ts";
import type { LabClock } from "../clock.ts";
import type { Failure } from "../journal/event.ts";
import type { EventSink } from "../journal/journal.ts";
import type { LabHost } from "../lab-host.ts";
import type { Step } from "../scenario.ts";
import { StageBroken } from "../stages.ts";
import { diagnose } from "./diagnose.ts";

const TAIL_LINES = 8;

export interface StepPlace {
  readonly scenario: string;
  readonly clock: LabClock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly journal: EventSink;
  readonly host: LabHost;
  /** The next step's number in the run. */
  readonly number: () => number;
}

export class StepList {
  readonly #parts: StepPlace;
  #failure: Failure | undefined;

  constructor(parts: StepPlace) {
    this.#parts = parts;
  }

  /** The first failure of its steps. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  readonly step: Step = async (name, work) => {
    const { scenario, clock, progress, signal, journal, number } = this.#parts;
    signal.throwIfAborted();
    const step = number();
    const startedNs = clock.nowNs();
    journal.append({ kind: "step-begin", scenario, step, name });
    progress({ kind: "start", step: name });
    try {
      const value = await work();
      this.#finish(step, name, startedNs, undefined);
      return value;
    } catch (error) {
      this.#finish(step, name, startedNs, error instanceof StageBroken ? undefined : await this.#explain(error));
      throw error;
    }
  };

  /** An error that no step has reported yet. */
  async outside(error: unknown): Promise<void> {
    if (this.#failure !== undefined) return;
    const { scenario, clock, journal, number } = this.#parts;
    const step = number();
    const name = "between its steps";
    journal.append({ kind: "step-begin", scenario, step, name });
    this.#finish(step, name, clock.nowNs(), await this.#explain(error));
  }

  #finish(step: number, name: string, startedNs: bigint, failure: Failure | undefined): void {
    const { clock, progress, journal } = this.#parts;
    const endedNs = clock.nowNs();
    journal.append({ kind: "step-end", step, failure });
    this.#failure ??= failure;
    const took = `${(Number(endedNs - startedNs) / 1e9).toFixed(1)} s`;
    const text = failure === undefined ? took : `FAILED after ${took} (${failure.faultClass})`;
    progress({ kind: "done", step: name, text });
  }

  /** The error in words, then the last lines of every console that the words do not quote already. */
  async #explain(error: unknown): Promise<Failure> {
    const { signal, host } = this.#parts;
    if (signal.aborted) return { faultClass: "host", text: "the run was interrupted" };
    const failure = await diagnose(error, host.suspects());
    const tails = [...host.machines].flatMap(([node, machine]) => {
      const tail = machine.console.transcript.tail(TAIL_LINES);
      if (tail.length === 0 || tail.slice(-2).every((line) => failure.text.includes(line))) return [];
      return ["", `last lines of ${node}:`, ...tail.map((line) => `  | ${line}`)];
    });
    return { ...failure, text: [failure.text, ...tails].join("\n") };
  }
}
