/** A configuration: the values that are set, by path. What is not set has the schema's default. */
import { SCHEMA } from "./schema.ts";
import type { Leaf, List, SchemaNode, Value } from "./schema-node.ts";

/** The words of a setting's place, joined by one blank: `vpn account alice password`. */
export type Path = string;
export type Config = ReadonlyMap<Path, Value>;

export type Located =
  | { readonly at: "leaf"; readonly leaf: Leaf; readonly path: Path; readonly rest: readonly string[] }
  /** A whole container, or one entry of a list. */
  | { readonly at: "branch"; readonly node: SchemaNode; readonly path: Path }
  /** `index`: the word that leads nowhere. `node`: where it stood, for help and completion. */
  | { readonly at: "nowhere"; readonly node: SchemaNode; readonly index: number; readonly problem: string };

/** Follows words down the schema; a word that begins only one name stands for it. Behind a leaf come its value's words. */
export function locate(words: readonly string[]): Located {
  let node: SchemaNode = SCHEMA;
  const path: string[] = [];
  for (const [index, word] of words.entries()) {
    if (node.node === "leaf") return { at: "leaf", leaf: node, path: path.join(" "), rest: words.slice(index) };
    const step = down(node, word);
    if ("problem" in step) return { at: "nowhere", node, index, problem: step.problem };
    path.push(step.word);
    node = step.node;
  }
  if (node.node === "leaf") return { at: "leaf", leaf: node, path: path.join(" "), rest: [] };
  return { at: "branch", node, path: path.join(" ") };
}

/** The leaf at exactly this path, as stored files name it. */
export function leafAt(path: Path): Leaf | undefined {
  const located = locate(path.split(" "));
  return located.at === "leaf" && located.path === path && located.rest.length === 0 ? located.leaf : undefined;
}

/** What is set at this path or below it. The empty path is everything. */
export function isWithin(path: Path, branch: Path): boolean {
  return branch === "" || path === branch || path.startsWith(`${branch} `);
}

/** The value that holds: what is set, else the default. */
export function valueAt(config: Config, path: Path): Value | undefined {
  return config.get(path) ?? leafAt(path)?.default;
}

/** The names of a list's entries, in the order of the alphabet. */
export function entriesOf(config: Config, list: Path): readonly string[] {
  const names = new Set<string>();
  for (const path of config.keys()) {
    if (isWithin(path, list)) names.add(path.slice(list.length + 1).split(" ")[0] ?? "");
  }
  return [...names].sort();
}

/** The settings that are set, in the schema's order, entries by name. */
export function inOrder(config: Config): readonly { path: Path; leaf: Leaf; value: Value }[] {
  const ordered: { path: Path; leaf: Leaf; value: Value }[] = [];
  const walk = (node: SchemaNode, path: Path): void => {
    const below = (word: string): Path => (path === "" ? word : `${path} ${word}`);
    if (node.node === "leaf") {
      const value = config.get(path);
      if (value !== undefined) ordered.push({ path, leaf: node, value });
    } else if (node.node === "list") {
      for (const name of entriesOf(config, path)) walk(node.entry, below(name));
    } else {
      for (const [word, child] of Object.entries(node.children)) walk(child, below(word));
    }
  };
  walk(SCHEMA, "");
  return ordered;
}

function down(node: Exclude<SchemaNode, Leaf>, word: string): { word: string; node: SchemaNode } | { problem: string } {
  if (node.node === "list") return entry(node, word);
  if (Object.hasOwn(node.children, word)) return child(node.children, word);
  const matching = Object.keys(node.children).filter((name) => name.startsWith(word));
  const [only] = matching;
  if (only === undefined || word === "") return { problem: `no setting "${word}" here` };
  if (matching.length > 1) return { problem: `"${word}" can be ${matching.join(" or ")}` };
  return child(node.children, only);
}

function child(
  children: Readonly<Record<string, SchemaNode>>,
  word: string,
): { word: string; node: SchemaNode } | { problem: string } {
  const node = children[word];
  return node === undefined ? { problem: `no setting "${word}" here` } : { word, node };
}

function entry(list: List, word: string): { word: string; node: SchemaNode } | { problem: string } {
  if (list.key.pattern.test(word)) return { word, node: list.entry };
  return { problem: `"${word}" cannot be a name: ${list.key.rule}` };
}
