/** Finds the first of several patterns in text that arrives in pieces. Work is linear: old text is searched again only as far back as a match can reach. */
import type { Found, Pattern } from "./pattern.ts";

/** One pattern came true. `before` is the text that was passed over (its end, if that was long), `rest` what follows the match. */
export interface Match<K extends string> {
  readonly pattern: K;
  readonly text: string;
  /** The groups of an expression; a group that took no part is the empty string. */
  readonly groups: readonly string[];
  readonly before: string;
  readonly rest: string;
}

interface Search {
  readonly name: string;
  readonly longest: number;
  find(text: string, from: number): Found | undefined;
}

/** How much of the text that was passed over is kept at least. */
const KEPT = 16 * 1024;

/** The match that *ends* first wins, and of those the longest, as if the text had come byte by byte: how it was cut does not matter. */
export class Matcher<K extends string> {
  readonly #searches: readonly Search[];
  /** How far back a match can reach, and one character more for `^`. */
  readonly #reach: number;
  #passed = "";
  #window = "";

  constructor(patterns: Readonly<Record<K, Pattern>>) {
    this.#searches = Object.entries<Pattern>(patterns).map(([name, pattern]) =>
      typeof pattern === "string" ? literal(name, pattern) : expression(name, pattern),
    );
    this.#reach = Math.max(0, ...this.#searches.map(({ longest }) => longest));
  }

  push(piece: string): Match<K> | undefined {
    const seen = this.#window.length;
    const text = this.#window + piece;
    let best: { name: string; end: number; found: Found } | undefined;
    for (const search of this.#searches) {
      const found = search.find(text, Math.max(0, seen - search.longest + 1));
      if (found === undefined) continue;
      const end = found.start + found.text.length;
      if (best === undefined || end < best.end || (end === best.end && found.start < best.found.start)) {
        best = { name: search.name, end, found };
      }
    }
    if (best !== undefined) {
      const { name, end, found } = best;
      const before = this.#passed + text.slice(0, found.start);
      this.#passed = "";
      this.#window = "";
      return { pattern: name as K, text: found.text, groups: found.groups, before, rest: text.slice(end) };
    }
    const cut = Math.max(0, text.length - this.#reach);
    if (cut > 0) this.#passed += text.slice(0, cut);
    if (this.#passed.length > 2 * KEPT) this.#passed = this.#passed.slice(-KEPT);
    this.#window = text.slice(cut);
    return undefined;
  }
}

function literal(name: string, sought: string): Search {
  return {
    name,
    longest: sought.length,
    find: (text, from) => {
      const start = text.indexOf(sought, from);
      return start < 0 ? undefined : { start, text: sought, groups: [] };
    },
  };
}

function expression(name: string, sought: Exclude<Pattern, string>): Search {
  return {
    name,
    longest: sought.longest,
    find: (text, from) => {
      const found = sought.find(text, from);
      if (found === undefined) return undefined;
      // Whether a beginning of the text contains a match is monotone, as no pattern looks ahead: find the shortest that does.
      let without = from;
      let within = found.start + found.text.length;
      while (within - without > 1) {
        const middle = (without + within) >> 1;
        if (sought.find(text.slice(0, middle), from) === undefined) without = middle;
        else within = middle;
      }
      return sought.find(text.slice(0, within), from);
    },
  };
}

/** The longest beginning of a pattern that the text does contain: how near it came. Of an expression, its longest run of plain characters counts. */
export function nearestPartial(patterns: readonly Pattern[], text: string): string | undefined {
  let best = "";
  for (const pattern of patterns) {
    const wanted = typeof pattern === "string" ? pattern : longestPlainRun(pattern.source);
    let length = wanted.length;
    while (length > best.length && !text.includes(wanted.slice(0, length))) length--;
    if (length > best.length) best = wanted.slice(0, length);
  }
  return best.trim().length >= 2 ? best : undefined;
}

function longestPlainRun(source: string): string {
  const runs = source.replace(/\\([^a-zA-Z0-9])/g, "$1").match(/[\w :,.<>#=/-]+/g) ?? [];
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), "");
}
