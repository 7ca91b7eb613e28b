/** A clock that stands still until it is told to go, with the timers that hang on it. */
import { type Clock, Millis, type Timers } from "../../appliance/ports.ts";

export class ManualClock implements Clock, Timers {
  #now = 1_000_000;
  #armed: { readonly atMs: number; readonly run: () => void }[] = [];

  now(): Millis {
    return Millis(this.#now);
  }
  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { atMs: this.#now + delayMs, run };
    this.#armed.push(timer);
    return {
      cancel: () => {
        this.#armed = this.#armed.filter((each) => each !== timer);
      },
    };
  }
  /** Runs what is due meanwhile, each at its time. */
  advance(ms: number): void {
    const endMs = this.#now + ms;
    for (;;) {
      const [next] = this.#armed.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#armed = this.#armed.filter((each) => each !== next);
      this.#now = next.atMs;
      next.run();
    }
    this.#now = endMs;
  }
}
