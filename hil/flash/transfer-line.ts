/** How far a transfer is, on one line: percent, MB/s, and how long it still takes. Without a terminal one line a step at its end. */
import type { Screen } from "../../image/step-printer.ts";

export interface Transfer {
  readonly step: string;
  readonly bytes: number;
  readonly ofBytes: number;
}

const REDRAW_MS = 200;

export class TransferLine {
  readonly #screen: Screen;
  readonly #now: () => number;
  #step = "";
  #since = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** `now` is in milliseconds, from any origin. */
  constructor(screen: Screen, now: () => number) {
    this.#screen = screen;
    this.#now = now;
  }

  show({ step, bytes, ofBytes }: Transfer): void {
    const now = this.#now();
    if (step !== this.#step) {
      this.#step = step;
      this.#since = now;
    }
    const seconds = (now - this.#since) / 1000;
    const rate = seconds === 0 ? 0 : bytes / seconds;
    const isDone = bytes === ofBytes;
    if (isDone) {
      this.#draw(`${step}: ${megabytes(bytes)} MB in ${seconds.toFixed(1)} s, ${megabytes(rate)} MB/s`, true);
      return;
    }
    if (this.#screen.isTTY !== true || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    const left = rate === 0 ? "" : `, ${Math.ceil((ofBytes - bytes) / rate)} s left`;
    const percent = Math.floor((bytes / ofBytes) * 100);
    this.#draw(`${step}: ${percent} % of ${megabytes(ofBytes)} MB, ${megabytes(rate)} MB/s${left}`, false);
  }

  #draw(text: string, isLast: boolean): void {
    if (this.#screen.isTTY === true) this.#screen.write(`\r\u001b[K${text}${isLast ? "\n" : ""}`);
    else this.#screen.write(`${text}\n`);
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
