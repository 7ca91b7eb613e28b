/** QEMU's monitor protocol: one JSON object per line, answers matched to commands by id; events go to who listens. */
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { Fault } from "../../fault.ts";

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly event?: string;
  readonly data?: unknown;
}

/** What QEMU tells unasked, such as `STOP` or `MIGRATION` with `{ status: "completed" }`. */
export interface MonitorEvent {
  readonly name: string;
  readonly data: unknown;
}

/** The monitor's connection is gone: the machine has ended, or is about to. */
export class MonitorClosed extends Error {
  constructor(command: string) {
    super(`QMP ${command}: the machine has ended`);
    this.name = "MonitorClosed";
  }
}

export class Qmp {
  readonly #socket: Socket;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; command: string }
  >();
  readonly #listeners = new Set<(event: MonitorEvent | undefined) => void>();
  #lastId = 0;
  #closed = false;

  /** Takes the socket from the greeting on; `ready` must be awaited before other commands. */
  constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("line", (line) => this.#receive(line));
    // Both tell of it: the interface repeats its input's errors, and an unheard one would end this process.
    lines.on("error", () => this.#close());
    socket.on("error", () => this.#close());
    socket.on("close", () => this.#close());
  }

  async ready(): Promise<void> {
    await this.execute("qmp_capabilities");
  }

  /** Runs one command; throws with QEMU's own words when it is refused. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(new MonitorClosed(command));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, command });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  /** Waits for the first event from now on for which `matches` gives a value. The caller bounds the wait. */
  until<T>(what: string, matches: (event: MonitorEvent) => T | undefined): Promise<T> {
    if (this.#closed) return Promise.reject(new MonitorClosed(what));
    return new Promise((resolve, reject) => {
      const listener = (event: MonitorEvent | undefined): void => {
        const value = event && matches(event);
        if (event !== undefined && value === undefined) return;
        this.#listeners.delete(listener);
        if (value === undefined) reject(new MonitorClosed(what));
        else resolve(value);
      };
      this.#listeners.add(listener);
    });
  }

  /** A machine that is killed in the middle of a line leaves half an object: it has ended. */
  #receive(line: string): void {
    let answer: Answer;
    try {
      answer = JSON.parse(line);
    } catch {
      this.#close();
      return;
    }
    this.#answer(answer);
  }

  #answer(answer: Answer): void {
    if (answer.event !== undefined) {
      for (const listener of [...this.#listeners]) listener({ name: answer.event, data: answer.data });
      return;
    }
    const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
    if (answer.id === undefined || waiting === undefined) return; // the greeting carries no id
    this.#waiting.delete(answer.id);
    if (answer.error) waiting.reject(new Fault("host", `QMP ${waiting.command}: ${answer.error.desc}`));
    else waiting.resolve(answer.return);
  }

  #close(): void {
    this.#closed = true;
    for (const { reject, command } of this.#waiting.values()) reject(new MonitorClosed(command));
    this.#waiting.clear();
    for (const listener of [...this.#listeners]) listener(undefined);
  }
}
