/** Everything that passed over one console, in order and with times: what reports, error texts and (later) replays are made of. */
import { elapsedMs } from "../clock.ts";

export interface TranscriptEntry {
  readonly atNs: bigint;
  /** As the host sees it: `received` came from the machine, `sent` was typed, `note` is what a driver understood. */
  readonly kind: "received" | "sent" | "note";
  readonly text: string;
}

/** One line for people. */
export interface TranscriptLine {
  /** When its first byte came. */
  readonly atNs: bigint;
  readonly kind: "received" | "note";
  readonly text: string;
}

export class Transcript {
  readonly #entries: TranscriptEntry[] = [];
  #lastReceivedNs: bigint | undefined;

  add(entry: TranscriptEntry): void {
    this.#entries.push(entry);
    if (entry.kind === "received") this.#lastReceivedNs = entry.atNs;
  }

  get lastReceivedNs(): bigint | undefined {
    return this.#lastReceivedNs;
  }

  /** What came and what was noted, line by line. Framed results are left out: their note says the same in words. */
  lines(): TranscriptLine[] {
    const drafts: { atNs: bigint; kind: "received" | "note"; text: string }[] = [];
    let open: (typeof drafts)[number] | undefined;
    for (const { atNs, kind, text } of this.#entries) {
      if (kind === "note") {
        for (const line of text.split("\n")) drafts.push({ atNs, kind, text: line });
      } else if (kind === "received") {
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

  /** The last `count` lines that say something. */
  tail(count: number): string[] {
    return this.lines()
      .map((line) => line.text)
      .filter((text) => text.trim() !== "")
      .slice(-count);
  }

  /** The log file: seconds since `startNs`, then the line. */
  render(startNs: bigint): string {
    return this.lines()
      .map((line) => `${(elapsedMs(startNs, line.atNs) / 1000).toFixed(3).padStart(9)} ${line.text}\n`)
      .join("");
  }
}

/** Takes out the records of framed results (see frame.ts) and the base64 between them; foreign text stays. */
class FrameFilter {
  #inside = 0;

  without(line: string): string | undefined {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the record's own delimiters
    const rest = line.replace(/\x1e[^\x1e\x1f]*\x1f/g, () => {
      this.#inside = (this.#inside + 1) % 3;
      return "";
    });
    if (rest !== line) return rest.trim() === "" ? undefined : rest;
    return this.#inside > 0 && /^[A-Za-z0-9+/]+={0,2}\s*$/.test(line) ? undefined : line;
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
