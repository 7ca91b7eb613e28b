/**
 * The QEMU guest agent's protocol (qemu-ga-ref(7)), host side: JSON objects, one per line, over a socket that QEMU serves. The
 * line outlives both ends, so the first thing is always a synchronisation that throws away what others left on it.
 */
import type { Duplex } from "node:stream";
import type { LabClock } from "../../clock.ts";
import { Fault } from "../../fault.ts";
import type { CommandResult, WindowsChannel } from "./powershell.ts";

/** Sent and received before a synchronisation, it ends whatever half a line is under way (qemu-ga-ref, guest-sync-delimited). */
const SENTINEL = 0xff;
/** An answer that is longer is nonsense: the agent itself keeps 16 MiB of a program's output. */
const LONGEST_LINE = 32 * 1024 * 1024;
const SYNC_WITHIN_MS = 2_000;
const ANSWER_WITHIN_MS = 20_000;
const POLL_MS = 200;

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly class?: string; readonly desc?: string };
}

export class GuestAgent implements WindowsChannel {
  readonly how = "qemu-guest-agent";
  readonly #node: string;
  readonly #line: Duplex;
  readonly #clock: LabClock;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #answered: ((answer: Answer) => void) | undefined;
  /** Answers that came when nobody waited for one. */
  #unasked: Answer[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #lastId = 0;
  #closed = false;

  constructor(node: string, line: Duplex, clock: LabClock) {
    this.#node = node;
    this.#line = line;
    this.#clock = clock;
    line.on("data", (piece: Buffer) => this.#receive(piece));
    line.on("error", () => this.close());
    line.on("close", () => this.close());
  }

  /** Whether an agent answers now. */
  async isThere(): Promise<boolean> {
    return await this.#inTurn(() => this.#synchronise());
  }

  async run(program: string, args: readonly string[], withinMs: number): Promise<CommandResult> {
    const endNs = this.#clock.nowNs() + BigInt(withinMs) * 1_000_000n;
    const started = Object(await this.execute("guest-exec", { path: program, arg: args, "capture-output": true }));
    const { pid } = started as { pid?: unknown };
    if (typeof pid !== "number") throw this.#fault("guest-exec answered without a process number");
    for (;;) {
      const status = parseExecStatus(await this.execute("guest-exec-status", { pid }));
      if (status !== undefined) return status;
      if (this.#clock.nowNs() > endNs) throw this.#fault(`${program} still runs after ${withinMs / 1000} s`);
      await new Promise<void>((resolve) => this.#clock.after(POLL_MS, resolve));
    }
  }

  /** One command; throws a Fault with the agent's own words when it is refused. */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return await this.#inTurn(async () => {
      const request = Buffer.from(`${JSON.stringify({ execute: command, arguments: args })}\n`);
      const answer = await this.#ask(request, ANSWER_WITHIN_MS);
      if (answer === undefined) throw this.#fault(`the guest agent does not answer ${command}`);
      if (answer.error !== undefined)
        throw this.#fault(`the guest agent refuses ${command}: ${answer.error.desc ?? "without a word"}`);
      return answer.return;
    });
  }

  close(): void {
    this.#closed = true;
    this.#line.destroy();
  }

  /** Answers have no number: one question at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #synchronise(): Promise<boolean> {
    const id = ++this.#lastId;
    const text = JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } });
    const request = Buffer.concat([Buffer.from([SENTINEL]), Buffer.from(`${text}\n`)]);
    const endNs = this.#clock.nowNs() + BigInt(SYNC_WITHIN_MS) * 1_000_000n;
    for (let question: Buffer | undefined = request; this.#clock.nowNs() < endNs; question = undefined) {
      const answer = await this.#ask(question, SYNC_WITHIN_MS);
      if (answer === undefined) return false;
      if (answer.return === id) return true; // others are answers to questions of an earlier life
    }
    return false;
  }

  #ask(request: Buffer | undefined, withinMs: number): Promise<Answer | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    if (request !== undefined) this.#unasked = [];
    const waiting = this.#unasked.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    return new Promise((resolve) => {
      const cancel = this.#clock.after(withinMs, () => {
        this.#answered = undefined;
        resolve(undefined);
      });
      this.#answered = (answer) => {
        cancel();
        this.#answered = undefined;
        resolve(answer);
      };
      if (request !== undefined) this.#line.write(request);
    });
  }

  #receive(piece: Buffer): void {
    for (let rest = piece; rest.length > 0; ) {
      const end = rest.findIndex((byte) => byte === 0x0a || byte === SENTINEL);
      if (end < 0) {
        this.#receivedBytes += rest.length;
        if (this.#receivedBytes > LONGEST_LINE) this.#forget();
        else this.#received.push(rest);
        return;
      }
      this.#received.push(rest.subarray(0, end));
      const isLine = rest[end] === 0x0a;
      const line = Buffer.concat(this.#received);
      this.#forget();
      rest = rest.subarray(end + 1);
      const answer = isLine ? parseAnswer(line) : undefined;
      if (answer === undefined) continue;
      if (this.#answered === undefined) this.#unasked.push(answer);
      else this.#answered(answer);
    }
  }

  #forget(): void {
    this.#received = [];
    this.#receivedBytes = 0;
  }

  #fault(what: string): Fault {
    return new Fault("peer", `${this.#node}: ${what}`, { node: this.#node });
  }
}

/** Undefined for what is no answer: noise of a boot loader on the same serial line, half a line. */
export function parseAnswer(line: Buffer): Answer | undefined {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { return: result, error } = value as Record<string, unknown>;
    if (typeof error === "object" && error !== null) return { error };
    return "return" in value ? { return: result } : undefined;
  } catch {
    return undefined;
  }
}

/** What guest-exec-status says; undefined while the program runs. Its output comes as bytes in base64, errors behind it. */
export function parseExecStatus(status: unknown): CommandResult | undefined {
  const fields = Object(status) as Record<string, unknown>;
  if (fields["exited"] !== true) return undefined;
  const { exitcode, signal } = fields;
  const text = ["out-data", "err-data"]
    .map((name) => fields[name])
    .filter((data) => typeof data === "string")
    .map((data) => Buffer.from(data, "base64").toString("utf8"))
    .join("");
  const cut = fields["out-truncated"] === true ? "\n(cut by the guest agent)" : "";
  return {
    exitCode: typeof exitcode === "number" ? exitcode : typeof signal === "number" ? -signal : -1,
    output: text + cut,
  };
}
