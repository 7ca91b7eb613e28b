/** `set` and `delete` on a configuration: words in, another configuration out. */
import { type Config, isWithin, type Located, locate } from "./config.ts";
import { parseValue } from "./value.ts";

export type Changed =
  | { readonly ok: true; readonly config: Config }
  /** `at`: which of the words is wrong; their number when one is missing. */
  | { readonly ok: false; readonly at: number; readonly problem: string; readonly hint: string };

/** `words`: a setting's place and its value. */
export function set(config: Config, words: readonly string[]): Changed {
  const located = locate(words);
  if (located.at !== "leaf") return refused(located, words.length);
  const parsed = parseValue(located.leaf, located.rest);
  if (!parsed.ok) return { ...parsed, at: words.length - located.rest.length + parsed.at };
  return { ok: true, config: new Map([...config, [located.path, parsed.value]]) };
}

/** `words`: the place of a setting, or of a branch whose settings all go. What goes has its default again. */
export function remove(config: Config, words: readonly string[]): Changed {
  const located = locate(words);
  if (located.at === "nowhere" || (located.at === "branch" && located.path === ""))
    return refused(located, words.length);
  if (located.at === "leaf" && located.rest.length > 0) {
    const at = words.length - located.rest.length;
    return { ok: false, at, problem: "delete takes no value", hint: `delete ${located.path}` };
  }
  const kept = [...config].filter(([path]) => !isWithin(path, located.path));
  if (kept.length === config.size)
    return { ok: false, at: words.length - 1, problem: "nothing is set there", hint: "show lists what is set" };
  return { ok: true, config: new Map(kept) };
}

function refused(located: Exclude<Located, { at: "leaf" }>, count: number): Changed {
  const { node } = located;
  const next = node.node === "container" ? Object.keys(node.children).join(", ") : "a name";
  const hint = `expected: ${next}`;
  if (located.at === "nowhere") return { ok: false, at: located.index, problem: located.problem, hint };
  return { ok: false, at: count, problem: "the setting is incomplete", hint };
}
