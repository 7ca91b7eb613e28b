/**
 * What can be sought on a console: a literal text, or an expression whose matches have a known greatest length. Only so is it
 * known how much of the old text can still be part of a match, and that searching takes linear time.
 */

/** A raw RegExp is none: the compiler refuses it. */
export type Pattern = string | Bounded;

/** A match may be this long at most. */
const LONGEST_MATCH = 4096;

/** An expression that `bounded` has checked. `^` means the start of a line, or of the text that is asked about. */
export class Bounded {
  readonly source: string;
  /** The greatest length of a match. */
  readonly longest: number;
  readonly #scanner: RegExp;

  constructor(source: string) {
    this.source = source;
    this.longest = new SourceReader(source).longest();
    this.#scanner = new RegExp(source, "gm");
  }

  /** The first match at or after `from`; a group that took no part is the empty string. */
  find(text: string, from: number): Found | undefined {
    this.#scanner.lastIndex = from;
    const match = this.#scanner.exec(text);
    if (match === null) return undefined;
    return { start: match.index, text: match[0], groups: match.slice(1).map((group) => group ?? "") };
  }

  toString(): string {
    return `/${this.source}/`;
  }
}

export interface Found {
  readonly start: number;
  readonly text: string;
  readonly groups: readonly string[];
}

/**
 * `bounded("U-Boot (\\d{4})\\.\\d{2}")`: the compiler reads the literal and refuses what has no upper bound or depends on text
 * that has not come yet: `*`, `+`, `{n,}`, `$`, `\b`, lookaround, references. A match ends as soon as it can, as if the text
 * came byte by byte: close an open count with what follows it.
 */
export function bounded<const S extends string>(source: CheckedPattern<S>): Bounded {
  return new Bounded(source);
}

/** For patterns out of files and arguments; throws a PatternError with the place. `bounded` is for those in the code. */
export function readPattern(source: string): Bounded {
  return new Bounded(source);
}

/** `source` itself, or the text of the compiler's error. */
export type CheckedPattern<S extends string> = string extends S
  ? "bounded() takes a literal, which the compiler can read; readPattern() takes any text"
  : [Problem<S>] extends [never]
    ? S
    : Problem<S>;

type Problem<S extends string, Place extends "open" | "class" = "open"> = S extends `\\${infer Escaped}${infer Rest}`
  ? Place extends "class"
    ? Problem<Rest, "class">
    : Escaped extends "b" | "B"
      ? `\\${Escaped} needs text that has not come yet: name what follows`
      : Escaped extends "k" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9"
        ? `\\${Escaped} refers to another group: a match then has no known length`
        : Problem<Rest>
  : S extends `${infer Sign}${infer Rest}`
    ? Place extends "class"
      ? Problem<Rest, Sign extends "]" ? "open" : "class">
      : Sign extends "["
        ? Problem<Rest, "class">
        : Sign extends "*" | "+"
          ? `the ${Sign} before "${Rest}" has no upper bound: write {0,80} or so`
          : Sign extends "$"
            ? "$ needs text that has not come yet: name what follows, as in \\n"
            : Sign extends "{"
              ? Rest extends `${infer Count}}${infer After}`
                ? Count extends `${string},`
                  ? `{${Count}} has no upper bound: write {${Count}80} or so`
                  : Problem<After>
                : "{ without }: a literal brace is \\{"
              : Sign extends "("
                ? Rest extends `?${"=" | "!" | "<=" | "<!"}${string}`
                  ? "lookaround needs text beside the match: make it part of the match"
                  : Problem<Rest>
                : Problem<Rest>
    : S extends ""
      ? never
      : "bounded() takes a literal, which the compiler can read; readPattern() takes any text";

/** A pattern that cannot be sought. `at` counts its characters from 1. */
export class PatternError extends Error {
  readonly at: number;
  constructor(source: string, at: number, problem: string) {
    super(`pattern ${JSON.stringify(source)}, character ${at}: ${problem}`);
    this.name = "PatternError";
    this.at = at;
  }
}

interface Span {
  readonly least: number;
  readonly most: number;
}

