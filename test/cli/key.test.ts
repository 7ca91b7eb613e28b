import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyDecoder } from "../../appliance/cli/key.ts";

const keys = (...pieces: readonly (string | Buffer)[]): string[] => {
  const decoder = new KeyDecoder();
  return pieces.flatMap((piece) =>
    decoder.keys(Buffer.from(piece)).map((key) => (key.key === "text" ? `'${key.text}` : key.key)),
  );
};

test("Enter is \\r, \\n or both, and only one press", () => {
  assert.deepEqual(keys("a\rb\nc\r\nd\r", "\ne\r\r\n\n"), [
    ..."'a enter 'b enter 'c enter 'd enter 'e enter enter enter".split(" "),
  ]);
});

test("arrows and friends of VT100, xterm, Linux and PuTTY", () => {
  assert.deepEqual(keys("\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F"), ["up", "down", "right", "left", "home", "end"]);
  assert.deepEqual(keys("\x1bOA\x1bOH\x1bOF"), ["up", "home", "end"]);
  assert.deepEqual(keys("\x1b[1~\x1b[3~\x1b[4~\x1b[7~\x1b[8~"), ["home", "delete", "end", "home", "end"]);
});

test("the control keys", () => {
  assert.deepEqual(keys("\x01\x05\x15\x17\x0b\x03\x04\x0c\t\b\x7f\x10\x0e\x02\x06"), [
    ..."home end erase-line erase-word erase-to-end interrupt end-of-input redraw tab".split(" "),
    ..."backspace backspace up down left right".split(" "),
  ]);
});

test("unknown sequences and control characters are no keys, and what follows is not lost", () => {
  assert.deepEqual(keys("\x1b[5~a\x1b[1;5Cb\x1b[200~c\x00\x1f\x1bxd"), ["'a", "'b", "'c", "'x", "'d"]);
  assert.deepEqual(keys(`\x1b[${"1;".repeat(20)}x`).slice(-1), ["'x"]);
});

test("a character or a sequence may come in pieces of any size", () =>
  fc.assert(
    fc.property(fc.array(fc.constantFrom("ä", "€", "😀", "x", "\x1b[A", "\x1b[3~", "\r\n", "\t")), (words) => {
      const bytes = Buffer.from(words.join(""));
      assert.deepEqual(keys(...Array.from(bytes, (byte) => Buffer.from([byte]))), keys(bytes));
    }),
  ));

test("never throws, whatever the bytes", () =>
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20 })),
      (pieces) => void keys(...pieces.map((p) => Buffer.from(p))),
    ),
  ));
