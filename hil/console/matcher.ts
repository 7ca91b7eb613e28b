/** Finds the first of several patterns in text that arrives in pieces. Work is linear: old text is searched again by a bounded overlap only. */

export type Pattern = string | RegExp;

/** One pattern came true. `before` is the text that was passed over, `rest` what follows the match. */
export interface Match<K extends string> {
  readonly pattern: K;
  readonly text: string;
  /** The groups of a RegExp; a group that took no part is the empty string. */
  readonly groups: readonly string[];
  readonly before: string;
  readonly rest: string;
}

interface Search {
  readonly name: string;
  readonly overlap: number;
  find(text: string, from: number): { start: number; text: string; groups: readonly string[] } | undefined;
}

/** A RegExp match may span at most this many characters of earlier pieces. Literals need no limit. */
const REGEXP_OVERLAP = 1024;
const KEPT = 16 * 1024;

/**
 * The match that *ends* first wins, as if the text had come byte by byte, so the result of literals does not depend on how
 * the text was cut. A RegExp that may go on at its end (`\d+`) is cut where the piece ends: close it with what follows.
 */
export class Matcher<K extends string> {
  readonly #searches: readonly Search[];
  #text = "";

  constructor(patterns: Readonly<Record<K, Pattern>>) {
    this.#searches = Object.entries<Pattern>(patterns).map(([name, pattern]) =>
      typeof pattern === "string" ? literal(name, pattern) : expression(name, pattern),
    );
  }

  push(piece: string): Match<K> | undefined {
    const seen = this.#text.length;
    this.#text += piece;
    let best: { name: string; start: number; end: number; text: string; groups: readonly string[] } | undefined;
    for (const search of this.#searches) {
      const found = search.find(this.#text, Math.max(0, seen - search.overlap));
      if (found === undefined) continue;
      const end = found.start + found.text.length;
      if (best === undefined || end < best.end || (end === best.end && found.start < best.start)) {
        best = { name: search.name, end, ...found };
      }
    }
    if (best !== undefined) {
      const { name, start, end, text, groups } = best;
      const whole = this.#text;
      this.#text = "";
      return { pattern: name as K, text, groups, before: whole.slice(0, start), rest: whole.slice(end) };
    }
    if (this.#text.length > 2 * KEPT) this.#text = this.#text.slice(-KEPT);
    return undefined;
  }
}

function literal(name: string, sought: string): Search {
  return {
    name,
    overlap: sought.length - 1,
    find: (text, from) => {
      const start = text.indexOf(sought, from);
      return start < 0 ? undefined : { start, text: sought, groups: [] };
    },
  };
}

function expression(name: string, sought: RegExp): Search {
  const scanner = new RegExp(sought.source, sought.flags.includes("g") ? sought.flags : `${sought.flags}g`);
  return {
    name,
    overlap: REGEXP_OVERLAP,
    find: (text, from) => {
      scanner.lastIndex = from;
      const match = scanner.exec(text);
      if (match === null) return undefined;
      return { start: match.index, text: match[0], groups: match.slice(1).map((group) => group ?? "") };
    },
  };
}

/** The longest beginning of a pattern that the text does contain: how near it came. Of a RegExp, its longest run of plain characters counts. */
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
