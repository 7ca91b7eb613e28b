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

/** `exec`: one command without a prompt, as SSH brings it. */
export type Mode = "operational" | "configure" | "exec";
export type CommandName =
  | "configure"
  | "show-vpn"
  | "show-vpn-radius"
  | "show-log"
  | "show-configuration"
  | "show-secrets"
  | "show-history"
  | "show-trace"
  | "show-trace-pcapng"
  | "trace-start"
  | "trace-all"
  | "trace-stop"
  | "show-vpn-windows"
  | "show-interfaces"
  | "show-ports"
  | "show-routes"
  | "show-dhcp-leases"
  | "show-nat"
  | "show-firewall"
  | "show-ntp"
  | "ping"
  | "traceroute"
  | "show-version"
  | "show-ssh"
  | "show-users"
  | "show-system"
  | "show-crash"
  | "vpn-dial"
  | "vpn-hangup"
  | "terminal-length"
  | "update"
  | "update-install"
  | "update-commit"
  | "update-rollback"
  | "update-allow-downgrade"
  | "reboot"
  | "poweroff"
  | "factory-reset"
  | "exit"
  | "set"
  | "delete"
  | "show"
  | "compare"
  | "commit"
  | "commit-confirm"
  | "load-merge"
  | "load-replace"
  | "rollback"
  | "rebase"
  | "discard";
