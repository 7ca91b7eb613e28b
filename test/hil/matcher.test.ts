import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Match, Matcher, nearestPartial } from "../../hil/console/matcher.ts";
import { bounded, type Pattern, PatternError, readPattern } from "../../hil/console/pattern.ts";

function feed(patterns: Record<string, Pattern>, pieces: readonly string[]): Match<string> | undefined {
  const matcher = new Matcher(patterns);
  for (const [index, piece] of pieces.entries()) {
    const match = matcher.push(piece);
    if (match !== undefined) return { ...match, rest: match.rest + pieces.slice(index + 1).join("") };
  }
  return undefined;
}

function cut(text: string, at: readonly number[]): string[] {
  const points = [...new Set(at.map((point) => point % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...points].map((from, index) => text.slice(from, points[index] ?? text.length));
}

// A small alphabet, so that patterns overlap each other and themselves.
const word = (max: number) =>
  fc.array(fc.constantFrom("a", "b", "\n"), { minLength: 1, maxLength: max }).map((w) => w.join(""));

test("literals: any chunking gives the match of the byte-by-byte reading", () =>
  fc.assert(
    fc.property(word(200), fc.array(word(5), { minLength: 1, maxLength: 4 }), fc.array(fc.nat()), (text, words, at) => {
      const patterns = Object.fromEntries(words.map((sought, index) => [`p${index}`, sought]));
      assert.deepEqual(feed(patterns, cut(text, at)), feed(patterns, [...text]));
    }),
  ));

// Made of the same letters, with counts, classes, groups, alternatives and starts of lines.
const atom = fc.constantFrom("a", "b", "[ab]", "[^b]", "\\n", ".", "(a|bb)", "(?:ab|b)", "^a");
const expression = fc
  .array(fc.tuple(atom, fc.constantFrom("", "?", "{2}", "{0,3}", "{1,2}?")), { minLength: 1, maxLength: 4 })
  .map((parts) => `b${parts.map((part) => part.join("")).join("")}`);

test("expressions: any chunking gives the match of the byte-by-byte reading", () =>
  fc.assert(
    fc.property(
      word(120),
      fc.array(expression, { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat()),
      (text, sources, at) => {
        const patterns = Object.fromEntries(sources.map((source, index) => [`p${index}`, readPattern(source)]));
        assert.deepEqual(feed(patterns, cut(text, at)), feed(patterns, [...text]));
      },
    ),
    { numRuns: 500 },
  ));

test("no match is longer than its pattern says", () =>
  fc.assert(
    fc.property(word(120), expression, (text, source) => {
      const pattern = readPattern(source);
      for (const match of text.matchAll(new RegExp(source, "gm"))) assert.ok(match[0].length <= pattern.longest);
    }),
  ));

test("what has no upper bound or depends on later text is refused, with its place", () => {
  const refused: readonly (readonly [string, number, RegExp])[] = [
    ["ab*c", 3, /no upper bound/],
    ["(ab)+", 5, /no upper bound/],
    ["a{2,}", 2, /no upper bound: write \{2,80\}/],
    ["login: $", 8, /text that has not come yet/],
    ["\\bOops", 2, /text that has not come yet/],
    ["a(?=b)", 4, /lookaround/],
    ["(?<!a)b", 3, /lookaround/],
    ["(a)\\1", 5, /another group/],
    ["a?", 3, /empty text/],
    ["a{9999}", 8, /limit is 4096/],
    ["(a", 3, /without `\)`/],
    ["a)", 2, /without `\(`/],
    ["[a", 3, /without `\]`/],
    ["a{x}", 2, /after `\{` comes a count/],
    ["a{3,1}", 7, /out of order/],
    ["\\q", 2, /means nothing/],
  ];
  for (const [source, at, problem] of refused) {
    assert.throws(
      () => readPattern(source),
      (error) => error instanceof PatternError && error.at === at && problem.test(error.message),
      source,
    );
  }
  assert.equal(readPattern("U-Boot (\\d{4})\\.\\d{2}[+*]\\+(?:ab|c{0,3}?)").longest, 19);
});

test("any text is a pattern or is refused with a PatternError", () =>
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab\\[](){}?*+|^$,1:<=!x") }), (source) => {
      try {
        assert.ok(readPattern(source).longest > 0);
      } catch (error) {
        assert.ok(error instanceof PatternError, String(error));
      }
    }),
    { numRuns: 1000 },
  ));

test("nothing is lost: what was passed over, the match and the rest are the whole text", () =>
  fc.assert(
    fc.property(word(200), word(3), fc.array(fc.nat()), (text, sought, at) => {
      const match = feed({ sought }, cut(text, at));
      assert.equal(match === undefined, !text.includes(sought));
      if (match !== undefined) assert.equal(match.before + match.text + match.rest, text);
    }),
  ));

test("the match that ends first wins, whatever the order of the patterns", () => {
  assert.equal(feed({ late: "login: ", early: "panic" }, ["xx panic login: "])?.pattern, "early");
  assert.equal(feed({ outer: "abcd", inner: "bc" }, ["abcd"])?.pattern, "inner");
});

test("groups are handed out, absent ones as the empty string", () => {
  assert.deepEqual(feed({ p: bounded("(\\w{1,20})(-x)?> ") }, ["router> "])?.groups, ["router", ""]);
});

test("a match may lie across pieces by the overlap", () => {
  const name = "n".repeat(900);
  assert.equal(feed({ p: bounded("<n{1,900}>") }, ["x".repeat(5000), "<", name, ">"])?.text, `<${name}>`);
});

test("the nearest partial match is the longest beginning that is there", () => {
  assert.equal(nearestPartial(["culvert login: "], "culvert log\n"), "culvert log");
  assert.equal(nearestPartial(["abc", "Password: "], "xx Passw"), "Passw");
  assert.equal(nearestPartial([bounded("Repeat password: \\r?\\n")], "Repeat pass"), "Repeat pass");
  assert.equal(nearestPartial(["zzz"], "nothing like it"), undefined);
});
