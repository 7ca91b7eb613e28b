/** Debian versions are ordered as dpkg orders them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compareDebVersions, sourceVersion } from "../../image/deb-version.ts";

/** Each is older than the next. */
const ASCENDING = [
  "0~~",
  "0~~a",
  "0~",
  "0",
  "0a",
  "0+",
  "0.0",
  "1.2~rc1-1",
  "1.2-1",
  "1.2-1+b1",
  "1.2-1+deb12u1",
  "1.10-0",
  "1:0.1",
  "1:0.1-1.1",
];

describe("Debian versions", () => {
  test("stand in order", () => {
    for (const [at, older] of ASCENDING.entries())
      for (const newer of ASCENDING.slice(at + 1)) {
        assert.ok(compareDebVersions(older, newer) < 0, `${older} < ${newer}`);
        assert.ok(compareDebVersions(newer, older) > 0, `${newer} > ${older}`);
      }
  });

  test("leading zeros mean nothing, long numbers keep all their digits", () => {
    assert.equal(compareDebVersions("0:1.002-0", "1.2"), 0);
    assert.ok(compareDebVersions("20260101000000000001-1", "20260101000000000002-1") < 0);
  });

  test("dpkg agrees on any two", () => {
    const part = fc.stringMatching(/^[0-9][0-9a-zA-Z.+~]{0,6}$/);
    const version = fc
      .tuple(fc.constantFrom("", "0:", "1:"), part, fc.constantFrom("", "-1", "-1~bpo", "-0+b2", "-a"))
      .map((all) => all.join(""));
    fc.assert(
      fc.property(version, version, (a, b) => {
        const difference = compareDebVersions(a, b);
        const relation = difference < 0 ? "lt" : difference > 0 ? "gt" : "eq";
        execFileSync("dpkg", ["--compare-versions", a, relation, b]);
      }),
      { numRuns: 60 },
    );
  });

  test("a rebuild has its source's version", () => {
    assert.deepEqual(["1.0-1+b12", "1.0-1+deb12u1", "1.0-1+deb12u1+b1"].map(sourceVersion), [
      "1.0-1",
      "1.0-1+deb12u1",
      "1.0-1+deb12u1",
    ]);
  });
});
