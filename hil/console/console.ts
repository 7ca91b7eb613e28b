/** A serial console: always drained into the journal, and asked questions from a cursor that never skips a byte. */
import type { Duplex } from "node:stream";
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import type { EventSink } from "../journal/journal.ts";
import { LINUX_DEATH } from "./death.ts";
import { type Match, Matcher, nearestPartial } from "./matcher.ts";
import { Pacer, type PacerOptions } from "./pacer.ts";
import type { Pattern } from "./pattern.ts";
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

/** A wait on a console failed: too late, the machine died, or the line is gone. A line that was lost by a `Fault` gives that instead. */
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

const UNREAD_KEPT = 64 * 1024;
/** So much of the line of a death is waited for. */
const LAST_WORDS = 400;

export interface ConsoleOptions {
  readonly clock: LabClock;
  /** Every byte of the line goes here, and every note. */
  readonly journal: EventSink;
  /** See `deathStrings`; `LINUX_DEATH` unless given. */
  readonly death?: readonly Pattern[] | undefined;
  /** The command with which a person gets onto this console; errors end with it. */
  readonly attach?: string | undefined;
  /** For lines that lose what is typed too fast, as real UARTs do; without it everything is typed at once. */
  readonly pace?: PacerOptions | undefined;
}

interface Failure {
  readonly kind: "death" | "closed";
  readonly message: string;
  readonly fault?: Fault | undefined;
}

export class Console {
  readonly name: string;
  readonly clock: LabClock;
  readonly transcript = new Transcript();
  readonly #line: Duplex;
  readonly #journal: EventSink;
  readonly #attach: string | undefined;
  readonly #pacer: Pacer | undefined;
  readonly #taps = new Set<(text: string) => void>();
  readonly #closed: Promise<void>;
  #deathStrings: readonly Pattern[] = [];
  #death = new Matcher<string>({});
  /** What was said since a death string came, until its line ends. */
  #dying: string | undefined;
  #unread = "";
  #listener: ((piece: string) => void) | undefined;
  #failed: ((failure: Failure) => void) | undefined;
  #failure: Failure | undefined;

