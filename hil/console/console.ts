/** A serial console: always drained into the journal, and asked questions from a cursor that never skips a byte. */
import type { Duplex } from "node:stream";
import { elapsedMs, type LabClock } from "../clock.ts";
import type { EventSink } from "../journal/journal.ts";
import { type Match, Matcher, nearestPartial, type Pattern } from "./matcher.ts";
import { plain, Transcript } from "./transcript.ts";

/** How long, and what for: the two things the error of a wait that failed must say. */
export interface Wait {
  readonly withinMs: number;
  /** Completes the sentence "waiting for …". */
  readonly reason: string;
}

/** A question to the console's text. `push` sees every piece from the cursor on and answers with what is left over. */
export interface Query<T> {
  push(piece: string): { readonly value: T; readonly rest: string } | undefined;
  /** What is sought, for the error. */
  readonly sought: readonly Pattern[];
}

/** A wait on a console failed: too late, the device died, or the line is gone. */
export class ConsoleError extends Error {
  readonly node: string;
  readonly kind: "timeout" | "death" | "closed";
  constructor(node: string, kind: "timeout" | "death" | "closed", message: string) {
    super(message);
    this.name = "ConsoleError";
    this.node = node;
    this.kind = kind;
  }
}

/** Text after which nothing good comes. Each ends with its line, so that the error can quote it whole. */
export const LINUX_DEATH: readonly RegExp[] = [
  /Kernel panic - not syncing[^\n]*\n/,
  /\bOops(?::|\b.*SMP)[^\n]*\n/,
  /BUG: unable to handle[^\n]*\n/,
];

const UNREAD_KEPT = 64 * 1024;

export interface ConsoleOptions {
  readonly clock: LabClock;
  /** Every byte of the line goes here, and every note. */
  readonly journal: EventSink;
  /** `LINUX_DEATH` unless given. */
  readonly death?: readonly RegExp[] | undefined;
  /** The command with which a person gets onto this console; errors end with it. */
  readonly attach?: string | undefined;
}

export class Console {
  readonly name: string;
  readonly transcript = new Transcript();
  readonly #line: Duplex;
  readonly #clock: LabClock;
  readonly #journal: EventSink;
  readonly #attach: string | undefined;
  readonly #death: Matcher<string>;
  #unread = "";
  #listener: ((piece: string) => void) | undefined;
  #failed: ((error: ConsoleError) => void) | undefined;
  #failure: ConsoleError | undefined;

