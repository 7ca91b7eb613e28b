/** The three things done with a line: cut it into words, understand it, complete it. */
import { type Config, entriesOf, locate } from "../config/config.ts";
import type { SchemaNode, Word } from "../config/schema-node.ts";
import { describeType, formatValue, mostWords, wordsOf } from "../config/value.ts";
import {
  COMMANDS,
  type Command,
  type CommandName,
  GROUPS,
  type Mode,
  type NumberArgument,
  type SettingArgument,
} from "./commands.ts";

export interface Token {
  readonly text: string;
  /** Columns in the line, `end` behind the last character. */
  readonly start: number;
  readonly end: number;
  /** A quote that is not closed. */
  readonly open: boolean;
}

/** Words are cut at blanks; a word in double quotes may hold them, and \" and \\. */
export function tokenize(line: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const match of line.matchAll(/"((?:[^"\\]|\\.)*)("|\\?$)|\S+/g)) {
    const [whole, quoted, closing] = match;
    const text = quoted === undefined ? whole : quoted.replace(/\\(.)/g, "$1");
    const open = quoted !== undefined && closing !== '"';
    tokens.push({ text, start: match.index, end: match.index + whole.length, open });
  }
  return tokens;
}

export type Understood =
  | {
      readonly ok: true;
      readonly command: CommandName;
      readonly number: number | undefined;
      readonly words: readonly string[];
    }
  /** `column`: where in the line. */
  | { readonly ok: false; readonly column: number; readonly problem: string; readonly hint: string };

/** Reads a whole line; undefined when it is empty. A word that begins only one command stands for it. */
export function understand(line: string, mode: Mode): Understood | undefined {
  const tokens = tokenize(line);
  const [first] = tokens;
  if (first === undefined) return undefined;
  const open = tokens.find((token) => token.open);
  if (open !== undefined)
    return { ok: false, column: open.start, problem: "the quote is not closed", hint: 'end it with "' };
  const found = match(tokens, mode);
  if (!("command" in found)) return found;
  const { command, rest } = found;
  const { argument } = command;
  const [extra] = rest;
  if (argument?.kind === "setting")
    return { ok: true, command: command.name, number: undefined, words: rest.map((token) => token.text) };
  const surplus = argument === undefined ? extra : rest[1];
  if (surplus !== undefined)
    return {
      ok: false,
      column: surplus.start,
      problem: `"${surplus.text}" is one word too many`,
      hint: usage(command),
    };
  if (argument?.kind === "name") {
    if (extra !== undefined) return { ok: true, command: command.name, number: undefined, words: [extra.text] };
    const hint = `expected: ${argument.help}`;
    return { ok: false, column: line.trimEnd().length + 1, problem: `${argument.word} is missing`, hint };
  }
  if (argument === undefined || (extra === undefined && argument.optional))
    return { ok: true, command: command.name, number: undefined, words: [] };
  const value = extra === undefined ? undefined : readNumber(extra.text, argument);
  if (value === undefined) {
    const problem = extra === undefined ? `${argument.word} is missing` : `"${extra.text}" is not possible here`;
    const hint = `expected: a number from ${argument.low} to ${argument.high}, ${argument.help}`;
    return { ok: false, column: extra?.start ?? line.trimEnd().length + 1, problem, hint };
  }
  return { ok: true, command: command.name, number: value, words: [] };
}

/** Something that can stand next; `placeholder` ones only explain. */
export interface Candidate extends Word {
  readonly placeholder: boolean;
}

export interface Completion {
  /** What of the word is typed already. */
  readonly partial: string;
  readonly candidates: readonly Candidate[];
}

export const ENTER: Candidate = { word: "<enter>", help: "run the command", placeholder: true };

/** What can stand at the end of `line`, the part of a line before the cursor. */
export function complete(line: string, mode: Mode, config: Config): Completion {
  const tokens = tokenize(line);
  const last = tokens.at(-1);
  const typing = last !== undefined && last.end === line.length;
  const partial = typing ? last.text : "";
  const before = typing ? tokens.slice(0, -1) : tokens;
  const candidates = candidatesAfter(before, mode, config);
  return { partial, candidates: candidates.filter(({ word, placeholder }) => placeholder || word.startsWith(partial)) };
}

/** The column of the `index`-th word behind a command's own words, or behind the line where it is missing. */
export function columnOf(line: string, mode: Mode, index: number): number {
  const found = match(tokenize(line), mode);
  const token = "command" in found ? found.rest[index] : undefined;
  return token?.start ?? line.trimEnd().length + 1;
}