/** Reads the source of an expression for the lengths of its matches. */
class SourceReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  longest(): number {
    const { least, most } = this.#alternatives();
    if (this.#at < this.#source.length) this.#fail("`)` without `(`");
    if (least === 0) this.#fail("this matches the empty text, so it would always match");
    if (most > LONGEST_MATCH) this.#fail(`a match could have ${most} characters; the limit is ${LONGEST_MATCH}`);
    try {
      new RegExp(this.#source, "m");
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    return most;
  }

  #alternatives(): Span {
    let span = this.#sequence();
    while (this.#take("|")) {
      const other = this.#sequence();
      span = { least: Math.min(span.least, other.least), most: Math.max(span.most, other.most) };
    }
    return span;
  }

  #sequence(): Span {
    let least = 0;
    let most = 0;
    while (this.#at < this.#source.length && !"|)".includes(this.#next)) {
      const atom = this.#atom();
      const [low, high] = this.#count();
      least += atom.least * low;
      most += atom.most * high;
    }
    return { least, most };
  }

  #atom(): Span {
    const sign = this.#next;
    if ("*+?{".includes(sign)) this.#fail(`\`${sign}\` has nothing to repeat; the character itself is \\${sign}`);
    if ("}]".includes(sign)) this.#fail(`\`${sign}\` has no beginning; the character itself is \\${sign}`);
    if (sign === "$") this.#fail("`$` needs text that has not come yet: name what follows, as in \\n");
    this.#at++;
    if (sign === "^") return { least: 0, most: 0 };
    if (sign === "\\") return this.#escape();
    if (sign === "[") return this.#class();
    if (sign === "(") return this.#group();
    return { least: 1, most: 1 };
  }

  #escape(): Span {
    const sign = this.#next;
    if (sign === "") this.#fail("`\\` at the end means nothing; the character itself is \\\\");
    if ("bB".includes(sign)) this.#fail(`\\${sign} needs text that has not come yet: name what follows`);
    if (/[1-9k]/.test(sign)) this.#fail(`\\${sign} refers to another group: a match then has no known length`);
    if (!/[dDwWsSnrtfv0xu]|[^A-Za-z0-9]/.test(sign)) this.#fail(`\\${sign} means nothing here`);
    this.#at++;
    const digits = { x: 2, u: 4 }[sign] ?? 0;
    if (!/^[0-9A-Fa-f]*$/.test(this.#source.slice(this.#at, this.#at + digits).padEnd(digits, "."))) {
      this.#fail(`\\${sign} takes ${digits} hexadecimal digits`);
    }
    this.#at += digits;
    return { least: 1, most: 1 };
  }

  #class(): Span {
    while (!this.#take("]")) {
      if (this.#at >= this.#source.length) this.#fail("`[` without `]`");
      this.#at += this.#next === "\\" ? 2 : 1;
    }
    return { least: 1, most: 1 };
  }

  #group(): Span {
    if (this.#take("?")) {
      if (/^(?:=|!|<=|<!)/.test(this.#source.slice(this.#at))) {
        this.#fail("lookaround needs text beside the match: make it part of the match");
      }
      const name = /^(?::|<[A-Za-z_]\w*>)/.exec(this.#source.slice(this.#at));
      if (name === null) this.#fail("only (?:...) and (?<name>...) are known");
      this.#at += name[0].length;
    }
    const span = this.#alternatives();
    if (!this.#take(")")) this.#fail("`(` without `)`");
    return span;
  }

  #count(): readonly [number, number] {
    const sign = this.#next;
    if (sign === "*" || sign === "+") this.#fail(`\`${sign}\` has no upper bound: write {0,80} or so`);
    let count: readonly [number, number] = [1, 1];
    if (this.#take("?")) count = [0, 1];
    else if (sign === "{") {
      const [whole, low, comma, high] = /^\{(\d{1,4})(,?)(\d{0,4})\}/.exec(this.#source.slice(this.#at)) ?? [];
      if (whole === undefined) this.#fail("after `{` comes a count, as in {2} or {0,80}; a literal brace is \\{");
      if (comma !== "" && high === "") this.#fail(`${whole} has no upper bound: write {${low},80} or so`);
      this.#at += whole.length;
      count = [Number(low), Number(comma === "" ? low : high)];
    }
    this.#take("?");
    return count;
  }

  get #next(): string {
    return this.#source.charAt(this.#at);
  }

  #take(sign: string): boolean {
    if (this.#next !== sign) return false;
    this.#at += sign.length;
    return true;
  }

  #fail(problem: string): never {
    throw new PatternError(this.#source, this.#at + 1, problem);
  }
}
