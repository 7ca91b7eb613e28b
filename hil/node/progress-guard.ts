/**
 * Tells a node that hangs from one that is slow. A console that is silent proves nothing under emulation; a processor that
 * does not move does. Waits are cut into slices: at the end of each silent one the processor is looked at.
 */

import type { LabClock } from "../clock.ts";
import { elapsedMs } from "../clock.ts";
import { type Console, ConsoleError } from "../console/console.ts";
import type { Match } from "../console/matcher.ts";
import type { Pattern } from "../console/pattern.ts";
import { Fault } from "../fault.ts";
import type { Budget } from "./ladder.ts";

/** Whoever can see a processor from outside; a real board has nobody. */
export interface ProcessorView {
  /** Whether it has done anything since it was last asked. */
  hasMoved(): Promise<boolean>;
}

export interface GuardOptions {
  readonly clock: LabClock;
  /** A console that is silent for so long is suspected. */
  readonly silentMs: number;
  readonly processor?: ProcessorView | undefined;
}

export class ProgressGuard {
  readonly #console: Console;
  readonly #options: GuardOptions;
  /** When the node was last started: a guest that says nothing since then never ran. */
  #startedNs = 0n;

  constructor(console: Console, options: GuardOptions) {
    this.#console = console;
    this.#options = options;
  }

  started(): void {
    this.#startedNs = this.#options.clock.nowNs();
  }

  /** `console.expect`, that ends early with a Fault when the node hangs: the host's if a QEMU guest never ran, else the device's. */
  async expect<K extends string>(patterns: Readonly<Record<K, Pattern>>, budget: Budget): Promise<Match<K>> {
    const { clock, silentMs } = this.#options;
    const beganNs = clock.nowNs();
    for (;;) {
      const leftMs = budget.withinMs - elapsedMs(beganNs, clock.nowNs());
      const isLast = leftMs <= silentMs;
      try {
        return await this.#console.expect(patterns, { ...budget, withinMs: isLast ? leftMs : silentMs });
      } catch (error) {
        if (!(error instanceof ConsoleError) || error.kind !== "timeout") throw error;
        if (isLast) throw lateAfter(error, budget);
        await this.#suspect(error, budget);
      }
    }
  }

  async #suspect(error: ConsoleError, budget: Budget): Promise<void> {
    const { clock, silentMs, processor } = this.#options;
    const lastNs = this.#console.transcript.lastReceivedNs;
    const silentSinceNs = lastNs === undefined || lastNs < this.#startedNs ? this.#startedNs : lastNs;
    if (elapsedMs(silentSinceNs, clock.nowNs()) < silentMs) return;
    // A silent board may be at work: nobody sees its processor, so only its time limit can tell.
    if (processor === undefined || (await processor.hasMoved())) return;
    const node = this.#console.name;
    const neverRan = silentSinceNs === this.#startedNs;
    const what = neverRan
      ? "the guest never ran: no byte on its console, and its processor does not move"
      : "it hangs: its console is silent and its processor does not move";
    throw new Fault(
      neverRan ? "host" : "device",
      `${node}: while waiting for ${budget.reason}: ${what}\n${error.message}`,
      {
        node,
        cause: error,
      },
    );
  }
}

/** The error of a wait that was cut into slices: the last one knows only its own length. */
export function lateAfter(error: ConsoleError, { withinMs, reason }: Budget): ConsoleError {
  const [, ...rest] = error.message.split("\n");
  const first = `${error.node}: waited ${(withinMs / 1000).toFixed(1)} s for ${reason}`;
  return new ConsoleError(error.node, "timeout", [first, ...rest].join("\n"));
}
