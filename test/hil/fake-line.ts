/** A console line whose far end the test plays, and a clock that only the test moves. */
import { Duplex } from "node:stream";
import type { LabClock } from "../../hil/clock.ts";

export class ManualClock implements LabClock {
  #nowNs = 1_000_000_000n;
  #timers: { atNs: bigint; run: () => void }[] = [];

  nowNs(): bigint {
    return this.#nowNs;
  }
  after(delayMs: number, run: () => void): () => void {
    const timer = { atNs: this.#nowNs + BigInt(Math.round(delayMs * 1e6)), run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }
  /** Moves on and runs what is due. */
  advance(ms: number): void {
    this.#nowNs += BigInt(Math.round(ms * 1e6));
    const due = this.#timers.filter((timer) => timer.atNs <= this.#nowNs);
    this.#timers = this.#timers.filter((timer) => timer.atNs > this.#nowNs);
    for (const timer of due) timer.run();
  }
}

/** `say` makes the machine print; `typed` is called with what the host writes. Both happen at once, without a queue. */
export class FakeLine extends Duplex {
  typed: (text: string) => void = () => {};

  say(text: string): void {
    this.emit("data", Buffer.from(text, "latin1"));
  }
  override _read(): void {}
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    done();
    this.typed(bytes.toString("latin1"));
  }
}
