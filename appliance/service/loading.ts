/** A configuration that comes line by line, as `show` prints it: all of it becomes the candidate, or nothing. */
import { type Changed, remove, set } from "../config/change.ts";
import { type Config, locate } from "../config/config.ts";
import { HIDDEN } from "../config/value.ts";

/** `merge`: on top of what is set. `replace`: in its place. */
export type LoadMode = "merge" | "replace";

export type LineRefusal = Extract<Changed, { ok: false }>;

export class Loading {
  /** What was set before: hidden secrets are taken from here. */
  readonly #known: Config;
  #config: Config;
  #lines = 0;
  #wrong = 0;

  constructor(mode: LoadMode, known: Config) {
    this.#known = known;
    this.#config = mode === "merge" ? known : new Map();
  }

  /** Lines that said something, so far. */
  get lines(): number {
    return this.#lines;
  }
  /** How many of them could not be understood. */
  get wrong(): number {
    return this.#wrong;
  }
  get config(): Config {
    return this.#config;
  }

  /** `words`: a whole line, `set ...` or `delete ...`. `at` of a refusal counts all of them. */
  take(words: readonly string[]): LineRefusal | undefined {
    this.#lines++;
    const changed = this.#change(words);
    if (changed.ok) this.#config = changed.config;
    else this.#wrong++;
    return changed.ok ? undefined : changed;
  }

  #change([verb = "", ...rest]: readonly string[]): Changed {
    if (verb === "set") return shifted(this.#set(rest));
    if (verb === "delete") return shifted(remove(this.#config, rest));
    return {
      ok: false,
      at: 0,
      problem: `"${verb}" is no line of a configuration`,
      hint: "expected: set, delete or end",
    };
  }

  /** `********` stands for a secret that was not printed: the one that is known stays. */
  #set(words: readonly string[]): Changed {
    const located = locate(words);
    const isHidden =
      located.at === "leaf" &&
      located.leaf.type.kind === "secret" &&
      located.rest.length === 1 &&
      located.rest[0] === HIDDEN;
    if (!isHidden) return set(this.#config, words);
    const secret = this.#known.get(located.path);
    if (secret !== undefined) return { ok: true, config: new Map([...this.#config, [located.path, secret]]) };
    return {
      ok: false,
      at: words.length - 1,
      problem: "the secret is hidden, and this device does not know it",
      hint: "write it out, or print it with `show configuration secrets`",
    };
  }
}

function shifted(changed: Changed): Changed {
  return changed.ok ? changed : { ...changed, at: changed.at + 1 };
}
