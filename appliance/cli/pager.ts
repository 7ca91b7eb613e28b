/** Output a screen at a time: what fits is shown, then `--more--` waits for a key. */
import type { Key } from "./key.ts";

export const MORE = "--more--";
const ERASE_MORE = "\r\x1b[K";

export class Pager {
  #lines: readonly string[] = [];

  /** Whether `--more--` is on the screen. */
  get waiting(): boolean {
    return this.#lines.length > 0;
  }

  /** `length`: lines on the screen, 0 for endless; `columns`: characters in a line. Returns what the terminal is sent now. */
  show(lines: readonly string[], length: number, columns: number): string {
    this.#lines = lines;
    return this.#page(length === 0 ? Number.POSITIVE_INFINITY : Math.max(1, length - 1), columns);
  }

  /** Blank: next page. Enter: next line. q or Ctrl-C: no more. Other keys change nothing. */
  press(key: Key, length: number, columns: number): string {
    if (key.key === "enter") return ERASE_MORE + this.#page(1, columns);
    if (key.key === "interrupt" || (key.key === "text" && key.text.toLowerCase() === "q")) {
      this.#lines = [];
      return ERASE_MORE;
    }
    if (key.key === "text" && key.text === " ") return ERASE_MORE + this.#page(Math.max(1, length - 1), columns);
    return "";
  }

  #page(rows: number, columns: number): string {
    let taken = 0;
    let room = rows;
    for (const line of this.#lines) {
      // A line longer than the screen is wide takes several rows.
      room -= Math.max(1, Math.ceil(line.length / columns));
      if (room < 0 && taken > 0) break;
      taken++;
    }
    const page = this.#lines.slice(0, taken).map((line) => `${line}\n`);
    this.#lines = this.#lines.slice(taken);
    return page.join("") + (this.waiting ? MORE : "");
  }
}
