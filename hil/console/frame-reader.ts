/**
 * Reads framed results out of the text of a console, with whatever else is in it.
 *
 *     RS SESSION:RUN:ATTEMPT:go US                          the command begins
 *     RS SESSION:RUN:ATTEMPT:from US   <base64 of the output>
 *     RS SESSION:RUN:ATTEMPT:end1:STATUS:LENGTH:SUM US      then the same with end2
 *     RS SESSION:RUN:ATTEMPT:bad US                         the typed line did not arrive as it was
 *
 * SUM is the MD5 of "SESSION RUN STATUS", a newline and the output: nothing passes that was changed on its way. MD5, because
 * Debian's busybox has no `cksum`; nobody attacks here. Kernel messages are taken out of marks and base64.
 */
import { createHash } from "node:crypto";

const RS = "\x1e";
const US = "\x1f";

/** What printk puts into the midst of a line. Base64 has no brackets, so nothing of ours can look like it; the sum decides in the end. */
const KERNEL_MESSAGE = /\[ *\d+\.\d+\][^\n]*\n/g;

export type FrameEvent =
  | { readonly kind: "begun" }
  /** A line that was typed did not arrive as it was. */
  | { readonly kind: "refused" }
  /** The result was printed to its end, and is not whole. */
  | { readonly kind: "spoilt" }
  /** `lost`: the shell ended before the command did. */
  | { readonly kind: "result"; readonly status: number | "lost"; readonly output: Buffer };

/** Where base64 may begin: behind any of the last marks, as their words may be what was spoilt. */
const STARTS = 4;
const LONGEST_MARK = 4096;

export class FrameReader {
  readonly #session: string;
  readonly #run: number;
  #text = "";
  #searched = 0;
  #starts: number[] = [];

  constructor(session: string, run: number) {
    this.#session = session;
    this.#run = run;
  }

  /** What follows the last mark that was read. */
  get rest(): string {
    return this.#text.slice(this.#searched);
  }

  push(piece: string): FrameEvent[] {
    this.#text += piece;
    if (!piece.includes(US)) {
      // Without a mark there is no base64 to keep.
      if (this.#starts.length === 0 && this.#text.length > 2 * LONGEST_MARK)
        this.#text = this.#text.slice(-LONGEST_MARK);
      return [];
    }
    const events: FrameEvent[] = [];
    for (;;) {
      const end = this.#text.indexOf(US, this.#searched);
      if (end < 0) return events;
      const event = this.#mark(this.#text.lastIndexOf(RS, end), end);
      this.#searched = end + 1;
      this.#starts = [...this.#starts, end + 1].slice(-STARTS);
      if (event === undefined) continue;
      events.push(event);
      if (event.kind === "spoilt") this.#forget();
    }
  }

  #forget(): void {
    this.#text = this.rest;
    this.#searched = 0;
    this.#starts = [];
  }

  #mark(start: number, end: number): FrameEvent | undefined {
    const mark = this.#text.slice(Math.max(0, start, this.#searched), end + 1).replace(KERNEL_MESSAGE, "");
    if (mark.endsWith(`:bad${US}`)) return { kind: "refused" };
    const [session, run, , word, ...fields] = mark.slice(1, -1).split(":");
    if (session !== this.#session || run !== String(this.#run)) return undefined;
    if (word === "go") return { kind: "begun" };
    if (word !== "end1" && word !== "end2") return undefined;
    const [status = "", length = "", sum = ""] = fields;
    const output = this.#open(start, status, length, sum);
    if (output !== undefined) return { kind: "result", status: status === "lost" ? status : Number(status), output };
    return word === "end2" ? { kind: "spoilt" } : undefined;
  }

  #open(end: number, status: string, length: string, sum: string): Buffer | undefined {
    for (const start of this.#starts.toReversed()) {
      if (start > end) continue;
      const body = this.#text.slice(start, end).replace(KERNEL_MESSAGE, "").replace(/\s+/g, "");
      const output = Buffer.from(body, "base64");
      if (String(output.length) !== length) continue;
      const hash = createHash("md5").update(`${this.#session} ${this.#run} ${status}\n`).update(output);
      if (hash.digest("hex") === sum) return output;
    }
    return undefined;
  }
}
