/** What Tab and ? do with a line as it stands. */
import type { Config } from "../config/config.ts";
import type { Mode } from "./commands.ts";
import { complete, ENTER } from "./grammar.ts";
import { helpLines } from "./output.ts";

/** What Tab adds at the cursor, when all words that fit go on alike; else whether there are several to be listed. */
export function completion(
  before: string,
  mode: Mode,
  config: Config,
): { readonly insert: string; readonly several: boolean } {
  const { partial, candidates } = complete(before, mode, config);
  const words = candidates.filter((candidate) => !candidate.placeholder).map(({ word }) => word);
  const common = words.reduce((a, b) => a.slice(0, commonLength(a, b)), words[0] ?? "");
  const blank = words.length === 1 && candidates.length === 1 ? " " : "";
  return { insert: common.slice(partial.length) + blank, several: words.length > 1 };
}

/** The words that can stand at the cursor, each with its help. An empty line can be entered, and that helps nobody. */
export function wordsAtCursor(before: string, line: string, mode: Mode, config: Config): readonly string[] {
  const { candidates } = complete(before, mode, config);
  return helpLines(candidates.filter((each) => each !== ENTER || line.trim() !== ""));
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