function match(
  tokens: readonly Token[],
  mode: Mode,
): { command: Command; rest: readonly Token[] } | Extract<Understood, { ok: false }> {
  let commands = COMMANDS[mode];
  for (const [depth, token] of tokens.entries()) {
    const next = narrow(commands, depth, token.text);
    const words = [...new Set(next.map((command) => command.words[depth]))];
    if (words.length !== 1) {
      const expected = (words.length === 0 ? commands : next).flatMap((command) => command.words[depth] ?? []);
      const problem = words.length === 0 ? `"${token.text}" is no command here` : `"${token.text}" is not clear`;
      const hint = `expected: ${[...new Set(expected)].join(", ")}`;
      return { ok: false, column: token.start, problem, hint };
    }
    commands = next;
    const [command] = commands;
    if (command !== undefined && commands.length === 1 && command.words.length === depth + 1)
      return { command, rest: tokens.slice(depth + 1) };
  }
  const whole = commands.find((command) => command.words.length === tokens.length);
  if (whole !== undefined) return { command: whole, rest: [] };
  const end = (tokens.at(-1)?.end ?? 0) + 1;
  const next = [...new Set(commands.map((command) => command.words[tokens.length]))].join(", ");
  return { ok: false, column: end, problem: "the command is incomplete", hint: `expected: ${next}` };
}

/** The commands whose word at this depth is `word`, or else begins with it. */
function narrow(commands: readonly Command[], depth: number, word: string): readonly Command[] {
  const exact = commands.filter((command) => command.words[depth] === word);
  return exact.length > 0 ? exact : commands.filter((command) => command.words[depth]?.startsWith(word));
}

function usage({ words, argument }: Command): string {
  return `usage: ${[...words, ...(argument === undefined || argument.kind === "setting" ? [] : [argument.word])].join(" ")}`;
}

function readNumber(text: string, { low, high }: NumberArgument): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= low && value <= high ? value : undefined;
}

function candidatesAfter(before: readonly Token[], mode: Mode, config: Config): readonly Candidate[] {
  let commands = COMMANDS[mode];
  for (const [depth, token] of before.entries()) {
    commands = narrow(commands, depth, token.text);
    const [command] = commands;
    if (command !== undefined && commands.length === 1 && command.words.length === depth + 1)
      return argumentCandidates(command, before.slice(depth + 1), config);
  }
  const depth = before.length;
  // `show vpn` is a command, and so is `show vpn windows`.
  const whole = depth > 0 && commands.some((command) => command.words.length === depth) ? [ENTER] : [];
  const words = [...new Set(commands.map((command) => command.words[depth] ?? ""))]
    .filter((word) => word !== "")
    .map((word) => {
      const [only, ...others] = commands.filter((command) => command.words[depth] === word);
      const grouped = others.length > 0 || (only?.words.length ?? 0) > depth + 1;
      return { word, help: (grouped ? GROUPS[word] : only?.help) ?? "", placeholder: false };
    });
  return [...words, ...whole];
}

function argumentCandidates({ argument }: Command, words: readonly Token[], config: Config): readonly Candidate[] {
  if (argument?.kind === "setting")
    return settingCandidates(
      argument.use,
      words.map((token) => token.text),
      config,
    );
  if (argument === undefined || words.length > 0) return words.length > (argument === undefined ? 0 : 1) ? [] : [ENTER];
  if (argument.kind === "name") {
    const { word, help, list } = argument;
    const known = list === undefined ? [] : entriesOf(config, list);
    const names = known.map((name) => ({ word: name, help, placeholder: false }));
    return [...names, { word, help, placeholder: true }];
  }
  const { word, help, low, high, optional } = argument;
  const place: Candidate = { word, help: `${help} (${low} to ${high})`, placeholder: true };
  return optional ? [place, ENTER] : [place];
}

function settingCandidates(
  use: SettingArgument["use"],
  words: readonly string[],
  config: Config,
): readonly Candidate[] {
  const located = locate(words);
  if (located.at === "nowhere") return [];
  const complete = use === "show" || (use === "delete" && words.length > 0) ? [ENTER] : [];
  if (located.at === "branch") return [...childCandidates(located.node, located.path, config), ...complete];
  if (use !== "set") return located.rest.length === 0 ? [ENTER] : [];
  const { leaf, rest } = located;
  const full = rest.length >= mostWords(leaf.type);
  const listed = wordsOf(leaf.type)
    .filter(({ word }) => !rest.includes(word))
    .map((each) => ({ ...each, placeholder: false }));
  const fallback = leaf.default === undefined ? "" : `; ${formatValue(leaf, leaf.default, "hide")} if nothing is set`;
  const place: Candidate = { word: "VALUE", help: describeType(leaf) + fallback, placeholder: true };
  const values = listed.length > 0 ? listed : [place];
  return [...(full ? [] : values), ...(rest.length > 0 ? [ENTER] : [])];
}

function childCandidates(node: SchemaNode, path: string, config: Config): readonly Candidate[] {
  if (node.node === "leaf") return [];
  if (node.node === "container")
    return Object.entries(node.children).map(([word, { help }]) => ({ word, help, placeholder: false }));
  const names = entriesOf(config, path).map((name) => ({ word: name, help: node.entry.help, placeholder: false }));
  return [...names, { word: node.key.word, help: node.key.rule, placeholder: true }];
}
