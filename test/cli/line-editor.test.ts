import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyDecoder } from "../../appliance/cli/key.ts";
import { LineEditor } from "../../appliance/cli/line-editor.ts";
import { Screen } from "../support/screen.ts";

const PROMPT = "culvert# ";
const COLUMNS = 40;

/** An editor at a terminal; `type` returns the lines that were entered. */
class Desk {
  readonly editor = new LineEditor();
  readonly screen = new Screen(COLUMNS);
  readonly #decoder = new KeyDecoder();
  readonly #echo: boolean;

  constructor(echo = true) {
    this.#echo = echo;
    this.#begin();
  }
  type(text: string): string[] {
    const lines: string[] = [];
    for (const key of this.#decoder.keys(Buffer.from(text))) {
      const { output, event } = this.editor.press(key);
      this.screen.write(output);
      if (event !== "line") continue;
      lines.push(this.editor.text);
      this.#begin();
    }
    return lines;
  }
  /** What typing this costs on the line. */
  cost(text: string): number {
    const before = this.screen.bytes;
    this.type(text);
    return this.screen.bytes - before;
  }
  /** Everything the person sees in the line, when it is short enough to be seen whole. */
  assertShown(text: string, cursor: number): void {
    assert.equal(this.editor.text, text);
    assert.equal(this.screen.line, PROMPT + text);
    assert.equal(this.screen.cursor, PROMPT.length + cursor);
  }
  #begin(): void {
    this.screen.write(this.editor.begin(PROMPT, { columns: COLUMNS, echo: this.#echo, remember: true }));
  }
}

/** [keys, what stands in the line, where the cursor is]. */
const EDITS: readonly (readonly [string, string, number])[] = [
  ["abc", "abc", 3],
  ["abc\x1b[D\x1b[DX", "aXbc", 2],
  ["abc\x1b[D\b", "ac", 1],
  ["abc\x01\x1b[3~", "bc", 0],
  ["abc\x01X\x05Y", "XabcY", 5],
  ["set vpn  server\x17", "set vpn  ", 9],
  ["set vpn  \x17", "set ", 4],
  ["set vpn\x1b[D\x1b[D\x17", "set pn", 4],
  ["abc def\x1b[D\x1b[D\x15", "ef", 0],
  ["abc def\x01\x06\x06\x0b", "ab", 2],
  ["abc\x01\x04", "bc", 0],
  ["\b\x1b[D\x1b[C\x1b[A\x1b[B\x15\x0b\x17\x1b[3~", "", 0],
  ["häß€\x1b[D\x1b[D\b", "hß€", 1],
];
for (const [keys, text, cursor] of EDITS) {
  test(`${JSON.stringify(keys)} is "${text}"`, () => {
    const desk = new Desk();
    desk.type(keys);
    desk.assertShown(text, cursor);
  });
}

test("the history gives back earlier lines, once each, and keeps the one being typed", () => {
  const desk = new Desk();
  desk.type("one\rtwo\rtwo\r  \rthr");
  desk.type("\x1b[A");
  desk.assertShown("two", 3);
  desk.type("\x1b[A\x1b[A");
  desk.assertShown("one", 3);
  desk.type("X\x1b[B\x1b[B\x1b[B");
  desk.assertShown("thr", 3);
  assert.deepEqual(desk.type("\x1b[A\x1b[A\r"), ["one"]);
});

test("a password is neither shown nor remembered", () => {
  const desk = new Desk();
  desk.screen.write(desk.editor.begin("", { columns: COLUMNS, echo: false, remember: false }));
  const before = desk.screen.bytes;
  assert.deepEqual(desk.type("s3cret\x1b[D\bx\r"), ["s3crxt"]);
  assert.ok(desk.screen.bytes - before <= 1 + PROMPT.length);
  desk.type("\x1b[A");
  assert.equal(desk.editor.text, "");
});

test("a keystroke costs few bytes, wherever it falls: at 9600 baud one takes a millisecond", () => {
  const desk = new Desk();
  assert.equal(desk.cost("set vpn server mtu"), 18);
  assert.ok(desk.cost("\x1b[D") <= 1);
  assert.ok(desk.cost("\x01") <= 5);
  assert.ok(desk.cost("x") <= 6, "inserting at the beginning");
  assert.ok(desk.cost("\b") <= 6, "erasing at the beginning");
  assert.ok(desk.cost("\x05") <= 5);
  assert.ok(desk.cost("\x17") <= 7, "erasing a word");
});

test("a line longer than the screen is seen through a window around the cursor", () => {
  const desk = new Desk();
  const long = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i).repeat(4)).join("");
  desk.type(long);
  assert.equal(desk.editor.text, long);
  assert.ok(desk.screen.line.endsWith("zzzz"));
  desk.type("\x01");
  assert.ok(desk.screen.line.startsWith(`${PROMPT}aaaabbbb`));
  assert.deepEqual(desk.type("\r"), [long]);
});

test("a line has an end: more is refused with a bell", () => {
  const desk = new Desk();
  desk.type("x".repeat(2000));
  assert.equal(desk.editor.text.length, 1000);
});

test("after any keys the screen shows the text around the cursor, with the cursor in its place", () => {
  const key = fc.constantFrom(
    ..."abc d\x01\x05\x15\x17\x0b\b\r\x04",
    ...["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~", "xyzxyzxyzxyz", "aaaaaaaaaaaaaaaaaaaaaaaa"],
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 60 }), (keys) => {
      const desk = new Desk();
      for (const each of keys) {
        desk.type(each);
        const shown = desk.screen.line.slice(PROMPT.length);
        const at = desk.screen.cursor - PROMPT.length;
        const { text, beforeCursor } = desk.editor;
        assert.ok(desk.screen.line.startsWith(PROMPT.slice(0, desk.screen.line.length)));
        assert.ok(beforeCursor.endsWith(shown.slice(0, at)), `${JSON.stringify(shown)} at ${at}, but "${text}"`);
        assert.ok(
          text.slice(beforeCursor.length).startsWith(shown.slice(at)),
          `${JSON.stringify(shown)}, but "${text}"`,
        );
        if (text.length < COLUMNS - PROMPT.length) assert.equal(shown, text);
      }
    }),
    { numRuns: 3000 },
  );
});
