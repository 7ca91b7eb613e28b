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

  constructor(clock: LabClock) {
    this.#clock = clock;
  }

  /** Runs `run` at `atNs`: before this returns when that is not in the future, but never before what is due earlier. */
  add(atNs: bigint, run: () => void): void {
    this.#runDue(); // a timer may be late
    if (atNs <= this.#clock.nowNs() && this.#waiting.length === 0) {
      run();
      return;
    }
    // Almost everything comes last, so the search from the end is short.
    const behind = this.#waiting.findLastIndex((each) => each.atNs <= atNs);
    this.#waiting.splice(behind + 1, 0, { atNs, run });
    this.#runDue();
  }

  /** Nothing that waits happens any more. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waiting = [];
  }

  #runDue(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.atNs > this.#clock.nowNs()) break;
      this.#waiting.shift();
      first.run();
    }
    this.#cancel?.();
    const next = this.#waiting[0];
    this.#cancel = next && this.#clock.after(elapsedMs(this.#clock.nowNs(), next.atNs), () => this.#runDue());
  }
}
