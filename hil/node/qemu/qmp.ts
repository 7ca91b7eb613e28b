/** QEMU's monitor protocol: one JSON object per line, answers matched to commands by id. */
import type { Socket } from "node:net";
import { createInterface } from "node:readline";

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

export class Qmp {
  readonly #socket: Socket;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; command: string }
  >();
  #lastId = 0;
  #closed = false;

  /** Takes the socket from the greeting on; `ready` must be awaited before other commands. */
  constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("line", (line) => this.#answer(JSON.parse(line)));
    socket.on("error", () => this.#close());
    socket.on("close", () => this.#close());
  }

  async ready(): Promise<void> {
    await this.execute("qmp_capabilities");
  }

  /** Runs one command; throws with QEMU's own words when it is refused. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(new Error(`QMP ${command}: the machine has ended`));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, command });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  #answer(answer: Answer): void {
    const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
    if (answer.id === undefined || waiting === undefined) return; // the greeting and events carry no id
    this.#waiting.delete(answer.id);
    if (answer.error) waiting.reject(new Error(`QMP ${waiting.command}: ${answer.error.desc}`));
    else waiting.resolve(answer.return);
  }

  #close(): void {
    this.#closed = true;
    for (const { reject, command } of this.#waiting.values())
      reject(new Error(`QMP ${command}: the machine has ended`));
    this.#waiting.clear();
  }
}
