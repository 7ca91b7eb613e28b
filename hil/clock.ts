/** The one clock of a lab: packets, console text and steps are stamped by it, and every time limit is armed on it. */
import { hrtime } from "node:process";

export interface LabClock {
  /** Nanoseconds since 1970-01-01 UTC; never goes back. */
  nowNs(): bigint;
  /** Runs `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Wall-clock time at the start, carried on by the monotonic clock, so that a time correction cannot reorder events. */
export function systemClock(): LabClock {
  const offset = BigInt(Date.now()) * 1_000_000n - hrtime.bigint();
  return {
    nowNs: () => hrtime.bigint() + offset,
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

/** Milliseconds between two stamps. */
export function elapsedMs(fromNs: bigint, toNs: bigint): number {
  return Number(toNs - fromNs) / 1e6;
}
