/** Bytes of a terminal → keys. Keeps what a packet of bytes cuts: a character of UTF-8, an escape sequence. */
import { StringDecoder } from "node:string_decoder";

export type Key = { readonly key: "text"; readonly text: string } | { readonly key: Name };

type Name =
  | "enter"
  | "tab"
  | "backspace"
  | "delete"
  | "left"
  | "right"
  | "up"
  | "down"
  | "home"
  | "end"
  | "erase-line"
  | "erase-to-end"
  | "erase-word"
  | "interrupt"
  | "end-of-input"
  | "redraw";

const CONTROL: Readonly<Record<string, Name>> = {
  "\x01": "home",
  "\x02": "left",
  "\x03": "interrupt",
  "\x04": "end-of-input",
  "\x05": "end",
  "\x06": "right",
  "\b": "backspace",
  "\t": "tab",
  "\n": "enter",
  "\x0b": "erase-to-end",
  "\x0c": "redraw",
  "\r": "enter",
  "\x0e": "down",
  "\x10": "up",
  "\x15": "erase-line",
  "\x17": "erase-word",
  "\x7f": "backspace",
};

/** What follows ESC [ or ESC O, as VT100, xterm, Linux and PuTTY send it. */
const ESCAPED: Readonly<Record<string, Name>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  "1~": "home",
  "3~": "delete",
  "4~": "end",
  "7~": "home",
  "8~": "end",
};

/** Longer sequences are noise on the line. */
const LONGEST_SEQUENCE = 16;

export class KeyDecoder {
  readonly #utf8 = new StringDecoder("utf8");
  /** After ESC: what came of the sequence so far. */
  #sequence: string | undefined;
  #afterReturn = false;

  /** Total: unknown sequences and control characters are no keys. */
  keys(bytes: Buffer): readonly Key[] {
    const keys: Key[] = [];
    for (const character of this.#utf8.write(bytes)) {
      const key = this.#sequence === undefined ? this.#plain(character) : this.#escaped(character);
      if (key !== undefined) keys.push(key);
    }
    return keys;
  }

  #plain(character: string): Key | undefined {
    const afterReturn = this.#afterReturn;
    this.#afterReturn = character === "\r";
    // Some programs send both for one press.
    if (character === "\n" && afterReturn) return undefined;
    if (character === "\x1b") {
      this.#sequence = "";
      return undefined;
    }
    const name = CONTROL[character];
    if (name !== undefined) return { key: name };
    return /\p{C}/u.test(character) ? undefined : { key: "text", text: character };
  }

  #escaped(character: string): Key | undefined {
    const sequence = `${this.#sequence}${character}`;
    const begins = sequence[0] === "[" || sequence[0] === "O";
    if (!begins) {
      // Alt and a key, or Escape before one: the key alone.
      this.#sequence = undefined;
      return this.#plain(character);
    }
    const ends = sequence.length > 1 && /[@-~]$/.test(sequence);
    this.#sequence = ends || sequence.length > LONGEST_SEQUENCE ? undefined : sequence;
    const name = ends ? ESCAPED[sequence.slice(1)] : undefined;
    return name === undefined ? undefined : { key: name };
  }
}
