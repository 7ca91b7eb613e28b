/** packages.lock.json: reading, writing, and what is said about a damaged one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { emitLock, type Lock, lockDate, parseLock } from "../../image/lock.ts";
import { lockFile } from "../../image/project.ts";

const ENTRY = {
  name: "linux-image-amd64",
  package: "linux-image-6.1.0-56-amd64",
  version: "6.1.192-2",
  architecture: "amd64",
  source: "linux-signed-amd64",
  size: 68_000_000,
  sha256: "a".repeat(64),
};
const LOCK: Lock = { suite: "bookworm", date: "2026-11-22T23:50:02Z", packages: [ENTRY] };

/** The lock's text after a change that a careless hand could make. */
function damaged(change: (lock: Record<string, unknown>, entry: Record<string, unknown>) => void): string {
  const entry: Record<string, unknown> = { ...ENTRY };
  const lock: Record<string, unknown> = { format: 1, ...LOCK, packages: [entry] };
  change(lock, entry);
  return JSON.stringify(lock);
}

describe("the package lock", () => {
  test("what is written is read back", () => {
    assert.deepEqual(parseLock(emitLock(LOCK)), LOCK);
  });

  test("packages are written in order of their names", () => {
    const zlib = { ...ENTRY, name: "zlib1g", package: "zlib1g" };
    assert.equal(emitLock({ ...LOCK, packages: [zlib, ENTRY] }), emitLock({ ...LOCK, packages: [ENTRY, zlib] }));
  });

  test("its date stays when packages are added, and is today's when one changes or goes", () => {
    const now = new Date("2026-12-01T10:00:00.5Z");
    const added = { ...ENTRY, name: "zlib1g", package: "zlib1g", sha256: "b".repeat(64) };
    assert.equal(lockDate(LOCK, [added, ENTRY], now), LOCK.date);
    assert.equal(lockDate(LOCK, [{ ...ENTRY, sha256: "c".repeat(64) }, added], now), "2026-12-01T10:00:00Z");
    assert.equal(lockDate(LOCK, [added], now), "2026-12-01T10:00:00Z");
    assert.equal(lockDate({ ...LOCK, date: "", packages: [] }, [ENTRY], now), "2026-12-01T10:00:00Z");
  });

  test("one package may be locked for two architectures", () => {
    const arm = { ...ENTRY, architecture: "arm64" };
    assert.equal(parseLock(emitLock({ ...LOCK, packages: [ENTRY, arm] })).packages.length, 2);
  });

  const mistakes: readonly [string, string, RegExp][] = [
    ["no JSON", "{", /not JSON/],
    ["a list", "[]", /the lock is not an object/],
    ["another format", damaged((lock) => Object.assign(lock, { format: 2 })), /format is 2, this builder reads 1/],
    ["no date", damaged((lock) => delete lock["date"]), /date is not like/],
    ["no packages", damaged((lock) => delete lock["packages"]), /packages is not a list/],
    [
      "a short hash",
      damaged((_, entry) => Object.assign(entry, { sha256: "abc" })),
      /packages\[0\] \(linux-image-amd64\)\.sha256 is "abc"/,
    ],
    ["no version", damaged((_, entry) => delete entry["version"]), /\.version is missing/],
    [
      "an option as version",
      damaged((_, entry) => Object.assign(entry, { version: "1 -o X=y" })),
      /\.version is "1 -o X=y"/,
    ],
    ["a name with a slash", damaged((_, entry) => Object.assign(entry, { package: "../x" })), /\.package is/],
    ["size zero", damaged((_, entry) => Object.assign(entry, { size: 0 })), /\.size is not a number of bytes/],
    ["a package twice", damaged((lock, entry) => Object.assign(lock, { packages: [entry, entry] })), /is listed twice/],
  ];
  for (const [what, text, expected] of mistakes) {
    test(`${what} is refused with its place`, () => {
      assert.throws(() => parseLock(text), expected);
    });
  }

  test("the project's own lock is in the form that a refresh writes, and names no mirror", () => {
    const text = readFileSync(lockFile, "utf8");
    assert.equal(text, emitLock(parseLock(text)));
    assert.doesNotMatch(text, /https?:|\/\//);
  });
});
