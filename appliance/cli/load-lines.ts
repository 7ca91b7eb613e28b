/** The lines of a configuration that comes in, on a console or in a file. */
import type { Loading } from "../service/loading.ts";
import { tokenize } from "./grammar.ts";

/** Takes a line, and says what is wrong with it. Blank lines and those that begin with # are none; `end` ends the configuration. */
export function takeLine(loading: Loading, line: string): "end" | readonly string[] {
  const text = line.trim();
  if (text === "end") return "end";
  if (text === "" || text.startsWith("#")) return [];
  const refusal = loading.take(tokenize(text).map((token) => token.text));
  return refusal === undefined ? [] : [`% line ${loading.lines}: ${refusal.problem}`, `  ${refusal.hint}`];
}

/** Said when a line was wrong, and so none was taken. */
export function nothingTaken(loading: Loading): readonly string[] {
  return [`% Nothing was taken: ${loading.wrong} of ${loading.lines} lines are wrong.`];
}
