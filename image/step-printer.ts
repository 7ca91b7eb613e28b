/** Shows a build's progress: one line per finished step, and on a terminal the running one with what it is at. */
import type { ProgressEvent } from "./progress.ts";

/** The part of a stream that is needed; `process.stderr` is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class StepPrinter {
  readonly #screen: Screen;
  readonly #now: () => number;
  readonly #began = new Map<string, number>();

  /** `now` is in milliseconds, from any origin. */
  constructor(screen: Screen, now: () => number) {
    this.#screen = screen;
    this.#now = now;
  }

  print(event: ProgressEvent): void {
    switch (event.kind) {
      case "start":
        this.#began.set(event.step, this.#now());
        this.#status(event.step);
        break;
      case "detail":
        this.#status(`${event.step}: ${event.text}`);
        break;
      case "done": {
        const seconds = (this.#now() - (this.#began.get(event.step) ?? this.#now())) / 1000;
        this.#line(`${event.step.padEnd(9)} ${`${seconds.toFixed(1)} s`.padStart(7)}  ${event.text}`);
        break;
      }
      case "note":
        this.#line(event.text);
        break;
    }
  }

  #status(text: string): void {
    if (this.#screen.isTTY) this.#screen.write(`\r\u001b[K${text.slice(0, (this.#screen.columns ?? 80) - 1)}`);
  }

  #line(text: string): void {
    this.#screen.write(this.#screen.isTTY ? `\r\u001b[K${text}\n` : `${text}\n`);
  }
}