interface NumberArgument {
  readonly kind: "number";
  readonly word: string;
  readonly help: string;
  readonly low: number;
  readonly high: number;
  readonly optional: boolean;
}
/** One word: a name out of a list of the configuration, or something else that the command understands. */
interface NameArgument {
  readonly kind: "name";
  /** Where the names to offer come from; undefined: there are none to offer. */
  readonly list: Path | undefined;
/** A place in the configuration: with a value, of something that is set, or of a part to show. */
interface SettingArgument {
  readonly kind: "setting";
  readonly use: "set" | "delete" | "show";
export interface Command {
  readonly name: CommandName;
  readonly words: readonly string[];
  readonly argument?: NumberArgument | NameArgument | SettingArgument;
const number = (word: string, help: string, low: number, high: number, optional = false): NumberArgument => ({
  kind: "number",
  word,
  help,
  low,
  high,
  optional,
});
/** Nothing to do where nobody sits at a terminal, or done otherwise. */
const INTERACTIVE: ReadonlySet<CommandName> = new Set(["configure", "terminal-length", "exit"]);
const OPERATIONAL: readonly Command[] = [
  { name: "configure", words: ["configure"], help: "change the configuration" },
  { name: "show-vpn", words: ["show", "vpn"], help: "PPTP sessions and clients" },
  { name: "show-vpn-radius", words: ["show", "vpn", "radius"], help: "RADIUS servers and what they answered" },
  {
    name: "show-log",
    words: ["show", "log"],
    help: "the last messages",
    argument: number("COUNT", "how many lines, 100 if not said", 1, 1000, true),
  },
    name: "show-vpn-windows",
    words: ["show", "vpn", "windows"],
    help: "what to type on a Windows PC to connect an account",
    argument: { kind: "name", word: "USER", help: "an account", list: "vpn account" },
  { name: "show-configuration", words: ["show", "configuration"], help: "what is set, as commands" },
    name: "show-secrets",
    words: ["show", "configuration", "secrets"],
    help: "the same with every password in the clear: to keep it elsewhere",
    name: "show-history",
    words: ["show", "history"],
    help: "the last commits and what they changed",
    argument: number("N", "one commit: how many back, 0 for the running one", 0, 20, true),
  { name: "show-interfaces", words: ["show", "interfaces"], help: "interfaces with their addresses" },
  { name: "show-ports", words: ["show", "ports"], help: "the board's sockets and their network cards" },
  { name: "show-routes", words: ["show", "routes"], help: "the ways to other networks" },
  { name: "show-dhcp-leases", words: ["show", "dhcp", "leases"], help: "addresses lent to hosts on the LAN" },
  { name: "show-nat", words: ["show", "nat"], help: "translated connections, by port mapping" },
  { name: "show-firewall", words: ["show", "firewall"], help: "what was let in and what was not" },
  { name: "show-ntp", words: ["show", "ntp"], help: "time of day and time servers" },
  { name: "show-ssh", words: ["show", "ssh"], help: "remote login: host key, keys that will do" },
  { name: "show-users", words: ["show", "users"], help: "who is logged in" },
  { name: "show-system", words: ["show", "system"], help: "since when it runs, how it ended before, watchdog, memory" },
    name: "show-crash",
    words: ["show", "crash"],
    help: "what the app said when it ended because of an error of its own",
    argument: number("BACK", "which one, the newest is 0", 0, 4, true),
  { name: "show-version", words: ["show", "version"], help: "firmware version" },
    name: "vpn-dial",
    words: ["vpn", "dial"],
    help: "connect a client now",
    argument: { kind: "name", word: "NAME", help: "a client", list: "vpn client" },
    name: "vpn-hangup",
    words: ["vpn", "hangup"],
    help: "end a session, or a client's dialing",
    argument: { kind: "name", word: "ID|NAME", help: "number in `show vpn`, or a client", list: "vpn client" },
    name: "trace-start",
    words: ["trace", "start"],
    help: "record the packets between us and one peer",
    argument: { kind: "name", word: "ID|NAME|ADDRESS", help: "a session, client or address", list: "vpn client" },
  { name: "trace-all", words: ["trace", "all"], help: "record the packets of every peer" },
  { name: "trace-stop", words: ["trace", "stop"], help: "record no more; what there is stays" },
  { name: "show-trace", words: ["show", "trace"], help: "what was recorded, a line a packet" },
    name: "show-trace-pcapng",
    words: ["show", "trace", "pcapng"],
    help: "the same as a file for Wireshark, in base64",
    name: "ping",
    words: ["ping"],
    help: "send five pings; Ctrl-C ends it",
    argument: { kind: "name", word: "HOST", help: "an address or a name", list: undefined },
    name: "traceroute",
    words: ["traceroute"],
    help: "the routers on the way to a host; Ctrl-C ends it",
    name: "terminal-length",
    words: ["terminal", "length"],
    help: "lines on the screen",
    argument: number("LINES", "0: never stop at --more--", 0, 512),
  { name: "update", words: ["update"], help: "the firmware in both slots, and what became of the last update" },
    name: "update-install",
    words: ["update", "install"],
    help: "take an update: ssh admin@DEVICE update install < FILE",
  { name: "update-commit", words: ["update", "commit"], help: "keep the firmware that is on trial" },
    name: "update-rollback",
    words: ["update", "rollback"],
    help: "back to the firmware in the other slot; restarts the device",
    name: "update-allow-downgrade",
    words: ["update", "allow-downgrade"],
    help: "let an older firmware in, for ten minutes; on the serial console only",
  { name: "reboot", words: ["reboot"], help: "restart the device; all sessions end" },
  { name: "poweroff", words: ["poweroff"], help: "switch the device off" },
    name: "factory-reset",
    words: ["factory-reset"],
    help: "forget every setting and password, and restart as new",
  { name: "exit", words: ["exit"], help: "log out" },
];
const onTrial = number("MINUTES", "on trial: taken back unless `commit` follows in time", 1, 60, true);
export const COMMANDS: Readonly<Record<Mode, readonly Command[]>> = {
  operational: OPERATIONAL,
  configure: [
    { name: "set", words: ["set"], help: "change a setting", argument: { kind: "setting", use: "set" } },
    { name: "delete", words: ["delete"], help: "back to the default", argument: { kind: "setting", use: "delete" } },
    { name: "show", words: ["show"], help: "what is set, as commands", argument: { kind: "setting", use: "show" } },
    {
      name: "compare",
      words: ["compare"],
      help: "what commit would change",
      argument: number("N", "against the configuration of N commits ago instead", 0, 20, true),
    },
    { name: "commit", words: ["commit"], help: "check, store and apply the changes; confirm what is on trial" },
      name: "commit-confirm",
      words: ["commit", "confirm"],
      help: "apply on trial: taken back unless `commit` follows in time",
      argument: number("MINUTES", "time to confirm in", 1, 60),
      name: "load-merge",
      words: ["load", "merge"],
      help: "take settings as lines, on top of what is set",
      name: "load-replace",
      words: ["load", "replace"],
      help: "take settings as lines, in the place of all that is set",
      name: "rollback",
      words: ["rollback"],
      help: "take back the configuration of an earlier commit",
      argument: number("N", "commits to go back, 1 if not said; 0: the running one", 0, 20, true),
      name: "rebase",
      words: ["rebase"],
      help: "keep the changes, on top of what somebody else has committed meanwhile",
    { name: "discard", words: ["discard"], help: "forget the changes" },
    { name: "exit", words: ["exit"], help: "leave the configuration" },
  ],
  exec: [
    ...OPERATIONAL.filter(({ name }) => !INTERACTIVE.has(name)),
      help: "take settings as lines of the input, on top of what is set, and commit",
      argument: onTrial,
      help: "take settings as lines of the input, in the place of all that is set, and commit",
    { name: "commit", words: ["commit"], help: "confirm what is on trial" },
};
const GROUPS: Readonly<Record<string, string>> = {
  show: "look at something",
  dhcp: "the DHCP server",
  vpn: "PPTP sessions",
  trace: "record control and GRE packets",
  configuration: "what is set, as commands",
  commit: "check, store and apply the changes",
  load: "take a whole configuration, such as one that show printed",
  terminal: "this console",
  update: "the firmware, its slots and its trial",

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
