/** Reads bench files. Every mistake is told at once, with its line and what is allowed instead. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { isMap, isNode, isScalar, LineCounter, type Pair, type ParsedNode, parseDocument } from "yaml";
import type { z } from "zod";
import { projectRoot } from "../../image/project.ts";
import { UsageError } from "../usage-error.ts";
import { allowed } from "./nearest.ts";
import { type Bench, benchSchema } from "./schema.ts";

/** Bench files that are part of the project, and where people put their own. */
export const benchFolder = join(projectRoot, "hil", "benches");

/** One mistake in a bench file. Lines and columns count from 1; `path` is `power.minOff`, empty for the whole file. */
export interface BenchProblem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly text: string;
}

/** A bench file that cannot be used; `message` has a line for each problem: `FILE:LINE:COLUMN  path: what is wrong`. */
export class BenchFileError extends UsageError {
  readonly problems: readonly BenchProblem[];
  constructor(file: string, problems: readonly BenchProblem[]) {
    super(
      problems
        .map(({ line, column, path, text }) =>
          oneLine(`${file}:${line}:${column}  ${path === "" ? "" : `${path}: `}${text}`),
        )
        .join("\n"),
    );
    this.name = "BenchFileError";
    this.problems = problems;
  }
}

/** Reads the bench that `--bench` names: a name of a file in hil/benches, or a path. Throws a BenchFileError or UsageError. */
export function loadBench(nameOrPath: string, folder = benchFolder): Bench {
  const path = /[/\\]|\.ya?ml$/.test(nameOrPath) ? nameOrPath : join(folder, `${nameOrPath}.yaml`);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const names = benchNames(folder);
    const because = (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : String(error);
    const offer = names.length === 0 ? "" : `; ${allowed(nameOrPath, names)}, or the path of a file`;
    throw new UsageError(`bench '${nameOrPath}': ${because} (${path})${offer}`);
  }
  return parseBench(text, path);
}

/** Names of the bench files in a folder. */
export function benchNames(folder = benchFolder): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => basename(name, ".yaml"))
      .sort();
  } catch {
    return []; // no folder: no benches
  }
}

/** Parses the text of a bench file; `file` is for the messages. Throws a BenchFileError that has every problem. */
export function parseBench(text: string, file: string): Bench {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: "silent",
  });
  const position = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const mistakes = [...document.errors, ...document.warnings];
  if (mistakes.length > 0) {
    const problems = mistakes.map((error) => ({
      ...position(error.pos[0]),
      path: "",
      text:
        error.code === "DUPLICATE_KEY" ? "this field is here for the second time; keep one" : firstLine(error.message),
    }));
    throw new BenchFileError(file, problems);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    throw new BenchFileError(file, [{ line: 1, column: 1, path: "", text: firstLine(String(error)) }]);
  }
  if (value === null) throw new BenchFileError(file, [{ line: 1, column: 1, path: "", text: "this file is empty" }]);
  const checked = benchSchema.safeParse(value, { reportInput: true });
  if (checked.success) return checked.data;
  const problems = checked.error.issues
    .flatMap((issue) => explain(issue, []))
    .map(({ path, text: what }) => ({
      ...position(offsetOf(document.contents, path)),
      path: path.map(String).join("."),
      text: what,
    }));
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  throw new BenchFileError(file, problems);
}

interface Explained {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** One problem for each thing that is wrong, in words that need no knowledge of the schema. */
function explain(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Explained[] {
  const path = [...above, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys": {
      const texts = issue.message.split("\n");
      return issue.keys.map((key, index) => ({ path: [...path, key], text: texts[index] ?? issue.message }));
    }
    case "invalid_union": {
      if (issue.message !== "Invalid input") return [{ path, text: issue.message }];
      // The schema's own words are used when no branch is meant; here the branch that fits best is.
      const branch = [...issue.errors].sort((a, b) => misfit(a) - misfit(b))[0];
      if (issue.input === undefined || branch === undefined) return [{ path, text: "is missing" }];
      return branch.flatMap((inner) => explain(inner, path));
    }
    case "invalid_key":
      return issue.issues.map((inner) => ({ path, text: inner.message }));
    case "invalid_type":
      if (issue.input === undefined) return [{ path, text: `is missing; needed: ${kindOf(issue.expected)}` }];
      return [{ path, text: `is ${describe(issue.input)}; must be ${kindOf(issue.expected)}` }];
    case "invalid_value": {
      if (!issue.message.startsWith("Invalid")) return [{ path, text: issue.message }];
      const given = String(issue.input);
      const what = issue.input === undefined ? "is missing" : `'${given}' is not known`;
      return [{ path, text: `${what}; ${allowed(given, issue.values.map(String))}` }];
    }
    case "too_small":
      return [{ path, text: `is too ${issue.origin === "string" ? "short" : "small"}; at least ${issue.minimum}` }];
    case "too_big":
      return [{ path, text: `is too ${issue.origin === "string" ? "long" : "big"}; at most ${issue.maximum}` }];
    default:
      return [{ path, text: issue.message }];
  }
}

/** How far a branch is from what was written: unknown fields and missing ones count, a wrong kind of value most. */
function misfit(issues: readonly z.core.$ZodIssue[]): number {
  let sum = 0;
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") sum += issue.keys.length;
    else if (issue.path.length === 0) sum += 100;
    else if (issue.input === undefined) sum += 1;
  }
  return sum;
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "fields (name: value)",
  record: "fields (name: value)",
  array: "a list, as in [a, b]",
};

function kindOf(expected: string): string {
  return KINDS[expected] ?? expected;
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "fields (name: value)";
  return typeof value === "string"
    ? `the text '${value}'`
    : `${typeof value === "number" ? "the number " : ""}${String(value)}`;
}

/** Where the value at `path` begins in the file, or its name if it has no value, or what should have held it. */
function offsetOf(contents: unknown, path: readonly PropertyKey[]): number {
  let node = contents;
  let offset = isNode(node) ? ((node as ParsedNode).range?.[0] ?? 0) : 0;
  for (const [depth, key] of path.entries()) {
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(
        (item) => isScalar(item.key) && String(item.key.value) === String(key),
      );
      if (pair === undefined) return offset;
      const keyOffset = (pair.key as ParsedNode).range?.[0] ?? offset;
      // For a field as such (unknown, or the last in the path) its name is the place; on the way down, the value is.
      offset = keyOffset;
      node = pair.value;
      if (depth === path.length - 1) return keyOffset;
    } else if (isNode(node) && "items" in node) {
      const item = (node.items as unknown[])[Number(key)];
      if (!isNode(item)) return offset;
      node = item;
      offset = (item as ParsedNode).range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

/** Names and values in the file may hold anything; a message is one line of a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, " ");
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}
