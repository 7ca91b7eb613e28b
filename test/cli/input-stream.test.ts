import assert from "node:assert/strict";
import { test } from "node:test";
import { InputStream, linesOf } from "../../appliance/cli/input-stream.ts";

async function* pieces(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    await Promise.resolve();
    yield part;
  }
}
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a reader gets every piece in order, and more is asked for only when it has taken everything", async () => {
  let asked = 0;
  const input = new InputStream(() => asked++);
  input.push(Buffer.from("one"));
  input.push(Buffer.from("two"));
  const reader = input[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value?.toString(), "one");
  assert.equal((await reader.next()).value?.toString(), "two");
  assert.equal(asked, 0);
  const third = reader.next();
  await Promise.resolve();
  assert.equal(asked, 1);
  input.push(Buffer.from("three"));
  assert.equal((await third).value?.toString(), "three");
  input.push(Buffer.from("four"));
  input.end();
  assert.equal((await reader.next()).value?.toString(), "four");
  assert.equal((await reader.next()).done, true);
});

test("a cut is an error, after what had come before it; a cut after the end is none", async () => {
  const input = new InputStream(() => {});
  input.push(Buffer.from("half a fi"));
  input.cut();
  const reader = input[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value?.toString(), "half a fi");
  await assert.rejects(reader.next(), { message: "the connection was cut before the input ended" });
  const whole = new InputStream(() => {});
  whole.end();
  whole.cut();
  assert.deepEqual(await all(whole), []);
});

test("lines are found in any cut, with either ending; the last needs none", async () => {
  const text = Buffer.from("one\r\n\ntwo ü\nthree");
  for (let cut = 0; cut <= text.length; cut++)
    assert.deepEqual(await all(linesOf(pieces(text.subarray(0, cut), text.subarray(cut)), 100)), [
      "one",
      "",
      "two ü",
      "three",
    ]);
  await assert.rejects(all(linesOf(pieces(Buffer.alloc(60, "x"), Buffer.alloc(60, "x")), 100)), /more than 100 bytes/);
});