  constructor(name: string, line: Duplex, options: ConsoleOptions) {
    const { clock, journal, attach, death = LINUX_DEATH, pace } = options;
    this.name = name;
    this.clock = clock;
    this.#line = line;
    this.#journal = journal;
    this.#attach = attach;
    this.deathStrings = death;
    if (pace !== undefined) this.#pacer = new Pacer(clock, (text) => this.#type(text), pace);
    // Latin-1: one character is one byte, whatever the device sends and wherever a piece is cut.
    line.on("data", (bytes: Buffer) => this.#receive(bytes.toString("latin1")));
    line.on("error", (error: Error) => {
      const fault = error instanceof Fault ? error : undefined;
      this.#fail({ kind: "closed", message: `the console failed: ${error.message}`, fault });
    });
    this.#closed = new Promise((resolve) => {
      line.on("close", () => {
        this.#pacer?.close();
        this.#fail({ kind: "closed", message: "the console was closed: the machine ended" });
        resolve();
      });
    });
  }

  /** Texts after which nothing good comes; they differ between boot loader and system. Setting them forgets a death, as after a reset. */
  get deathStrings(): readonly Pattern[] {
    return this.#deathStrings;
  }
  set deathStrings(patterns: readonly Pattern[]) {
    this.#deathStrings = patterns;
    this.#death = new Matcher(Object.fromEntries(patterns.map((pattern, index) => [String(index), pattern])));
    this.#dying = undefined;
    if (this.#failure?.kind === "death") this.#failure = undefined;
  }

  /** The death string that came, in its line; undefined while the machine lives. */
  get death(): string | undefined {
    return this.#failure?.kind === "death" ? this.#failure.message : undefined;
  }

  /** Whether some of what was to be typed still waits for its turn. */
  get isTyping(): boolean {
    return this.#pacer?.isBusy ?? false;
  }

  /** Resolves when the line is gone. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Types `text` as it is; a line needs its own `\n`. */
  write(text: string): void {
    if (this.#pacer === undefined) this.#type(text);
    else this.#pacer.send(text);
  }

  /** Puts a line of the driver's own into the journal: what it asked or understood. */
  note(text: string): void {
    this.transcript.noted(this.clock.nowNs(), text);
    this.#journal.append({ kind: "note", node: this.name, text });
  }

  /** Hears everything that is received from now on, beside whoever asks; the returned function ends that. */
  tap(listener: (text: string) => void): () => void {
    this.#taps.add(listener);
    return () => void this.#taps.delete(listener);
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
    if (this.#listener !== undefined) {
      throw new Fault("harness", `console ${this.name}: two waits at once (${wait.reason})`, { node: this.name });
    }
    const startedNs = this.clock.nowNs();
    return new Promise<T>((resolve, reject) => {
      let unread = this.#unread;
      const settle = (): void => {
        cancel();
        this.#listener = undefined;
        this.#failed = undefined;
      };
      const cancel = this.clock.after(wait.withinMs, () => {
        settle();
        this.#unread = unread.slice(-UNREAD_KEPT);
        const late = `waited ${seconds(elapsedMs(startedNs, this.clock.nowNs()))} for ${wait.reason}`;
        if (this.#dying !== undefined) this.#die();
        const what = this.#failure === undefined ? late : `${late}: ${this.#failure.message}`;
        reject(this.#error(this.#failure ?? { kind: "timeout" }, what, query.sought));
      });
      this.#failed = (failure) => {
        settle();
        reject(this.#error(failure, `while waiting for ${wait.reason}: ${failure.message}`, query.sought));
      };
      const listen = (piece: string): void => {
        unread = keepEnd(unread + piece);
        const answer = query.push(piece);
        if (answer === undefined || this.#listener !== listen) return;
        settle();
        this.#unread = answer.rest;
        resolve(answer.value);
      };
      this.#listener = listen;
      const first = this.#unread;
      this.#unread = "";
      unread = "";
      listen(first);
      // What was already on the console counts, even if the line is dead by now.
      if (this.#failure !== undefined) this.#failed?.(this.#failure);
    });
  }

  #type(text: string): void {
    this.transcript.sent(text);
    this.#journal.append({ kind: "console", node: this.name, direction: "tx", text });
    if (!this.#line.destroyed) this.#line.write(Buffer.from(text, "latin1"));
  }

  #receive(piece: string): void {
    this.transcript.received(this.clock.nowNs(), piece);
    this.#journal.append({ kind: "console", node: this.name, direction: "rx", text: piece });
    for (const tap of this.#taps) tap(piece);
    this.#pacer?.received(piece);
    if (this.#listener !== undefined) this.#listener(piece);
    else this.#unread = keepEnd(this.#unread + piece);
    if (this.#dying !== undefined) this.#dying += piece;
    else {
      const death = this.#death.push(piece);
      if (death === undefined) return;
      this.#dying = death.text + death.rest;
    }
    if (this.#dying.includes("\n") || this.#dying.length > LAST_WORDS) this.#die();
  }

  #die(): void {
    const words = (this.#dying ?? "").split("\n", 1)[0]?.slice(0, LAST_WORDS) ?? "";
    this.#dying = undefined;
    this.#fail({ kind: "death", message: `the machine died: ${plain(words).trim()}` });
  }

  #fail(failure: Failure): void {
    if (this.#dying !== undefined) this.#die();
    this.#failure ??= failure;
    this.#failed?.(this.#failure);
  }

  #error(failure: { kind: ConsoleError["kind"]; fault?: Fault | undefined }, what: string, sought: readonly Pattern[]) {
    const tail = this.transcript.tail(12);
    const sent = this.transcript.lastSent;
    const lastNs = this.transcript.lastReceivedNs;
    const silent =
      lastNs === undefined ? "it never said anything" : `silent for ${seconds(elapsedMs(lastNs, this.clock.nowNs()))}`;
    const near = nearestPartial(sought, tail.join("\n"));
    const message = [
      `${this.name}: ${what}`,
      `  sought:  ${sought.map((pattern) => (typeof pattern === "string" ? JSON.stringify(pattern) : String(pattern))).join("  or  ")}`,
      ...(near === undefined ? [] : [`  nearest: ${JSON.stringify(near)}`]),
      ...(sent === "" ? [] : [`  typed:   ${JSON.stringify(sent)}`]),
      `  console: ${silent}${tail.length === 0 ? "" : "; its last lines:"}`,
      ...tail.map((line) => `  | ${line}`),
      ...(this.#attach === undefined ? [] : [`  look:    ${this.#attach}`]),
    ].join("\n");
    if (failure.fault === undefined) return new ConsoleError(this.name, failure.kind, message);
    return new Fault(failure.fault.faultClass, message, { node: this.name, cause: failure.fault });
  }
}

/** Cut at twice the length only, so that many small pieces do not copy the whole each time. */
function keepEnd(text: string): string {
  return text.length > 2 * UNREAD_KEPT ? text.slice(-UNREAD_KEPT) : text;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