  constructor(name: string, line: Duplex, { clock, journal, attach, death = LINUX_DEATH }: ConsoleOptions) {
    this.name = name;
    this.#line = line;
    this.#clock = clock;
    this.#journal = journal;
    this.#attach = attach;
    this.#death = new Matcher(Object.fromEntries(death.map((pattern) => [pattern.source, pattern])));
    // Latin-1: one character is one byte, whatever the device sends and wherever a piece is cut.
    line.on("data", (bytes: Buffer) => this.#receive(bytes.toString("latin1")));
    line.on("error", (error: Error) => this.#fail("closed", `the console failed: ${error.message}`));
    line.on("close", () => this.#fail("closed", "the console was closed: the machine ended"));
  }

  /** Types `text` as it is; a line needs its own `\n`. */
  write(text: string): void {
    this.transcript.sent(text);
    this.#journal.append({ kind: "console", node: this.name, direction: "tx", text });
    this.#line.write(Buffer.from(text, "latin1"));
  }

  /** Puts a line of the driver's own into the journal: what it asked or understood. */
  note(text: string): void {
    this.transcript.noted(this.#clock.nowNs(), text);
    this.#journal.append({ kind: "note", node: this.name, text });
  }

  /** Forgets what came so far and was not asked for: the next question sees new text only. */
  skip(): void {
    this.#unread = "";
  }

  /** The first of the named patterns to be completed, counted from the end of the last match. */
  async expect<K extends string>(patterns: Readonly<Record<K, Pattern>>, wait: Wait): Promise<Match<K>> {
    const matcher = new Matcher(patterns);
    const query: Query<Match<K>> = {
      sought: Object.values<Pattern>(patterns),
      push: (piece) => {
        const match = matcher.push(piece);
        return match === undefined ? undefined : { value: match, rest: match.rest };
      },
    };
    return await this.ask(query, wait);
  }

  /** Feeds the query until it answers. One question at a time: two would steal each other's text. */
  ask<T>(query: Query<T>, wait: Wait): Promise<T> {
    if (this.#listener !== undefined) throw new Error(`console ${this.name}: two waits at once (${wait.reason})`);
    const startedNs = this.#clock.nowNs();
    return new Promise<T>((resolve, reject) => {
      let unread = this.#unread;
      const settle = (): void => {
        cancel();
        this.#listener = undefined;
        this.#failed = undefined;
      };
      const cancel = this.#clock.after(wait.withinMs, () => {
        settle();
        this.#unread = unread.slice(-UNREAD_KEPT);
        const late = `waited ${seconds(elapsedMs(startedNs, this.#clock.nowNs()))} for ${wait.reason}`;
        reject(this.#error("timeout", late, query.sought));
      });
      this.#failed = (error) => {
        settle();
        reject(this.#error(error.kind, `while waiting for ${wait.reason}: ${error.message}`, query.sought));
      };
      this.#listener = (piece) => {
        const answer = query.push(piece);
        if (answer === undefined) {
          unread = keepEnd(unread + piece);
          return;
        }
        settle();
        this.#unread = answer.rest;
        resolve(answer.value);
      };
      const first = this.#unread;
      this.#unread = "";
      unread = "";
      this.#listener(first);
      // What was already on the console counts, even if the line is dead by now.
      if (this.#failure !== undefined) this.#failed?.(this.#failure);
    });
  }

  #receive(piece: string): void {
    this.transcript.received(this.#clock.nowNs(), piece);
    this.#journal.append({ kind: "console", node: this.name, direction: "rx", text: piece });
    if (this.#listener !== undefined) this.#listener(piece);
    else this.#unread = keepEnd(this.#unread + piece);
    const death = this.#death.push(piece);
    if (death !== undefined) this.#fail("death", `the machine died: ${plain(death.text).trim()}`);
  }

  #fail(cause: "death" | "closed", message: string): void {
    this.#failure ??= new ConsoleError(this.name, cause, message);
    this.#failed?.(this.#failure);
  }

  #error(cause: ConsoleError["kind"], what: string, sought: readonly Pattern[]): ConsoleError {
    const tail = this.transcript.tail(12);
    const sent = this.transcript.lastSent;
    const lastNs = this.transcript.lastReceivedNs;
    const silent =
      lastNs === undefined ? "it never said anything" : `silent for ${seconds(elapsedMs(lastNs, this.#clock.nowNs()))}`;
    const near = nearestPartial(sought, tail.join("\n"));
    const lines = [
      `${this.name}: ${what}`,
      `  sought:  ${sought.map((pattern) => (typeof pattern === "string" ? JSON.stringify(pattern) : String(pattern))).join("  or  ")}`,
      ...(near === undefined ? [] : [`  nearest: ${JSON.stringify(near)}`]),
      ...(sent === "" ? [] : [`  typed:   ${JSON.stringify(sent)}`]),
      `  console: ${silent}${tail.length === 0 ? "" : "; its last lines:"}`,
      ...tail.map((line) => `  | ${line}`),
      ...(this.#attach === undefined ? [] : [`  look:    ${this.#attach}`]),
    ];
    return new ConsoleError(this.name, cause, lines.join("\n"));
  }
}

/** Cut at twice the length only, so that many small pieces do not copy the whole each time. */
function keepEnd(text: string): string {
  return text.length > 2 * UNREAD_KEPT ? text.slice(-UNREAD_KEPT) : text;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
