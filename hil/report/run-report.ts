/** What a run was, as plain data, from which every report is made; run-fold.ts makes it of the journal. */
import type { TranscriptLine } from "../console/transcript.ts";
import type { Event, Failure, NodeRole, Verdict } from "../journal/event.ts";

export interface StepResult {
  /** Numbers the steps of a run, from 1. */
  readonly number: number;
  readonly name: string;
  readonly startedNs: bigint;
  /** For a step that the run did not live to end: the run's last event. */
  readonly endedNs: bigint;
  /** Undefined when it passed. */
  readonly failure: Failure | undefined;
  /** Whether the run ended in its middle. */
  readonly isInterrupted: boolean;
}

/** `interrupted`: it had begun, and the run ended before it did. */
export type ResultVerdict = Verdict | "interrupted";

export interface AttemptResult {
  /** From 1. */
  readonly number: number;
  readonly startedNs: bigint;
  readonly endedNs: bigint;
  readonly steps: readonly StepResult[];
}

export interface ScenarioResult {
  readonly name: string;
  readonly claim: string;
  readonly verdict: ResultVerdict;
  /** For a verdict that is neither `pass` nor `fail`: why. */
  readonly because: string | undefined;
  /** Empty for what did not run; more than one after faults of the lab. */
  readonly attempts: readonly AttemptResult[];
  /** Of the last attempt. */
  readonly steps: readonly StepResult[];
}

export interface PowerChange {
  readonly atNs: bigint;
  readonly to: "on" | "off";
  readonly by: string;
}
export interface StateChange {
  readonly atNs: bigint;
  readonly from: string;
  readonly to: string;
}

export interface NodeResult {
  readonly node: string;
  readonly role: NodeRole;
  readonly what: string;
  readonly power: readonly PowerChange[];
  readonly states: readonly StateChange[];
  readonly lines: readonly TranscriptLine[];
}

export interface FrameFault {
  readonly atNs: bigint;
  /** The frame's number in the capture. */
  readonly frame: number;
  readonly side: number;
  readonly text: string;
}
export interface TrapHit {
  readonly atNs: bigint;
  readonly rule: string;
  readonly frame: number;
  readonly count: number;
}

export interface LinkResult {
  readonly link: string;
  /** `node.nic`, in the order of the capture's interfaces. */
  readonly ports: readonly string[];
  /** A file in the run's folder. */
  readonly capture: string;
  readonly frames: number;
  readonly faults: readonly FrameFault[];
  readonly traps: readonly TrapHit[];
  /** Impairments, cuts and repairs, in words. */
  readonly changes: readonly { readonly atNs: bigint; readonly text: string }[];
}

export type SnapshotResult = Omit<Extract<Event, { kind: "snapshot" }>, "kind">;

export interface RunReport {
  /** Where the journal and the captures lie, and where reports go. */
  readonly folder: string;
  readonly suite: string;
  readonly title: string;
  /** What was typed; empty when the journal does not say. */
  readonly command: readonly string[];
  readonly startedNs: bigint;
  /** The last event. */
  readonly endedNs: bigint;
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  /** In the order in which they ended. The stages that bring the lab up are among them. */
  readonly scenarios: readonly ScenarioResult[];
  readonly nodes: readonly NodeResult[];
  readonly links: readonly LinkResult[];
  readonly snapshots: readonly SnapshotResult[];
  /** Failures that belong to no step. */
  readonly faults: readonly { readonly atNs: bigint; readonly failure: Failure }[];
  readonly messages: readonly { readonly atNs: bigint; readonly text: string }[];
}

export type VerdictCounts = Readonly<Record<ResultVerdict, number>>;

export function countVerdicts({ scenarios }: Pick<RunReport, "scenarios">): VerdictCounts {
  const counts = { pass: 0, fail: 0, flaky: 0, blocked: 0, impossible: 0, quarantined: 0, interrupted: 0 };
  for (const { verdict } of scenarios) counts[verdict]++;
  return counts;
}

/** Whether nothing speaks against what was tested. Quarantined failures do not count. */
export function isGood(counts: VerdictCounts): boolean {
  return counts.fail + counts.blocked + counts.interrupted === 0;
}

/** `5 passed, 1 failed`: what is zero is left out, but never the passed. */
export function countsInWords(counts: VerdictCounts): string {
  const words = {
    pass: "passed",
    flaky: "passed at a second attempt",
    fail: "failed",
    interrupted: "interrupted",
    blocked: "not run",
    quarantined: "quarantined",
    impossible: "impossible here",
  } satisfies Record<ResultVerdict, string>;
  return (Object.keys(words) as ResultVerdict[])
    .filter((verdict) => verdict === "pass" || counts[verdict] > 0)
    .map((verdict) => `${counts[verdict]} ${words[verdict]}`)
    .join(", ");
}

/** The step at which a scenario failed at its last attempt. */
export function failedStep(result: ScenarioResult): StepResult | undefined {
  return result.steps.find((step) => step.failure !== undefined);
}
