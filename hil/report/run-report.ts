/** What a run leaves for its reports: plain data, no live objects. */
import type { TranscriptLine } from "../console/transcript.ts";
import type { Verdict } from "../journal/event.ts";

export interface StepResult {
  readonly name: string;
  readonly startedNs: bigint;
  readonly endedNs: bigint;
  /** Why the step failed, for people; undefined when it passed. */
  readonly failure: string | undefined;
}

export interface ScenarioResult {
  readonly name: string;
  readonly claim: string;
  readonly verdict: Verdict;
  readonly steps: readonly StepResult[];
  /** For `blocked` and `impossible`: why. */
  readonly because: string | undefined;
}

export interface CaptureResult {
  readonly link: string;
  /** Relative to the report's folder. */
  readonly file: string;
  readonly frames: number;
  readonly dropped: number;
}

export interface ConsoleResult {
  readonly node: string;
  readonly lines: readonly TranscriptLine[];
}

export interface RunReport {
  readonly suite: string;
  readonly title: string;
  readonly startedNs: bigint;
  readonly endedNs: bigint;
  /** Accelerator and why it was chosen; undefined when the lab did not come that far. */
  readonly accelerator: string | undefined;
  /** Building and booting the lab is the first result. */
  readonly scenarios: readonly ScenarioResult[];
  readonly captures: readonly CaptureResult[];
  readonly consoles: readonly ConsoleResult[];
}

export function countVerdicts(report: RunReport): Readonly<Record<Verdict, number>> {
  const counts = { pass: 0, fail: 0, flaky: 0, blocked: 0, impossible: 0, quarantined: 0 };
  for (const { verdict } of report.scenarios) counts[verdict]++;
  return counts;
}

/** The step at which a scenario failed. */
export function failedStep(result: ScenarioResult): StepResult | undefined {
  return result.steps.find((step) => step.failure !== undefined);
}
