/** A bench as the text of a bench file: for the computer that has the board, and for `culvert lab record`. */
import { stringify } from "yaml";
import type { Bench } from "./schema.ts";

/** `parseBench` makes the same bench of it. */
export function benchText(bench: Bench): string {
  return stringify(withDurations(bench));
}

/** Fields that are durations: milliseconds in a Bench, text with a unit in a file. */
const DURATIONS: ReadonlySet<string> = new Set(["minOff", "limit", "gap"]);

function withDurations(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withDurations);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(
    fields.map(([name, field]) => [
      name,
      DURATIONS.has(name) && typeof field === "number" ? `${field}ms` : withDurations(field),
    ]),
  );
}

/** Names of the environment variables that a text's secrets name. */
export function secretNames(text: string): string[] {
  return [...new Set([...text.matchAll(/\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g)].map((match) => match[1] ?? ""))];
}
