/** A trap waits on a link for the frames that its queries describe, and does one thing to those that its occurrence names. */
import { elapsedMs, type LabClock } from "../clock.ts";
import { repairChecksums } from "./dissect.ts";
import type { Query, Sighting } from "./query.ts";

/** One copy of a frame that a trap lets through. */
export interface Copy {
  readonly frame: Buffer;
  /** Longer on its way than it would be; frames behind it pass. */
  readonly heldMs: number;
  /** For the frame's comment: why the action did nothing, if it did nothing. */
  readonly note?: string;
}

export interface Action {
  readonly says: string;
  act(frame: Buffer): readonly Copy[];
}

/** Only watches: the hit is the point. */
export const pass: Action = { says: "pass", act: (frame) => [{ frame, heldMs: 0 }] };
export const drop: Action = { says: "drop", act: () => [] };
export const duplicate: Action = {
  says: "duplicate",
  act: (frame) => [
    { frame, heldMs: 0 },
    { frame, heldMs: 0 },
  ],
};

/** Lets the frames behind it pass first. */
export function hold(ms: number): Action {
  if (!(ms > 0 && ms < Infinity)) throw new RangeError(`hold(${ms}): give milliseconds, more than 0`);
  return { says: `hold ${ms} ms`, act: (frame) => [{ frame, heldMs: ms }] };
}

/**
 * `change` gets a copy of the whole Ethernet frame to write into; IPv4 and TCP checksums are made right afterwards. The
 * capture keeps the frame as it was sent.
 */
export function edit(change: (frame: Buffer) => void): Action {
  return {
    says: "edit",
    act: (frame) => {
      const edited = Buffer.from(frame);
      change(edited);
      repairChecksums(edited);
      return [{ frame: edited, heldMs: 0 }];
    },
  };
}

/** Which of the matching frames, counted from 1. */
export interface Occurrence {
  readonly says: string;
  includes(count: number): boolean;
}

export const every: Occurrence = { says: "every", includes: () => true };

export function nth(number: number): Occurrence {
  return { says: `number ${wholeNumber(number)} of`, includes: (count) => count === number };
}

export function first(number: number): Occurrence {
  return { says: `the first ${wholeNumber(number)} of`, includes: (count) => count <= number };
}

function wholeNumber(number: number): number {
  if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`${number}: frames are counted from 1`);
  return number;
}

export interface Hit {
  readonly atNs: bigint;
  /** The frame's number in the link's capture, as Wireshark counts. */
  readonly frame: number;
  /** Which of the matching frames it was, from 1. */
  readonly count: number;
}

/** The trap was not hit in time, or was taken away first. */
export class TrapError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TrapError";
  }
}

interface Waiter {
  readonly times: number;
  readonly resolve: (hit: Hit) => void;
  readonly reject: (error: Error) => void;
}

export class Trap {
  /** `drop number 1 of LCP configure-ack, from mobile` */
  readonly says: string;
  readonly #action: Action;
  readonly #occurrence: Occurrence;
  readonly #queries: readonly Query<string>[];
  readonly #clock: LabClock;
  readonly #hits: Hit[] = [];
  readonly #waiters = new Set<Waiter>();
  #matched = 0;
  #isRemoved = false;

  constructor(action: Action, occurrence: Occurrence, queries: readonly Query<string>[], clock: LabClock) {
    this.says = `${action.says} ${occurrence.says} ${queries.map((query) => query.says).join(", ")}`;
    this.#action = action;
    this.#occurrence = occurrence;
    this.#queries = queries;
    this.#clock = clock;
  }

  /** What it did so far. */
  get hits(): readonly Hit[] {
    return this.#hits;
  }

  /** What becomes of a frame, or undefined when it is none of this trap's. `number` is its place in the capture. */
  spring(
    sighting: Sighting,
    frame: Buffer,
    number: number,
  ): { readonly hit: Hit; readonly copies: readonly Copy[] } | undefined {
    if (this.#isRemoved || !this.#queries.every((query) => query.matches(sighting))) return undefined;
    this.#matched++;
    if (!this.#occurrence.includes(this.#matched)) return undefined;
    const hit: Hit = { atNs: this.#clock.nowNs(), frame: number, count: this.#matched };
    this.#hits.push(hit);
    for (const waiter of this.#waiters) if (this.#hits.length >= waiter.times) waiter.resolve(hit);
    return { hit, copies: this.#action.act(frame) };
  }

  /** Waits until it has been hit `times` times in all, hits of the past included; throws a `TrapError` when that takes longer. */
  async hit({ withinMs, times = 1 }: { readonly withinMs: number; readonly times?: number }): Promise<Hit> {
    const past = this.#hits[times - 1];
    if (past !== undefined) return past;
    if (this.#isRemoved) throw this.#missed(times, "before it was taken away");
    const startedNs = this.#clock.nowNs();
    let forget = (): void => {};
    try {
      return await new Promise<Hit>((resolve, reject) => {
        const waiter: Waiter = { times, resolve, reject };
        this.#waiters.add(waiter);
        const cancel = this.#clock.after(withinMs, () => {
          const seconds = elapsedMs(startedNs, this.#clock.nowNs()) / 1000;
          reject(this.#missed(times, `in ${seconds.toFixed(1)} s`));
        });
        forget = () => {
          cancel();
          this.#waiters.delete(waiter);
        };
      });
    } finally {
      forget();
    }
  }

  /** From now on every frame passes. Who still waits for a hit gets a `TrapError`. */
  remove(): void {
    this.#isRemoved = true;
    for (const { times, reject } of this.#waiters) reject(this.#missed(times, "before it was taken away"));
  }

  #missed(times: number, when: string): TrapError {
    const what = times === 1 ? "was not hit" : `was hit ${this.#hits.length} instead of ${times} times`;
    return new TrapError(`the trap "${this.says}" ${what} ${when}; frames that matched its queries: ${this.#matched}`);
  }
}
