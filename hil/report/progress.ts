/** Progress of long work on the terminal: finished steps as lines, running ones as a status that is redrawn, or named again where it cannot be. */
import type { WriteStream } from "node:tty";
import type { ProgressEvent } from "../../image/progress.ts";
import { elapsedMs, type LabClock } from "../clock.ts";
import type { Paint } from "./terminal.ts";

const REDRAW_MS = 500;
const REMIND_MS = 20_000;

export class ProgressPrinter {
  readonly #out: WriteStream;
  readonly #clock: LabClock;
  readonly #paint: Paint;
  readonly #startedNs: bigint;
  readonly #running = new Map<string, { readonly sinceNs: bigint; detail: string }>();
  #cancel: () => void = () => {};
  #drawn = false;

  constructor(out: WriteStream, clock: LabClock, paint: Paint) {
    this.#out = out;
    this.#clock = clock;
    this.#paint = paint;
    this.#startedNs = clock.nowNs();
    this.#arm();
  }

  print(event: ProgressEvent): void {
    switch (event.kind) {
      case "start":
        this.#running.set(event.step, { sinceNs: this.#clock.nowNs(), detail: "" });
        break;
      case "detail": {
        const running = this.#running.get(event.step);
        if (running !== undefined) running.detail = event.text;
        break;
      }
      case "done":
        this.#running.delete(event.step);
        this.#line(`${event.step}: ${event.text}`);
        break;
      case "note":
        this.#line(event.text);
        break;
    }
    this.#draw();
  }

  /** Stops redrawing and clears the status. Calling it twice does no harm. */
  close(): void {
    this.#cancel();
    this.#running.clear();
    this.#erase();
  }

  #line(text: string): void {
    this.#erase();
    const at = (elapsedMs(this.#startedNs, this.#clock.nowNs()) / 1000).toFixed(1);
    this.#out.write(`${this.#paint.as("dim", `${at.padStart(7)} s`)}  ${text}\n`);
  }

  #arm(): void {
    this.#cancel = this.#clock.after(this.#out.isTTY ? REDRAW_MS : REMIND_MS, () => {
      if (this.#out.isTTY) this.#draw();
      else if (this.#running.size > 0) this.#line(`... ${this.#status()}`);
      this.#arm();
    });
  }

  #status(): string {
    const now = this.#clock.nowNs();
    return [...this.#running]
      .map(([step, { sinceNs, detail }]) => {
        const seconds = Math.floor(elapsedMs(sinceNs, now) / 1000);
        return `${step}${detail === "" ? "" : ` ${detail}`} (${seconds} s)`;
      })
      .join(", ");
  }

  #draw(): void {
    if (!this.#out.isTTY) return;
    this.#erase();
    if (this.#running.size === 0) return;
    this.#out.write(this.#paint.as("dim", `  ... ${this.#status()}`.slice(0, (this.#out.columns || 80) - 1)));
    this.#drawn = true;
  }

  #erase(): void {
    if (this.#drawn) this.#out.write("\r\x1b[K");
    this.#drawn = false;
  }
}
