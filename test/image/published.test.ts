/** Comparing with a published image: equal but for signature and keys, or which input is not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ImageError } from "../../image/failure.ts";
import type { Manifest } from "../../image/manifest.ts";
import { comparePublished, parsePublished } from "../../image/published.ts";

const NODE = {
  name: "nodejs",
  package: "nodejs",
  version: "18.20.4",
  architecture: "amd64",
  source: "nodejs",
  size: 1,
};

function manifestWith(sha256_unsigned: string, changes: Partial<Manifest> = {}): Manifest {
  return {
    ...{ format: 1, board: "x86_64", version: "0.1.0", key: "k", commit: "abc", unlocked: false, epoch: 0 },
    tools: { gcc: "gcc 12.2.0" },
    packages: [{ ...NODE, sha256: "a".repeat(64) }],
    app: { "culvert.cjs": { size: 1, sha256: "b".repeat(64) } },
    // Signed with another key, so another disk.
    files: { "culvert-x86_64.img": { size: 1, sha256: `${sha256_unsigned}-signed`, sha256_unsigned } },
    ...changes,
  };
}

function publish(manifest: Manifest): ReturnType<typeof parsePublished> {
  return parsePublished(JSON.stringify(manifest), "manifest.json");
}

describe("a published image", () => {
  test("with the same sha256_unsigned it is the same, whoever signed it", () => {
    const files = { "culvert-x86_64.img": { size: 1, sha256: "other", sha256_unsigned: "1" } };
    const { same, lines } = comparePublished(manifestWith("1"), publish(manifestWith("1", { files })));
    assert.equal(same, true);
    assert.deepEqual(lines, ["sha256_unsigned 1"]);
  });

  test("of other inputs: each is named with both values", () => {
    const other = manifestWith("2", {
      commit: undefined,
      tools: { gcc: "gcc 13.2.0" },
      packages: [],
      app: { "culvert.cjs": { size: 1, sha256: "c".repeat(64) } },
    });
    const { same, lines } = comparePublished(manifestWith("1"), publish(other));
    assert.equal(same, false);
    assert.deepEqual(lines, [
      "sha256_unsigned 1 here, 2 published",
      "  commit: abc here, unknown published",
      "  package nodejs: 18.20.4 (aaaaaaaaaaaa) here, none published",
      "  tool gcc: gcc 12.2.0 here, gcc 13.2.0 published",
      "  app file culvert.cjs: bbbbbbbbbbbb here, cccccccccccc published",
    ]);
  });

  test("of the same inputs and yet another one is told so", () => {
    const { lines } = comparePublished(manifestWith("1"), publish(manifestWith("2")));
    assert.match(lines[1] ?? "", /the recorded inputs are the same/);
  });

  test("of another board, or without a disk, is refused with what to do", () => {
    assert.throws(
      () => comparePublished(manifestWith("1"), publish(manifestWith("1", { board: "arm64" }))),
      /^ImageError: the published manifest is of board arm64, not x86_64: give --board$/,
    );
    assert.throws(
      () => comparePublished(manifestWith("1"), publish(manifestWith("1", { files: {} }))),
      /the published manifest has no file with sha256_unsigned/,
    );
  });

  test("a file that is no manifest is refused, the wrong field named", () => {
    assert.throws(() => parsePublished("{", "m.json"), /m\.json is not JSON/);
    const text = JSON.stringify({ ...manifestWith("1"), epoch: "now" });
    assert.throws(() => parsePublished(text, "m.json"), /m\.json is not the manifest\.json of an image: epoch: /);
  });

  test("any bytes are a manifest or an ImageError", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        assert.throws(() => parsePublished(text, "m.json"), ImageError);
      }),
    );
  });
});
