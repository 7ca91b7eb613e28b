/** `results.ndjson`: one line per scenario for programs. Every line has every field; what does not apply is null. */
import { elapsedMs } from "../clock.ts";
import type { FaultClass } from "../fault.ts";
import { failedStep, type ResultVerdict, type RunReport } from "./run-report.ts";

/** The meaning of a field never changes; fields may be added. */
export interface ResultLine {
  readonly version: 1;
  readonly suite: string;
  readonly scenario: string;
  readonly verdict: ResultVerdict;
  readonly claim: string;
  /** For a verdict that is neither `pass` nor `fail`. */
  readonly because: string | null;
  readonly attempts: number;
  /** ISO 8601, UTC, of the first attempt. */
  readonly started: string | null;
  readonly durationMs: number | null;
  readonly failedStep: string | null;
  readonly faultClass: FaultClass | null;
  readonly node: string | null;
  /** The failure's first line. */
  readonly message: string | null;
  /** The folder with the run's journal. */
  readonly folder: string;
}

/** Of one run, or of several one after the other. */
export function emitResults(...reports: readonly RunReport[]): string {
  return reports
    .flatMap(resultLines)
    .map((line) => `${JSON.stringify(line)}\n`)
    .join("");
}

export function resultLines(report: RunReport): ResultLine[] {
  return report.scenarios.map((scenario) => {
    const { attempts, verdict, claim, because } = scenario;
    const [first] = attempts;
    const failed = failedStep(scenario);
    return {
      version: 1,
      suite: report.suite,
      scenario: scenario.name,
      verdict,
      claim,
      because: because ?? null,
      attempts: attempts.length,
      started: first === undefined ? null : new Date(Number(first.startedNs / 1_000_000n)).toISOString(),
      durationMs:
        first === undefined
          ? null
          : Math.round(attempts.reduce((sum, each) => sum + elapsedMs(each.startedNs, each.endedNs), 0)),
      failedStep: failed?.name ?? null,
      faultClass: failed?.failure?.faultClass ?? null,
      node: failed?.failure?.node ?? null,
      message: failed?.failure?.text.split("\n")[0] ?? null,
      folder: report.folder,
    };
  });
}
