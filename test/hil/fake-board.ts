/** A board with a serial port, a switch and a boot loader, run by a lab's clock: what it says is a boot log. */
import type { TimedText } from "../../hil/bench/detect.ts";
import type { LabClock } from "../../hil/clock.ts";
import { throughUart } from "./uart.ts";

export interface BoardKind {
  readonly log: readonly TimedText[];
  /** The board's own rate. */
  readonly baud: number;
  /** The key that stops its boot loader between these pieces of the log, and the prompt that comes. */
  readonly stop?: { readonly key: string; readonly prompt: string; readonly from: number; readonly to: number };
  /** What Enter brings after the boot. */
  readonly onEnter?: string;
}

export class FakeBoard {
  readonly #kind: BoardKind;
  readonly #clock: LabClock;
  readonly #say: (bytes: Buffer) => void;
  /** The rate of the port at the other end. */
  readonly #heardAt: () => number;
  #timers: (() => void)[] = [];
  #at: "off" | "boot" | "waiting" | "stopped" | "up" = "off";

  constructor(kind: BoardKind, clock: LabClock, say: (bytes: Buffer) => void, heardAt: () => number) {
    this.#kind = kind;
    this.#clock = clock;
    this.#say = say;
    this.#heardAt = heardAt;
  }

  /** It sits in its boot loader. */
  get isStopped(): boolean {
    return this.#at === "stopped";
  }

  off(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers = [];
    this.#at = "off";
  }

  on(): void {
    this.#at = "boot";
    const { log, stop } = this.#kind;
    this.#timers = log.map(({ atMs, text }, index) =>
      this.#clock.after(atMs, () => {
        if (this.#at === "stopped") return;
        this.#at = stop !== undefined && index >= stop.from && index < stop.to ? "waiting" : "boot";
        if (index === log.length - 1) this.#at = "up";
        this.#print(text);
      }),
    );
  }

  typed(text: string): void {
    const { stop, onEnter, baud } = this.#kind;
    if (this.#heardAt() !== baud) return;
    if (this.#at === "waiting" && stop !== undefined && text.includes(stop.key)) {
      this.#at = "stopped";
      this.#print(`\r\n${stop.prompt}`);
    } else if (this.#at === "stopped" && stop !== undefined) {
      // Keys are echoed; Enter gives a new prompt.
      this.#print(text.replaceAll("\r", `\r\n${stop.prompt}`));
    } else if (this.#at === "up" && onEnter !== undefined && text.includes("\r")) {
      this.#print(onEnter);
    }
  }

  #print(text: string): void {
    this.#say(throughUart(Buffer.from(text, "latin1"), this.#kind.baud, this.#heardAt()));
  }
}
