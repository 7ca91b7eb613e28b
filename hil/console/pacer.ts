/**
 * Types no faster than the other end takes it. A UART without flow control has 16 bytes of room, or 64, and what does not fit is
 * lost without a word. Where the line echoes, the next bytes go out once the last have come back; where it does not, after a gap.
 *
 * Lost bytes are not typed again, as only the reader of the answer knows what became of the line (see frame.ts); the pacer
 * learns from them.
 */
import type { LabClock } from "../clock.ts";

export interface PacerOptions {
  /** Bytes at a time, to begin with: the room of a 16550. */
  readonly chunkBytes?: number;
  /** Where the echo shows that there is room, up to this many bytes at a time. */
  readonly largestChunkBytes?: number;
  /** After a chunk that has no echo: the time for the other end to read it. */
  readonly gapMs?: number;
  /** An echo that takes longer is none. */
  readonly echoWithinMs?: number;
}

const LONGEST_GAP_MS = 500;
/** After so many chunks without a loss it goes faster again. */
const TRUSTED_AFTER = 8;
/** A size that lost bytes is tried again after so many chunks, and after twice as many each time that it loses again. */
const FORGIVEN_AFTER = 256;
/** After so many chunks without any echo the line has none, for the rest of what is being typed. */
const SILENT_AFTER = 2;
/** drivers/tty/n_tty.c and the serial drivers: `ttyS0: 3 input overrun(s)`. */
const OVERRUN = "input overrun";

export class Pacer {
  readonly #clock: LabClock;
  readonly #type: (text: string) => void;
  readonly #firstChunk: number;
  readonly #largestChunk: number;
  readonly #firstGapMs: number;
  readonly #echoWithinMs: number;
  #chunkBytes: number;
  #gapMs: number;
  #waiting = "";
  /** What was typed and has not come back yet; undefined between chunks. */
  #awaited: string | undefined;
  #hasEcho = false;
  #silentChunks = 0;
  #goodChunks = 0;
  /** The size known to be too large, and for how many more chunks that is believed. */
  #tooLarge = { bytes: Number.POSITIVE_INFINITY, chunks: 0, forgivenAfter: FORGIVEN_AFTER };
  #tail = "";
  #cancel: (() => void) | undefined;
  #isClosed = false;

  /** `type` puts bytes on the line. */
  constructor(clock: LabClock, type: (text: string) => void, options: PacerOptions = {}) {
    const { chunkBytes = 16, largestChunkBytes = 64, gapMs = 10, echoWithinMs = 250 } = options;
    this.#clock = clock;
    this.#type = type;
    this.#firstChunk = chunkBytes;
    this.#largestChunk = Math.max(chunkBytes, largestChunkBytes);
    this.#firstGapMs = gapMs;
    this.#echoWithinMs = echoWithinMs;
    this.#chunkBytes = chunkBytes;
    this.#gapMs = gapMs;
  }

  get isBusy(): boolean {
    return this.#waiting !== "" || this.#cancel !== undefined;
  }

  /** What it has come to: for notes and tests. */
  get pace(): { readonly chunkBytes: number; readonly gapMs: number } {
    return { chunkBytes: this.#chunkBytes, gapMs: this.#gapMs };
  }

  send(text: string): void {
    if (this.#isClosed) return;
    if (!this.isBusy) this.#silentChunks = 0; // a password is not echoed, the line after it is
    this.#waiting += text;
    if (this.#cancel === undefined) this.#next();
  }

  /** Everything that the other end says has to pass here, too. */
  received(text: string): void {
    const seen = this.#tail + text;
    if (seen.includes(OVERRUN)) {
      this.#slower();
      this.#tail = "";
    } else this.#tail = seen.slice(1 - OVERRUN.length);
    if (this.#awaited === undefined) return;
    this.#awaited = withoutEcho(this.#awaited, text);
    if (this.#awaited !== "") return;
    this.#hasEcho = true;
    this.#silentChunks = 0;
    this.#faster();
    this.#settle();
    this.#next();
  }

  /** Nothing is typed any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = "";
    this.#settle();
  }

  #settle(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#awaited = undefined;
  }

  #next(): void {
    if (this.#waiting === "") return;
    const chunk = this.#waiting.slice(0, this.#chunkBytes);
    this.#waiting = this.#waiting.slice(chunk.length);
    const echo = this.#silentChunks < SILENT_AFTER ? printable(chunk) : "";
    // Armed first: the echo may come before `type` returns.
    if (echo === "") this.#cancel = this.#clock.after(this.#gapMs, () => this.#gapIsOver());
    else {
      this.#awaited = echo;
      this.#cancel = this.#clock.after(this.#echoWithinMs, () => this.#noEcho(echo));
    }
    this.#type(chunk);
  }

  #gapIsOver(): void {
    this.#settle();
    this.#faster();
    this.#next();
  }

  #noEcho(whole: string): void {
    const cameBack = whole.length - (this.#awaited?.length ?? 0);
    this.#settle();
    if (cameBack > 0) this.#slower();
    else this.#silentChunks++;
    this.#next();
  }

  #slower(): void {
    const again = this.#chunkBytes >= this.#tooLarge.bytes;
    const forgivenAfter = again ? this.#tooLarge.forgivenAfter * 2 : FORGIVEN_AFTER;
    this.#tooLarge = { bytes: this.#chunkBytes, chunks: forgivenAfter, forgivenAfter };
    this.#goodChunks = 0;
    this.#chunkBytes = Math.max(1, this.#chunkBytes >> 1);
    this.#gapMs = Math.min(LONGEST_GAP_MS, Math.max(1, this.#gapMs * 2));
  }

  /** An echo proves that there is room for more; without one, the pace that was asked for is the fastest. */
  #faster(): void {
    this.#tooLarge.chunks--;
    if (++this.#goodChunks < TRUSTED_AFTER) return;
    this.#goodChunks = 0;
    this.#gapMs = Math.max(this.#firstGapMs, this.#gapMs / 2);
    const largest = this.#hasEcho && this.#silentChunks === 0 ? this.#largestChunk : this.#firstChunk;
    const next = this.#chunkBytes * 2;
    if (next > largest || (next >= this.#tooLarge.bytes && this.#tooLarge.chunks > 0)) return;
    this.#chunkBytes = next;
  }
}

/** What an echo shows as it is: line ends and control characters come back as something else. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "");
}

/** What of `awaited` has not come yet. Other text may stand between its characters. */
function withoutEcho(awaited: string, text: string): string {
  let at = 0;
  for (const character of text) if (character === awaited[at]) at++;
  return awaited.slice(at);
}
