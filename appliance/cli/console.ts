/** Joins a console session to the process's standard input and output: a serial line, or a pipe. */
import { write as writeFile } from "node:fs";
import type { ReadStream } from "node:tty";
import type { Appliance } from "../service/appliance.ts";
import { ConsoleSession } from "./session.ts";

/** What waits to be sent before typing is no longer listened to: some 70 s at 9600 baud. */
const LONGEST_QUEUE_BYTES = 64 * 1024;

/** The call returns at once; the console lives as long as the process. `hangUp`: the line was cut. */
export function startConsole(appliance: Appliance, input: ReadStream, outputFd: number): { hangUp(): void } {
  const terminal = input.isTTY === true;
  if (terminal) input.setRawMode(true);
  const output = new SlowOutput(outputFd, (full) => (full ? input.pause() : input.resume()));
  // Node's raw mode leaves it to the terminal driver to add the carriage returns (ONLCR).
  const session = new ConsoleSession(appliance, { terminal, write: (text) => output.write(text) });
  input.on("data", (bytes) => session.feed(bytes));
  input.on("error", (error) => appliance.log("error", "console", `the console failed: ${error.message}`));
  for (const notice of appliance.notices) output.write(`culvert: ${notice}\n`);
  session.start();
  return { hangUp: () => session.hangUp() };
}

/**
 * Writes in the order given, one write at a time, on a thread of the pool. process.stdout would block the event loop,
 * and with it every tunnel, for as long as a slow line takes.
 */
class SlowOutput {
  readonly #fd: number;
  readonly #full: (full: boolean) => void;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #busy = false;

  constructor(fd: number, full: (full: boolean) => void) {
    this.#fd = fd;
    this.#full = full;
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > LONGEST_QUEUE_BYTES) this.#full(true);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    if (bytes.length === 0) return;
    this.#busy = true;
    writeFile(this.#fd, bytes, (error, written) => this.#done(bytes, error, written));
  }

  #done(bytes: Buffer, error: NodeJS.ErrnoException | null, written: number): void {
    this.#busy = false;
    if (error?.code === "EAGAIN") {
      // The other end of the same pipe or terminal is non-blocking and full.
      this.#waiting.unshift(bytes);
      this.#busy = true;
      setTimeout(() => {
        this.#busy = false;
        this.#next();
      }, 10);
      return;
    }
    const wasFull = this.#bytes > LONGEST_QUEUE_BYTES;
    // A line that is gone (EIO) takes nothing more; the router goes on without it.
    const done = error ? bytes.length : written;
    this.#bytes -= done;
    if (done < bytes.length) this.#waiting.unshift(bytes.subarray(done));
    if (wasFull && this.#bytes <= LONGEST_QUEUE_BYTES) this.#full(false);
    this.#next();
  }
}
