/** Configurations as command lines: the whole one, and the way from one to another. */
import { type Config, inOrder, isWithin, type Path } from "./config.ts";
import type { Value } from "./schema-node.ts";
import { formatValue } from "./value.ts";

export type Secrets = "show" | "hide";

/** The `set` lines that make this configuration, of the part below `branch`. */
export function toLines(config: Config, secrets: Secrets, branch: Path = ""): readonly string[] {
  return inOrder(config)
    .filter(({ path }) => isWithin(path, branch))
    .map(({ path, leaf, value }) => `set ${path} ${formatValue(leaf, value, secrets)}`);
}

/** The `delete` and `set` lines that turn `before` into `after`, in the schema's order. */
export function diff(before: Config, after: Config, secrets: Secrets): readonly string[] {
  const merged = new Map([...before, ...after]);
  return inOrder(merged).flatMap(({ path, leaf }) => {
    const value = after.get(path);
    if (value === undefined) return [`delete ${path}`];
    return sameValue(before.get(path), value) ? [] : [`set ${path} ${formatValue(leaf, value, secrets)}`];
  });
}

export function sameConfig(a: Config, b: Config): boolean {
  return diff(a, b, "hide").length === 0;
}

/** The settings that are in one of them alone, or have another value. */
export function changedPaths(before: Config, after: Config): readonly Path[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => !sameValue(before.get(path), after.get(path)));
}

/** Whether anything at or below one of these paths differs. */
export function changedWithin(before: Config, after: Config, branches: readonly Path[]): boolean {
  return changedPaths(before, after).some((path) => branches.some((branch) => isWithin(path, branch)));
}

function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
