/** How fast one direction of a session may be: a policer, which drops what is too much and delays nothing. */
import type { Millis } from "../ports.ts";

/** What may pass at once after a rest: enough for TCP to find the rate without starving at a slow one. */
const BURST_MS = 250;
/** At least this many bytes, or a few full packets in a row would never pass a slow bucket. */
const SMALLEST_BURST = 16 * 1500;

export class TokenBucket {
  readonly #bytesPerMs: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAt: Millis | undefined;

  /** Starts full. */
  constructor(bitsPerSecond: number) {
    this.#bytesPerMs = bitsPerSecond / 8000;
    this.#capacity = Math.max(SMALLEST_BURST, this.#bytesPerMs * BURST_MS);
    this.#tokens = this.#capacity;
  }

  /** Whether a packet of this many bytes may pass now. One that may not costs nothing. */
  take(bytes: number, now: Millis): boolean {
    const passed = this.#filledAt === undefined ? 0 : Math.max(0, now - this.#filledAt);
    this.#filledAt = now;
    this.#tokens = Math.min(this.#capacity, this.#tokens + passed * this.#bytesPerMs);
    if (this.#tokens < bytes) return false;
    this.#tokens -= bytes;
    return true;
  }
}
