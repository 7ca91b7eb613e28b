/**
 * One line being typed: keys in, edits and terminal output out. At 9600 baud a character takes a millisecond, so what is
 * on the screen is remembered and only the difference is sent. A line longer than the screen is seen through a window.
 */
import type { Key } from "./key.ts";

export type EditorEvent = "line" | "complete" | "interrupt" | "end-of-input" | "redraw" | undefined;

export interface EditorResult {
  /** What the terminal must be sent. */
  readonly output: string;
  readonly event: EditorEvent;
}

const LONGEST_LINE = 1000;
const HISTORY = 100;
const BELL = "\x07";
const ERASE_TO_END = "\x1b[K";

export interface EditorOptions {
  /** Characters the terminal has in a line. */
  readonly columns: number;
  /** Without echo nothing is sent, as for passwords and where the far end is no terminal. */
  readonly echo: boolean;
  readonly remember: boolean;
}

export class LineEditor {
  readonly #history: string[] = [];
  #options: EditorOptions = { columns: 80, echo: true, remember: true };
  #prompt = "";
  #text: readonly string[] = [];
  #cursor = 0;
  /** Index of the first character in the window. */
  #window = 0;
  #shown = { text: [] as readonly string[], cursor: 0 };
  /** Where the arrows stand in the history; its length for the line being typed. */
  #at = 0;
  #typed: readonly string[] = [];

  /** The line so far. */
  get text(): string {
    return this.#text.join("");
  }
  /** The part before the cursor. */
  get beforeCursor(): string {
    return this.#text.slice(0, this.#cursor).join("");
  }

  /** Begins an empty line; returns the prompt for the terminal. */
  begin(prompt: string, options: EditorOptions): string {
    this.#options = options;
    this.#prompt = prompt;
    this.#text = [];
    this.#cursor = 0;
    this.#at = this.#history.length;
    this.#typed = [];
    return this.#startScreenLine();
  }

  /** Prompt and line again, on a fresh line of the screen: after help was printed below it. */
  redraw(): string {
    return this.#startScreenLine() + this.#draw();
  }

  press(key: Key): EditorResult {
    switch (key.key) {
      case "text":
        return this.#edited(this.#insert([...key.text]));
      case "enter":
        return this.#finish();
      case "tab":
        return { output: "", event: "complete" };
      case "interrupt":
      case "redraw":
        return { output: "", event: key.key };
      case "end-of-input":
        return this.#text.length === 0 ? { output: "", event: "end-of-input" } : this.#edited(this.#erase(0, 1));
      case "backspace":
        return this.#edited(this.#erase(1, 0));
      case "delete":
        return this.#edited(this.#erase(0, 1));
      case "erase-line":
        return this.#edited(this.#erase(this.#cursor, 0));
      case "erase-to-end":
        return this.#edited(this.#erase(0, this.#text.length - this.#cursor));
      case "erase-word":
        return this.#edited(this.#erase(this.#wordBefore(), 0));
      case "left":
        return this.#edited(this.#moveTo(this.#cursor - 1));
      case "right":
        return this.#edited(this.#moveTo(this.#cursor + 1));
      case "home":
        return this.#edited(this.#moveTo(0));
      case "end":
        return this.#edited(this.#moveTo(this.#text.length));
      case "up":
        return this.#edited(this.#recall(this.#at - 1));
      case "down":
        return this.#edited(this.#recall(this.#at + 1));
    }
  }

  /** Types for the person, as completion does. */
  insert(text: string): string {
    return this.#edited(this.#insert([...text])).output;
  }

