/** What a shell makes of a word is the text that it was made of. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { shellWord } from "../../hil/shell-word.ts";

test("any texts are read by sh as they were", () => {
  const text = fc.string({ unit: fc.constantFrom("'", '"', "\\", "$", "`", " ", "\n", "!", "*", "~", "#", "a", "é") });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), (words) => {
      const script = words.map((word) => `printf '%s\\0' ${shellWord(word)}`).join("\n");
      assert.deepEqual(execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1), words);
    }),
    { numRuns: 30 },
  );
});

test("a plain word stays as it is", () => {
  assert.equal(shellWord("/dev/ttyUSB0"), "/dev/ttyUSB0");
  assert.equal(shellWord(""), "''");
});
