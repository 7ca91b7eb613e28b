/** Things that happen at their time, in order, on one timer: what holds a link's frames on their way. */
import { elapsedMs, type LabClock } from "../clock.ts";

interface Due {
  readonly atNs: bigint;
  readonly run: () => void;
}

export class DelayLine {
  readonly #clock: LabClock;
  /** By time, and those of one instant as they came. */
  #waiting: Due[] = [];
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: LabClock) {
    this.#clock = clock;
  }

  /** Runs `run` at `atNs`: before this returns when that is not in the future, but never before what is due earlier. */
  add(atNs: bigint, run: () => void): void {
    if (this.#isClosed) return;
    this.#runDue(); // a timer may be late
    if (atNs <= this.#clock.nowNs()) {
      run();
      return;
    }
    // Almost everything comes last, so the search from the end is short.
    const behind = this.#waiting.findLastIndex((each) => each.atNs <= atNs);
    this.#waiting.splice(behind + 1, 0, { atNs, run });
    this.#arm();
  }

  /** What waits does not happen; what is added later does. */
  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waiting = [];
  }

  /** Nothing happens any more, neither what waits nor what is added. */
  close(): void {
    this.#isClosed = true;
    this.clear();
  }

  #runDue(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.atNs > this.#clock.nowNs()) break;
      this.#waiting.shift();
      first.run();
    }
    this.#arm();
  }

  #arm(): void {
    this.#cancel?.();
    const next = this.#waiting[0];
    this.#cancel = next && this.#clock.after(elapsedMs(this.#clock.nowNs(), next.atNs), () => this.#runDue());
  }
}
