/** One setting's value: typed words ⇄ value, and the words to offer. */
import { formatIpv4, Ipv4, parseIpv4 } from "../wire/ipv4.ts";
import type { Leaf, LeafType, Value, Word } from "./schema-node.ts";
import { parseSshKey } from "./ssh-key.ts";

export type ParsedValue =
  | { readonly ok: true; readonly value: Value }
  /** `at`: which of the words is wrong; their number when one is missing. */
  | { readonly ok: false; readonly at: number; readonly problem: string; readonly hint: string };

export const HIDDEN = "********";

const BOOLEAN_WORDS: readonly Word[] = [
  { word: "true", help: "yes" },
  { word: "false", help: "no" },
];

/** Reads the words behind a setting's name. */
export function parseValue(leaf: Leaf, words: readonly string[]): ParsedValue {
  const most = mostWords(leaf.type);
  const hint = `expected: ${describeType(leaf)}`;
  if (leaf.type.kind === "ssh-key" && words.length > 0) {
    const key = parseSshKey(words);
    return key.ok ? key : { ...key, hint };
  }
  if (words.length === 0) return { ok: false, at: 0, problem: "a value is missing", hint };
  if (words.length > most) return { ok: false, at: most, problem: "one word too many", hint };
  const values: string[] = [];
  for (const [at, word] of words.entries()) {
    const value = parseWord(leaf.type, word);
    if (value === undefined) return { ok: false, at, problem: `"${word}" is not possible here`, hint };
    if (values.includes(value)) return { ok: false, at, problem: `"${word}" is there twice`, hint };
    values.push(value);
  }
  return { ok: true, value: fromWords(leaf.type, values) };
}

/** Whether a stored value is one that `parseValue` could have made. */
export function isValue(leaf: Leaf, value: unknown): value is Value {
  const words = Array.isArray(value) ? value : [value];
  if (!words.every((word) => ["string", "number", "boolean"].includes(typeof word))) return false;
  const parsed = parseValue(leaf, words.map(String));
  return parsed.ok && JSON.stringify(parsed.value) === JSON.stringify(value);
}

/** The value as a person types it, quoted where it must be. `parseValue` reads it back. */
export function formatValue(leaf: Leaf, value: Value, secrets: "show" | "hide"): string {
  if (leaf.type.kind === "secret" && secrets === "hide") return HIDDEN;
  return (typeof value === "object" ? value : [String(value)]).map(quoteWord).join(" ");
}

/** A word in quotes when the command line would otherwise cut or misread it. */
export function quoteWord(word: string): string {
  return /^[^\s"\\?#]+$/.test(word) ? word : `"${word.replace(/["\\]/g, "\\$&")}"`;
}

/** What can be typed here, for help texts and error hints. */
export function describeType({ type, unit }: Leaf): string {
  const words = (each: readonly Word[]): string => each.map(({ word }) => word).join(", ");
  const inUnit = unit === undefined ? "" : ` ${unit}`;
  switch (type.kind) {
    case "boolean":
      return "true or false";
    case "integer":
      return `a number from ${type.low} to ${type.high}${inUnit}`;
    case "ipv4":
      return "an address such as 192.168.1.1";
    case "cidr":
      return "an address with prefix length such as 192.168.1.1/24";
    case "name":
      return type.rule;
    case "secret":
      return `1 to ${type.longest} characters, in quotes if there are blanks`;
    case "ssh-key":
      return `a line such as ssh-ed25519 AAAAC3Nz...: ed25519, ecdsa, or rsa of 2048 to 4096 bits`;
    case "choice":
      return `one of ${words(type.words)}`;
    case "choices":
      return `one or more of ${words(type.words)}${inUnit}`;
    case "ipv4-list":
      return `1 to ${type.most} addresses such as 192.168.1.1`;
    case "name-list":
      return `1 to ${type.most} of: ${type.rule}`;
    case "network-list":
      return `1 to ${type.most} networks such as 192.168.1.0/24`;
  }
}

/** The words that can be typed here; none when they cannot be listed. */
export function wordsOf(type: LeafType): readonly Word[] {
  if (type.kind === "boolean") return BOOLEAN_WORDS;
  return type.kind === "choice" || type.kind === "choices" ? type.words : [];
}

export function mostWords(type: LeafType): number {
  if (type.kind === "choices") return type.words.length;
  // Type, key, and a comment that is not kept.
  if (type.kind === "ssh-key") return 3;
  return "most" in type ? type.most : 1;
}

/** An address or a network with its prefix length, as `cidr` and `network-list` settings hold it. */
export function parsePrefix(text: string): { address: Ipv4; length: number } | undefined {
  const [, dotted = "", digits = ""] = /^([0-9.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const address = parseIpv4(dotted);
  const length = Number(digits);
  return address === undefined || length < 1 || length > 32 ? undefined : { address, length };
}

/** The word in canonical form, or undefined when it cannot be. */
function parseWord(type: LeafType, word: string): string | undefined {
  switch (type.kind) {
    case "boolean":
    case "choice":
    case "choices":
      return wordsOf(type).some((each) => each.word === word) ? word : undefined;
    case "integer": {
      const value = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN;
      return value >= type.low && value <= type.high ? String(value) : undefined;
    }
    case "ipv4":
    case "ipv4-list": {
      const address = parseIpv4(word);
      return address === undefined || !isHostAddress(address) ? undefined : formatIpv4(address);
    }
    case "cidr": {
      const prefix = parsePrefix(word);
      if (prefix === undefined || !isHostAddress(prefix.address)) return undefined;
      return `${formatIpv4(prefix.address)}/${prefix.length}`;
    }
    case "network-list": {
      const prefix = parsePrefix(word);
      if (prefix === undefined) return undefined;
      const base = networkOf(prefix);
      return isUnicastNetwork(base, prefix.length) ? `${formatIpv4(base)}/${prefix.length}` : undefined;
    }
    case "name":
    case "name-list":
      return type.pattern.test(word) ? word : undefined;
    case "ssh-key":
      // Its words belong together: parseValue has read them.
      return undefined;
    case "secret":
      // What `show` prints in its place is no password: it was pasted.
      return word !== HIDDEN && word.length >= 1 && word.length <= type.longest && !/\p{Cc}/u.test(word)
        ? word
        : undefined;
  }
}

function fromWords(type: LeafType, words: readonly string[]): Value {
  const [word = ""] = words;
  switch (type.kind) {
    case "boolean":
      return word === "true";
    case "integer":
      return Number(word);
    case "choices":
    case "ipv4-list":
    case "name-list":
    case "network-list":
      return words;
    default:
      return word;
  }
}

/** Neither 0.x, loopback, multicast nor reserved (RFC 1122 §3.2.1.3): what a router can have or reach. */
function isHostAddress(address: Ipv4): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** The address with the bits behind the prefix cleared. */
function networkOf({ address, length }: { address: Ipv4; length: number }): Ipv4 {
  return Ipv4(address & (0xffffffff << (32 - length)));
}

/** Whether hosts can live in it; 0.0.0.0/1 counts, for the hosts above 0.x. */
function isUnicastNetwork(base: Ipv4, length: number): boolean {
  return isHostAddress(base) || (base === 0 && length < 8);
}
