/** A person at a terminal that a test plays, on a line that a test plays. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { attach } from "../../hil/console/attach.ts";
import { fakeConsole } from "./fake-line.ts";

function desk() {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
  const output = new PassThrough();
  const { line, console, events } = fakeConsole("router");
  let typed = "";
  line.typed = (text) => {
    typed += text;
  };
  const left = attach(console, { input, output });
  return { input, output, line, console, events, modes, left, typed: () => typed };
}

test("keys go to the line up to Ctrl-], into the journal too, and the terminal is as it was", async () => {
  const { input, line, events, modes, left, typed } = desk();
  input.write(Buffer.from([0x61, 0xff]));
  input.write("c\x1dd");
  assert.equal(await left, "by-key");
  assert.equal(typed(), "a\xffc");
  const journaled = events.flatMap((event) =>
    event.kind === "console" && event.direction === "tx" ? [event.text] : [],
  );
  assert.equal(journaled.join(""), "a\xffc");
  assert.deepEqual(modes, [true, false]);
  assert.equal(line.destroyed, false);
  line.say("nobody looks any more");
});

test("what the line says is on the screen byte by byte, and the one who waits hears it too", async () => {
  const { input, output, line, console, left } = desk();
  const asked = console.expect({ login: "login: " }, { withinMs: 1000, reason: "the login prompt" });
  line.say("\xfflogin: ");
  assert.equal((await asked).before, "\xff");
  assert.deepEqual(output.read(), Buffer.from("\xfflogin: ", "latin1"));
  input.end();
  assert.equal(await left, "input-ended");
  line.say("more");
  assert.equal(output.read(), null);
});

test("a line that goes away leaves the person at his own shell", async () => {
  const { line, modes, left } = desk();
  line.destroy(new Error("pulled"));
  assert.equal(await left, "line-ended");
  assert.deepEqual(modes, [true, false]);
});
