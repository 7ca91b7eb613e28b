/** A clock that stands still until it is told to go. */
import { type Clock, Millis } from "../../appliance/ports.ts";

export class ManualClock implements Clock {
  #now = 1_000_000;

  now(): Millis {
    return Millis(this.#now);
  }
  advance(ms: number): void {
    this.#now += ms;
  }
}
