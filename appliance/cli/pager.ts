/** Output a screen at a time: what fits is shown, then `--more--` waits for a key. */
import type { Key } from "./key.ts";
import { WIDTH } from "./output.ts";

export const MORE = "--more--";
const ERASE_MORE = "\r\x1b[K";

export class Pager {
  #lines: readonly string[] = [];

  /** Whether `--more--` is on the screen. */
  get waiting(): boolean {
    return this.#lines.length > 0;
  }

  /** `length`: lines on the screen, 0 for endless. Returns what the terminal is sent now. */
  show(lines: readonly string[], length: number): string {
    this.#lines = lines;
    return this.#page(length === 0 ? Number.POSITIVE_INFINITY : Math.max(1, length - 1));
  }

  /** Blank: next page. Enter: next line. q or Ctrl-C: no more. Other keys change nothing. */
  press(key: Key, length: number): string {
    if (key.key === "enter") return ERASE_MORE + this.#page(1);
    if (key.key === "interrupt" || (key.key === "text" && key.text.toLowerCase() === "q")) {
      this.#lines = [];
      return ERASE_MORE;
    }
    if (key.key === "text" && key.text === " ") return ERASE_MORE + this.#page(Math.max(1, length - 1));
    return "";
  }

  #page(rows: number): string {
    let taken = 0;
    let room = rows;
    for (const line of this.#lines) {
      // A line longer than the screen is wide takes several rows.
      room -= Math.max(1, Math.ceil(line.length / WIDTH));
      if (room < 0 && taken > 0) break;
      taken++;
    }
    const page = this.#lines.slice(0, taken).map((line) => `${line}\n`);
    this.#lines = this.#lines.slice(taken);
    return page.join("") + (this.waiting ? MORE : "");
  }
}
