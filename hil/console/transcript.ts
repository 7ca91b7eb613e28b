/** Everything that passed over one console, in order and with times: what reports, error texts and (later) replays are made of. */
import { elapsedMs } from "../clock.ts";

export interface TranscriptEntry {
  readonly atNs: bigint;
  /** As the host sees it: `received` came from the device, `sent` was typed. */
  readonly direction: "received" | "sent";
  readonly text: string;
}

export interface TranscriptLine {
  readonly atNs: bigint;
  readonly text: string;
}

export class Transcript {
  readonly #entries: TranscriptEntry[] = [];
  #lastReceivedNs: bigint | undefined;

  add(entry: TranscriptEntry): void {
    this.#entries.push(entry);
    if (entry.direction === "received") this.#lastReceivedNs = entry.atNs;
  }

  get lastReceivedNs(): bigint | undefined {
    return this.#lastReceivedNs;
  }

  /** The last `length` characters received, without control sequences. */
  tail(length: number): string {
    let text = "";
    for (let at = this.#entries.length - 1; at >= 0 && text.length < 2 * length; at--) {
      const entry = this.#entries[at];
      if (entry?.direction === "received") text = entry.text + text;
    }
    return plain(text).slice(-length);
  }

  /** Received text by line, stamped with the arrival of the line's first byte. */
  lines(): TranscriptLine[] {
    const lines: TranscriptLine[] = [];
    let open: { atNs: bigint; text: string } | undefined;
    for (const entry of this.#entries) {
      if (entry.direction !== "received") continue;
      for (const [index, part] of entry.text.split("\n").entries()) {
        if (index > 0 && open !== undefined) {
          lines.push({ atNs: open.atNs, text: plain(open.text) });
          open = undefined;
        }
        open ??= { atNs: entry.atNs, text: "" };
        open.text += part;
      }
    }
    if (open !== undefined && open.text !== "") lines.push({ atNs: open.atNs, text: plain(open.text) });
    return lines;
  }

  /** One line of the log file per console line: seconds since `startNs`, then the text. */
  render(startNs: bigint): string {
    return this.lines()
      .map((line) => `${(elapsedMs(startNs, line.atNs) / 1000).toFixed(3).padStart(9)} ${line.text}\n`)
      .join("");
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
