/** The person at the terminal: told things, and asked for answers. */
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

export interface Person {
  tell(text: string): void;
  /** Resolves with the line that was typed. Throws when nobody can answer, and when `signal` is aborted. */
  ask(question: string, signal: AbortSignal): Promise<string>;
}

/** One question at a time, whole lines, on the given streams. */
export class TerminalPerson implements Person {
  readonly #input: Readable & { readonly isTTY?: boolean };
  readonly #output: Writable;
  readonly #lines: string[] = [];
  #ended = false;
  #started: ReturnType<typeof createInterface> | undefined;
  #waiting: (() => void) | undefined;

  constructor(input: Readable & { readonly isTTY?: boolean }, output: Writable) {
    this.#input = input;
    this.#output = output;
  }

  tell(text: string): void {
    this.#output.write(`${text}\n`);
  }

  async ask(question: string, signal: AbortSignal): Promise<string> {
    this.#listen();
    if (this.#input.isTTY === true) this.#lines.length = 0; // what was typed before the question is no answer to it
    this.#output.write(question);
    const stop = (): void => this.#waiting?.();
    signal.addEventListener("abort", stop);
    try {
      for (;;) {
        if (signal.aborted) throw new Error("the question was taken back");
        const line = this.#lines.shift();
        if (line !== undefined) return line;
        if (this.#ended) throw new Error("nobody is at the terminal to answer (its input has ended)");
        await new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#waiting = undefined;
    }
  }

  /** Lets go of the input, so that the process can end. */
  close(): void {
    this.#started?.close();
    this.#input.pause();
  }

  #listen(): void {
    if (this.#started !== undefined) return;
    this.#started = createInterface({ input: this.#input, terminal: false });
    this.#started.on("line", (line) => {
      this.#lines.push(line);
      this.#waiting?.();
    });
    this.#started.on("close", () => {
      this.#ended = true;
      this.#waiting?.();
    });
  }
}
