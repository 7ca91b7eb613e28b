import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Match, Matcher, nearestPartial, type Pattern } from "../../hil/console/matcher.ts";

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

test("expressions that end in something definite: any chunking gives the same match", () =>
  fc.assert(
    fc.property(word(200), fc.array(fc.nat()), (text, at) => {
      const patterns = { newline: /a+b*\n/, pair: /bb/ };
      assert.deepEqual(feed(patterns, cut(text, at)), feed(patterns, [...text]));
    }),
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
  assert.deepEqual(feed({ p: /(\w+)(-x)?> / }, ["router> "])?.groups, ["router", ""]);
});

test("a match may lie across pieces by the overlap", () => {
  const name = "n".repeat(900);
  assert.equal(feed({ p: /<n+>/ }, ["x".repeat(5000), "<", name, ">"])?.text, `<${name}>`);
});

test("work is linear: four times the text takes nothing like sixteen times as long", () => {
  const piece = "[   12.345678] usb 1-1: new high-speed USB device number 2 using";
  const took = (pieces: number): number => {
    const matcher = new Matcher({
      login: /login: $/m,
      shell: /root@[\w()]+:[^ ]+ /,
      panic: "Kernel panic",
      prompt: "=> ",
    });
    const started = performance.now();
    for (let at = 0; at < pieces; at++) assert.equal(matcher.push(piece), undefined);
    return performance.now() - started;
  };
  took(4000); // warm
  const once = took(8000);
  assert.ok(took(32_000) < 10 * Math.max(once, 20), "matching is not linear");
});

test("the nearest partial match is the longest beginning that is there", () => {
  assert.equal(nearestPartial(["culvert login: "], "culvert log\n"), "culvert log");
  assert.equal(nearestPartial(["abc", "Password: "], "xx Passw"), "Passw");
  assert.equal(nearestPartial([/Repeat password: $/], "Repeat pass"), "Repeat pass");
  assert.equal(nearestPartial(["zzz"], "nothing like it"), undefined);
});
