/** A person at a terminal that a test plays, on a line that a test plays. */
import assert from "node:assert/strict";
import { Duplex, PassThrough } from "node:stream";
import { test } from "node:test";
import { attach } from "../../hil/console/attach.ts";

class PlayedLine extends Duplex {
  typed = "";
  override _read(): void {}
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.typed += bytes.toString("latin1");
    done();
  }
}

function desk() {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
  const output = new PassThrough();
  const line = new PlayedLine();
  return { input, output, line, modes, left: attach(line, { input, output }) };
}

test("keys go to the line up to Ctrl-], and the terminal is as it was", async () => {
  const { input, line, modes, left } = desk();
  input.write("ab");
  input.write("c\x1dd");
  assert.equal(await left, "by-key");
  assert.equal(line.typed, "abc");
  assert.deepEqual(modes, [true, false]);
  assert.equal(line.destroyed, false);
});

test("what the line says is on the screen, and others hear it too", async () => {
  const { input, output, line, left } = desk();
  let heard = "";
  line.on("data", (bytes: Buffer) => {
    heard += bytes.toString();
  });
  line.push("boot\r\n");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(String(output.read()), "boot\r\n");
  assert.equal(heard, "boot\r\n");
  input.end();
  assert.equal(await left, "input-ended");
});

test("a line that goes away leaves the person at his own shell", async () => {
  const { line, modes, left } = desk();
  line.destroy(new Error("pulled"));
  assert.equal(await left, "line-ended");
  assert.deepEqual(modes, [true, false]);
});