  #insert(characters: readonly string[]): boolean {
    if (this.#text.length + characters.length > LONGEST_LINE) return false;
    this.#text = [...this.#text.slice(0, this.#cursor), ...characters, ...this.#text.slice(this.#cursor)];
    this.#cursor += characters.length;
    return true;
  }
  #erase(before: number, behind: number): boolean {
    if (this.#cursor - before < 0 || this.#cursor + behind > this.#text.length || before + behind === 0) return false;
    this.#text = [...this.#text.slice(0, this.#cursor - before), ...this.#text.slice(this.#cursor + behind)];
    this.#cursor -= before;
    return true;
  }
  #moveTo(cursor: number): boolean {
    if (cursor < 0 || cursor > this.#text.length) return false;
    this.#cursor = cursor;
    return true;
  }
  #recall(at: number): boolean {
    if (!this.#options.remember || at < 0 || at > this.#history.length) return false;
    if (this.#at === this.#history.length) this.#typed = this.#text;
    this.#at = at;
    this.#text = at === this.#history.length ? this.#typed : [...(this.#history[at] ?? "")];
    this.#cursor = this.#text.length;
    return true;
  }
  /** Characters from the beginning of the word before the cursor. */
  #wordBefore(): number {
    return /\S*\s*$/.exec(this.beforeCursor)?.[0].length ?? 0;
  }

  #finish(): EditorResult {
    const line = this.text;
    if (this.#options.remember && line.trim() !== "" && line !== this.#history.at(-1)) {
      this.#history.push(line);
      if (this.#history.length > HISTORY) this.#history.shift();
    }
    return { output: "\n", event: "line" };
  }

  #edited(possible: boolean): EditorResult {
    if (!this.#options.echo) return { output: "", event: undefined };
    return { output: possible ? this.#draw() : BELL, event: undefined };
  }

  #startScreenLine(): string {
    this.#window = 0;
    this.#shown = { text: [], cursor: 0 };
    return this.#prompt;
  }

  /** Brings the screen from what is shown to what should be. */
  #draw(): string {
    if (!this.#options.echo) return "";
    // The last column stays free: what a terminal does after writing it differs.
    const width = Math.max(8, this.#options.columns - this.#prompt.length - 1);
    if (this.#cursor < this.#window || this.#cursor > this.#window + width)
      this.#window = Math.max(0, this.#cursor - Math.floor(width / 2));
    if (this.#text.length <= width) this.#window = 0;
    const wanted = {
      text: this.#text.slice(this.#window, this.#window + width),
      cursor: this.#cursor - this.#window,
    };
    const output = difference(this.#shown, wanted);
    this.#shown = wanted;
    return output;
  }
}

interface Screen {
  readonly text: readonly string[];
  readonly cursor: number;
}

/** A short output that turns one screen line into another. */
function difference(from: Screen, to: Screen): string {
  let same = 0;
  while (same < from.text.length && same < to.text.length && from.text[same] === to.text[same]) same++;
  if (same === from.text.length && same === to.text.length) return move(from.text, from.cursor, to.cursor);
  const grown = to.text.length - from.text.length;
  const [longer, shorter] = grown > 0 ? [to.text, from.text] : [from.text, to.text];
  const rest = shorter.slice(same);
  if (grown !== 0 && rest.length > 3 && equal(longer.slice(same + Math.abs(grown)), rest)) {
    // The terminal moves the rest of the line itself (VT102: ICH, DCH).
    const shift = grown > 0 ? `\x1b[${grown}@${to.text.slice(same, same + grown).join("")}` : `\x1b[${-grown}P`;
    return move(from.text, from.cursor, same) + shift + move(to.text, same + Math.max(0, grown), to.cursor);
  }
  const written = to.text.slice(same).join("");
  const erased = from.text.length > to.text.length ? ERASE_TO_END : "";
  return move(from.text, from.cursor, same) + written + erased + move(to.text, to.text.length, to.cursor);
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((character, i) => character === b[i]);
}

/** Moves the cursor over a line's text: to the right by writing it again, or by a sequence where that is shorter. */
function move(text: readonly string[], from: number, to: number): string {
  const distance = Math.abs(to - from);
  if (distance > 3) return `\x1b[${distance}${to < from ? "D" : "C"}`;
  return to < from ? "\b".repeat(distance) : text.slice(from, to).join("");
}
