/**
 * Every section of an RFC that the appliance's sources cite is named by the title of a test. Citations have one form,
 * `RFC 2637 §4.1`, and may go on: `RFC 1661 §5 and §6`, `RFC 1661 §5.2–§5.4`. A title that names §4.1.2 counts for §4.1
 * and §4 too.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const SECTION = String.raw`[A-Z]?[.]?\d+(?:\.\d+)*`;
const CITATION = new RegExp(String.raw`RFC (\d{4}) §(${SECTION})((?:(?:–|, | and )§${SECTION})*)`, "g");
const CONTINUED = new RegExp(`(–|, | and )§(${SECTION})`, "g");

/** `RFC 1661 §5.2` for each section a text cites; a range gives all sections between its ends, where they are siblings. */
function citations(text: string): string[] {
  const found: string[] = [];
  for (const [, rfc, first = "", rest = ""] of text.matchAll(CITATION)) {
    let last = first;
    found.push(`RFC ${rfc} §${first}`);
    for (const [, joint, section = ""] of rest.matchAll(CONTINUED)) {
      if (joint === "–") found.push(...between(last, section).map((inner) => `RFC ${rfc} §${inner}`));
      found.push(`RFC ${rfc} §${section}`);
      last = section;
    }
  }
  return found;
}
function between(from: string, to: string): string[] {
  const [, parent = "", first = ""] = /^(.*?)(\d+)$/.exec(from) ?? [];
  const [, otherParent, last = ""] = /^(.*?)(\d+)$/.exec(to) ?? [];
  if (parent !== otherParent) return [];
  return Array.from(
    { length: Math.max(0, Number(last) - Number(first) - 1) },
    (_, i) => `${parent}${Number(first) + i + 1}`,
  );
}

function sources(folder: string, end: string): { name: string; text: string }[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(end))
    .map((name) => ({ name: join(folder, name), text: readFileSync(join(folder, name), "utf8") }));
}

/** The first argument of each `test(…)`, whatever quotes it has. */
function titles(text: string): string[] {
  return [...text.matchAll(/\btest\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, , title = ""]) => title);
}

test("citations are read in each of their forms", () => {
  assert.deepEqual(citations("RFC 1661 §5 and §6."), ["RFC 1661 §5", "RFC 1661 §6"]);
  assert.deepEqual(citations("(RFC 1661 §5.2–§5.4)"), ["RFC 1661 §5.2", "RFC 1661 §5.3", "RFC 1661 §5.4"]);
  assert.deepEqual(citations("RFC 2433 §A.2, RFC 1962 §3"), ["RFC 2433 §A.2", "RFC 1962 §3"]);
  assert.deepEqual(titles("test('a', () => 1); test(\n  `b`, () => 2); contest('c')"), ["a", "b"]);
});

test("every cited section is named by a test", () => {
  const named = new Set<string>();
  for (const { text } of sources("test", ".test.ts"))
    for (const title of titles(text))
      for (const citation of citations(title))
        for (let section = citation; section !== ""; section = parent(section)) named.add(section);
  const missing = new Map<string, string>();
  let cited = 0;
  for (const { name, text } of sources("appliance", ".ts"))
    for (const citation of citations(text)) {
      cited++;
      if (!named.has(citation)) missing.set(citation, name);
    }
  assert.ok(cited > 100, `only ${cited} citations found: is the pattern right?`);
  const list = [...missing].sort().map(([citation, name]) => `${citation} (cited in ${name})`);
  assert.deepEqual(list, [], `no test title names:\n  ${list.join("\n  ")}`);
});

/** `RFC 1661 §5.2` → `RFC 1661 §5` → nothing. */
function parent(citation: string): string {
  const dot = citation.lastIndexOf(".");
  return dot < 0 ? "" : citation.slice(0, dot);
}
