/** What passed over a console as lines for people: all of it from the journal's events, the end of it from a bounded memory. */
import { elapsedMs } from "../clock.ts";
import type { Event } from "../journal/event.ts";
import { FRAME_FILE } from "./frame-script.ts";

/** One line for people. */
export interface TranscriptLine {
  /** When its first byte came. */
  readonly atNs: bigint;
  readonly kind: "received" | "note";
  readonly text: string;
}

/** The part of an event that lines are made of. */
interface Said {
  readonly atNs: bigint;
  readonly kind: "received" | "note";
  readonly text: string;
}

/** What `node` said and what was noted about it, line by line. Framed results are left out: their note says the same in words. */
export function consoleLines(events: Iterable<Event>, node: string): TranscriptLine[] {
  const said: Said[] = [];
  for (const event of events) {
    if (event.kind === "note" && event.node === node) said.push({ atNs: event.atNs, kind: "note", text: event.text });
    else if (event.kind === "console" && event.node === node && event.direction === "rx") {
      said.push({ atNs: event.atNs, kind: "received", text: event.text });
    }
  }
  return linesOf(said);
}

/** A log file: seconds since `startNs`, then the line. */
export function renderLines(lines: readonly TranscriptLine[], startNs: bigint): string {
  return lines
    .map((line) => `${(elapsedMs(startNs, line.atNs) / 1000).toFixed(3).padStart(9)} ${line.text}\n`)
    .join("");
}

function linesOf(said: readonly Said[]): TranscriptLine[] {
  const drafts: { atNs: bigint; kind: "received" | "note"; text: string }[] = [];
  let open: (typeof drafts)[number] | undefined;
  for (const { atNs, kind, text } of said) {
    if (kind === "note") {
      for (const line of text.split("\n")) drafts.push({ atNs, kind, text: line });
    } else {
      for (const [index, part] of text.split("\n").entries()) {
        if (index > 0) open = undefined;
        if (open !== undefined) open.text += part;
        else if (part !== "") {
          open = { atNs, kind, text: part };
          drafts.push(open);
        }
      }
    }
  }
  const frames = new FrameFilter();
  return drafts.flatMap((draft) => {
    const text = draft.kind === "note" ? draft.text : frames.without(draft.text);
    return text === undefined ? [] : [{ ...draft, text: plain(text) }];
  });
}

/** What is remembered of a console: enough for the end of an error message, however much was said. */
const KEPT_CHARACTERS = 64 * 1024;

/** The last 64 KiB of a console. The journal has the rest. */
export class Transcript {
  #said: Said[] = [];
  #first = 0;
  #characters = 0;
  #lastReceivedNs: bigint | undefined;
  #lastSent = "";

  received(atNs: bigint, text: string): void {
    this.#lastReceivedNs = atNs;
    this.#add({ atNs, kind: "received", text });
  }

  sent(text: string): void {
    this.#lastSent = (this.#lastSent + text).slice(-80);
  }

  noted(atNs: bigint, text: string): void {
    this.#add({ atNs, kind: "note", text });
  }

  get lastReceivedNs(): bigint | undefined {
    return this.#lastReceivedNs;
  }

  /** The last bytes that were typed, at most 80. */
  get lastSent(): string {
    return this.#lastSent;
  }

  /** The last `count` lines that say something. */
  tail(count: number): string[] {
    return linesOf(this.#said.slice(this.#first))
      .map((line) => line.text)
      .filter((text) => text.trim() !== "")
      .slice(-count);
  }

  #add(said: Said): void {
    const text = said.text.slice(-KEPT_CHARACTERS);
    this.#said.push(text.length === said.text.length ? said : { ...said, text });
    this.#characters += text.length;
    while (this.#characters > KEPT_CHARACTERS) {
      this.#characters -= this.#said[this.#first]?.text.length ?? 0;
      this.#first++;
    }
    if (this.#first > this.#said.length / 2) {
      this.#said = this.#said.slice(this.#first);
      this.#first = 0;
    }
  }
}

/** Takes out framed results (see frame-reader.ts), what was typed for them, and base64; foreign text stays. */
class FrameFilter {
  #isInside = false;

  without(line: string): string | undefined {
    if (line.includes(FRAME_FILE)) return undefined;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the mark's own delimiters
    const rest = line.replace(/\x1e([^\x1e\x1f]*)\x1f/g, (_, mark: string) => {
      this.#isInside = mark.endsWith(":from");
      return "";
    });
    if (rest !== line) return rest.trim() === "" ? undefined : rest;
    return this.#isInside && /^[A-Za-z0-9+/]+={0,2}\s*$/.test(line) ? undefined : line;
  }
}

/** Text without carriage returns and terminal control sequences; other control bytes become visible. */
export function plain(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal control sequences are what is removed
      .replace(/\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])/g, "")
      .replace(/\r+/g, "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what is shown
      .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`)
  );
}
