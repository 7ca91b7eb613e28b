/** Deep equality of settings, judged by Node's own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { isSameData } from "../../appliance/service/same-data.ts";

const plain = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(undefined, null, true, false, 0, -0, Number.NaN, 1, "", "a"),
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "length"), tie("any"), { maxKeys: 3, noNullPrototype: true }),
    fc.uint8Array({ maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom("a", 1), tie("any")), { maxLength: 2 }).map((entries) => new Map(entries)),
  ),
})).any;

describe("isSameData", () => {
  test("any two pieces of plain data: as isDeepStrictEqual", () => {
    fc.assert(fc.property(plain, plain, (a, b) => isSameData(a, b) === isDeepStrictEqual(a, b)));
  });

  test("a copy is the same, whatever the order of its names", () => {
    fc.assert(
      fc.property(plain, (value) => {
        assert.equal(isSameData(value, structuredClone(value)), true);
      }),
    );
    assert.equal(isSameData({ a: 1, b: [2] }, { b: [2], a: 1 }), true);
  });

  test("a name that is missing is not one that is undefined", () => {
    assert.equal(isSameData({ a: undefined }, {}), false);
    assert.equal(isSameData({ a: undefined }, { b: undefined }), false);
  });

  test("bytes and maps are compared by what they hold", () => {
    assert.equal(isSameData(Buffer.from("ab"), Buffer.from("ab")), true);
    assert.equal(isSameData(Buffer.from("ab"), Buffer.from("ac")), false);
    assert.equal(isSameData({ files: new Map() }, { files: new Map() }), true);
    assert.equal(isSameData(new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]])), true);
    assert.equal(isSameData(new Map([["a", undefined]]), new Map([["b", undefined]])), false);
  });

  test("any other class is the same as itself only", () => {
    const pattern = /a/;
    assert.equal(isSameData({ pattern }, { pattern }), true);
    assert.equal(isSameData(/a/, /b/), false);
    assert.equal(isSameData(new Date(0), new Date(0)), false);
  });

  test("an array is not an object with numbers", () => {
    assert.equal(isSameData(["a"], { 0: "a" }), false);
    assert.equal(isSameData([], {}), false);
  });
});
