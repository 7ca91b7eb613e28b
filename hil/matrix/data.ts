/** What `matrix.json` holds; the page reads it too, so nothing here needs Node. */
import type { Cell } from "./cell.ts";

export interface MatrixCell {
  readonly name: string;
  readonly cell: Cell;
  readonly claim: string;
  readonly expected: "pass" | "fail";
  /** Of a call that fails by plan: what the device's log must name. `confidence` is that of the table of codes. */
  readonly stage?: string;
  readonly code?: number;
  readonly confidence?: string;
  /** `not-run`: the run did not come so far. */
  readonly verdict: "pass" | "fail" | "flaky" | "blocked" | "impossible" | "quarantined" | "interrupted" | "not-run";
  readonly tookMs?: number;
  /** What was found instead, in one line. */
  readonly message?: string;
  readonly faultClass?: string;
  /** Relative to the matrix' folder: the flight recorder at this cell, and the capture of its line. */
  readonly recorder?: string;
  readonly capture?: string;
}

export interface MatrixReport {
  readonly version: 1;
  readonly set: string;
  readonly seed: number;
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly tookMs: number;
  readonly dimensions: Readonly<Record<string, readonly string[]>>;
  readonly meaning: Readonly<Record<string, string>>;
  readonly cells: readonly MatrixCell[];
  /** Of all combinations: how many can be, and how many each rule forbids first. */
  readonly combinations: number;
  readonly impossible: readonly { readonly reason: string; readonly limit: string; readonly count: number }[];
}
