/** Shares of a suite: complete, without overlap, and the same wherever they are dealt. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deal, jobsWithin, labMemoryMib, parseDurations, parseShard, partsOf } from "../../hil/run/plan.ts";
import { SUITES } from "../../hil/suites.ts";

const suite = SUITES.find(({ name }) => name === "interop-server") ?? assert.fail();
const smoke = SUITES.find(({ name }) => name === "smoke") ?? assert.fail();

test("scenarios with a lab of their own are parts of their own; those that share one are one part", () => {
  assert.deepEqual(partsOf(smoke, "dial").slice(0, 2), [["dial"], ["dial-again"]]);
  const poptop = SUITES.find(({ name }) => name === "poptop") ?? assert.fail();
  assert.equal(partsOf(poptop, undefined).length, 1);
});

test("every part is dealt once, in the suite's order, and dealt the same again", () => {
  const part = fc.array(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (parts, count) => {
      const hands = deal("s", parts, count, new Map());
      assert.equal(hands.length, count);
      assert.deepEqual(hands.flat().sort(), parts.flat().sort());
      assert.deepEqual(deal("s", parts, count, new Map()), hands);
    }),
  );
});

test("by what an earlier run took, the shares are even", () => {
  const parts = partsOf(suite, undefined);
  const durations = new Map(
    parts.map(([name = ""], index) => [`interop-server/${name}`, index === 0 ? 90_000 : 10_000]),
  );
  const [first, second] = deal("interop-server", parts, 2, durations);
  assert.deepEqual(first, parts[0], "the long one is alone");
  assert.equal(second?.length, parts.length - 1);
});

test("durations are read of results, and what is no result is passed over", () => {
  const text =
    '{"suite":"a","scenario":"b","durationMs":1500}\nnonsense\n{"suite":"a"}\n{"suite":"a","scenario":"c","durationMs":null}\n';
  assert.deepEqual([...parseDurations(text)], [["a/b", 1500]]);
});

test("shares are written INDEX/COUNT", () => {
  assert.deepEqual(parseShard("2/4"), { index: 2, count: 4 });
  for (const text of ["0/4", "5/4", "1", "1/0", "a/b", "1/4 "]) assert.equal(parseShard(text), undefined, text);
});

test("labs side by side keep within processors and memory, and there is always one", () => {
  assert.equal(labMemoryMib(smoke), 1344);
  assert.equal(jobsWithin({ processors: 8, memoryMib: 65_536 }, 1024), 4);
  assert.equal(jobsWithin({ processors: 32, memoryMib: 5_120 }, 1024), 4);
  assert.equal(jobsWithin({ processors: 2, memoryMib: 512 }, 1024), 1);
});
