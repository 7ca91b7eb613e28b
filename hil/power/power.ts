/**
 * Power for a board. A driver only talks to its switch; what all have in common is here: one operation at a time, time
 * limits, the shortest time without power, and a look whether the switch did what it said.
 */
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import type { EventSink } from "../journal/journal.ts";
import { redact } from "./secret.ts";

export type PowerState = "on" | "off" | "unknown";

/** Every failure is a Fault of class `bench`. */
export interface Power {
  /** Resolves when power is on; after `off` not before the board's shortest time without power is over. */
  on(): Promise<void>;
  off(): Promise<void>;
  /** `unknown`: this switch cannot be asked. */
  state(): Promise<PowerState>;
  /** Lets go of the switch and leaves it as it is. What still waits fails. */
  close(): Promise<void>;
}

/** One kind of switch. Operations may throw any Error; they end soon after `signal` is aborted. */
export interface PowerDriver {
  /** For people: `Shelly at 10.0.0.7, channel 0`. Never a secret. */
  readonly what: string;
  readonly limitMs: number;
  on(signal: AbortSignal): Promise<void>;
  off(signal: AbortSignal): Promise<void>;
  state(signal: AbortSignal): Promise<PowerState>;
  close(): Promise<void> | void;
}

export interface PowerPlace {
  /** The node that gets the power, for journal and errors. */
  readonly node: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
}

/** How often a switch is asked whether it has switched. */
const CONFIRM_EVERY_MS = 250;

export class SwitchedPower implements Power {
  readonly #driver: PowerDriver;
  readonly #place: PowerPlace;
  readonly #minOffMs: number;
  readonly #limitMs: number;
  readonly #closed = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  /** Since when we know that there is no power. */
  #offSinceNs: bigint | undefined;

  constructor(driver: PowerDriver, options: { minOffMs: number; limitMs?: number | undefined }, place: PowerPlace) {
    this.#driver = driver;
    this.#place = place;
    this.#minOffMs = options.minOffMs;
    this.#limitMs = options.limitMs ?? driver.limitMs;
  }

  on(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#stayOff();
      await this.#switch("on");
      this.#offSinceNs = undefined;
    });
  }

  off(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#switch("off");
      this.#offSinceNs ??= this.#place.clock.nowNs();
    });
  }

  state(): Promise<PowerState> {
    return this.#inTurn(() => this.#ask());
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#last;
    await this.#driver.close();
  }

  /** Operations that overlap would end in a state that nobody asked for. */
  #inTurn<T>(operation: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#closed.signal.aborted) throw this.#fault("the power switch was closed");
      return operation();
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** A board that another run has just switched off counts from the moment we see it. */
  async #stayOff(): Promise<void> {
    if (this.#minOffMs === 0) return;
    const { clock } = this.#place;
    if (this.#offSinceNs === undefined && (await this.#ask()) === "off") this.#offSinceNs = clock.nowNs();
    if (this.#offSinceNs === undefined) return;
    await this.#pause(this.#minOffMs - elapsedMs(this.#offSinceNs, clock.nowNs()));
  }

  async #switch(to: "on" | "off"): Promise<void> {
    await this.#bounded(`switch ${to}`, (signal) => this.#driver[to](signal));
    const { clock, journal, node } = this.#place;
    const askedNs = clock.nowNs();
    for (;;) {
      const state = await this.#ask();
      if (state === to || state === "unknown") break;
      const waitedMs = elapsedMs(askedNs, clock.nowNs());
      if (waitedMs >= this.#limitMs) {
        const after = `${(waitedMs / 1000).toFixed(1)} s`;
        throw this.#fault(
          `dead power switch: it took the order to switch ${to}, and still says ${state} after ${after}; look at its relay, its wiring and the number of its channel`,
        );
      }
      await this.#pause(CONFIRM_EVERY_MS);
    }
    journal.append({ kind: "power", node, to, by: this.#driver.what });
  }

  async #ask(): Promise<PowerState> {
    return await this.#bounded("ask", (signal) => this.#driver.state(signal));
  }

  async #bounded<T>(what: string, operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const { promise: over, reject } = rejection();
    const cancel = this.#place.clock.after(this.#limitMs, () => {
      reject(this.#fault(`cannot ${what}: no answer within ${this.#limitMs / 1000} s`));
    });
    const closed = (): void => reject(this.#fault("the power switch was closed"));
    this.#closed.signal.addEventListener("abort", closed);
    try {
      return await Promise.race([operation(stop.signal), over]);
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw this.#fault(`cannot ${what}: ${error instanceof Error ? error.message : String(error)}`, error);
    } finally {
      cancel();
      this.#closed.signal.removeEventListener("abort", closed);
      stop.abort();
    }
  }

  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    const { promise: over, reject } = rejection();
    const closed = (): void => reject(this.#fault("the power switch was closed"));
    this.#closed.signal.addEventListener("abort", closed);
    let cancel = (): void => {};
    const passed = new Promise<void>((resolve) => {
      cancel = this.#place.clock.after(ms, resolve);
    });
    try {
      await Promise.race([passed, over]);
    } finally {
      cancel();
      this.#closed.signal.removeEventListener("abort", closed);
    }
  }

  #fault(text: string, cause?: unknown): Fault {
    const { node } = this.#place;
    // The cause's own message may hold what `redact` takes out, so it is not kept.
    const message = redact(`${node}: ${this.#driver.what}: ${text}`);
    return new Fault("bench", message, cause instanceof Fault ? { node, cause } : { node });
  }
}

function rejection(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<never>((_, fail) => {
    reject = fail;
  });
  promise.catch(() => {}); // whoever races it hears of it
  return { promise, reject };
}
