/** How much of the log people without an account may fill: who scans the port all night must not wash away what an administrator looks for. */
import type { Millis } from "../ports.ts";

const LINES_PER_MINUTE = 30;
const MINUTE_MS = 60_000;

export class StrangerLog {
  #since: Millis | undefined;
  #lines = 0;
  #suppressed = 0;

  /** Whether a line may be written now, and how many were kept back since the last minute began: to be said first. */
  admit(now: Millis): { readonly admitted: boolean; readonly suppressed: number } {
    let suppressed = 0;
    if (this.#since === undefined || now - this.#since >= MINUTE_MS) {
      suppressed = this.#suppressed;
      this.#since = now;
      this.#lines = 0;
      this.#suppressed = 0;
    }
    if (this.#lines >= LINES_PER_MINUTE) {
      this.#suppressed++;
      return { admitted: false, suppressed };
    }
    this.#lines++;
    return { admitted: true, suppressed };
  }
}
