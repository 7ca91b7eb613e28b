/** The bottom line of a terminal, as far as the line editor uses one: characters, \b, \r, CSI C D K @ P. */
import assert from "node:assert/strict";

export class Screen {
  readonly #columns: number;
  /** Finished lines. */
  readonly scrolled: string[] = [];
  #line: string[] = [];
  cursor = 0;
  /** Bytes received, to know what a keystroke costs on a serial line. */
  bytes = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }
  get line(): string {
    return this.#line.join("");
  }

  write(output: string): void {
    this.bytes += Buffer.byteLength(output);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what a terminal reads
    for (const piece of output.match(/\x1b\[\d*[A-Za-z@]|[\s\S]/gu) ?? []) this.#piece(piece);
  }

  #piece(piece: string): void {
    if (piece.startsWith("\x1b[")) this.#sequence(Number(piece.slice(2, -1) || "1"), piece.at(-1) ?? "");
    else if (piece === "\n") {
      this.scrolled.push(this.line);
      this.#line = [];
      this.cursor = 0;
    } else if (piece === "\r") this.cursor = 0;
    else if (piece === "\b") this.#move(-1);
    else if (piece !== "\x07") {
      assert.ok(this.cursor < this.#columns - 1, `a character in the last column: ${this.line}`);
      while (this.#line.length < this.cursor) this.#line.push(" ");
      this.#line[this.cursor++] = piece;
    }
  }
  #sequence(count: number, command: string): void {
    if (command === "C") this.#move(count);
    else if (command === "D") this.#move(-count);
    else if (command === "K") this.#line.length = Math.min(this.#line.length, this.cursor);
    else if (command === "P") this.#line.splice(this.cursor, count);
    else if (command === "@") {
      this.#line.splice(this.cursor, 0, ...Array.from({ length: count }, () => " "));
      assert.ok(this.#line.length <= this.#columns, "characters pushed over the edge");
    } else assert.fail(`a sequence that not every terminal knows: ${command}`);
  }
  #move(by: number): void {
    this.cursor += by;
    assert.ok(this.cursor >= 0 && this.cursor < this.#columns, `cursor at ${this.cursor}`);
  }
}
