/** A console line whose far end the test plays, and a clock that only the test moves. */
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LabClock } from "../../hil/clock.ts";
import { Console, type ConsoleOptions } from "../../hil/console/console.ts";
import { consoleLines, type TranscriptLine } from "../../hil/console/transcript.ts";
import type { Event } from "../../hil/journal/event.ts";
import { Journal } from "../../hil/journal/journal.ts";

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

/** A console on a fake line, and everything that its journal heard. */
export function fakeConsole(name: string, options: Partial<ConsoleOptions> = {}) {
  const line = new FakeLine();
  const clock = new ManualClock();
  const journal = new Journal(clock);
  const events: Event[] = [];
  journal.subscribe((event) => events.push(event));
  const console = new Console(name, line, { clock, journal, ...options });
  const lines = (): TranscriptLine[] => consoleLines(events, name);
  return { line, clock, console, events, lines };
}

/** Moves the clock on, half a second at a time, until `work` has an outcome. */
export async function settle(clock: ManualClock, work: Promise<unknown>): Promise<void> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  work.then(mark, mark);
  while (!settled) {
    clock.advance(500);
    await nextTurn();
  }
}
