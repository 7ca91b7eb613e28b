/** A process that ends because of an error of its own, as a process of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { projectRoot } from "../../image/project.ts";

const MODULE = pathToFileURL(join(projectRoot, "dist/appliance/linux/last-words.js"));

/** Runs `body` in a process that prints what it is told, and has status 70 when it ends because of an error. */
function run(close: string, body: string): { status: number | null; said: string; tookMs: number } {
  const program = `
    import { endOnError } from ${JSON.stringify(MODULE.href)};
    endOnError(70, (error) => console.log("crashed", String(error)), ${close});
    setInterval(() => {}, 1000);
    ${body}`;
  const startedMs = performance.now();
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 20_000,
  });
  return { status, said: stdout, tookMs: performance.now() - startedMs };
}
const CLOSES = `async () => { await null; console.log("closed"); }`;

test("an exception that nobody catches: it is told, what is open is closed, and the process ends", () => {
  const ended = run(CLOSES, `setTimeout(() => { throw new Error("bug"); }, 1);`);
  assert.deepEqual([ended.status, ended.said], [70, "crashed Error: bug\nclosed\n"]);
});

test("a promise that nobody waits for is the same", () => {
  const ended = run(CLOSES, `void Promise.reject(new Error("lost"));`);
  assert.deepEqual([ended.status, ended.said], [70, "crashed Error: lost\nclosed\n"]);
});

test("a close that fails, or throws, ends the process all the same", () => {
  for (const close of [`() => Promise.reject(new Error("no"))`, `() => { throw new Error("no"); }`]) {
    const ended = run(close, `throw new Error("bug");`);
    assert.deepEqual([ended.status, ended.said], [70, "crashed Error: bug\n"], close);
  }
});

test("a close that never ends is given two seconds", () => {
  const ended = run(`() => new Promise(() => {})`, `throw new Error("bug");`);
  assert.deepEqual([ended.status, ended.said], [70, "crashed Error: bug\n"]);
  assert.ok(ended.tookMs >= 2000 && ended.tookMs < 15_000, `${ended.tookMs} ms`);
});

test("a second error while it closes ends it at once", () => {
  const ended = run(
    `() => new Promise(() => {})`,
    `setTimeout(() => { throw new Error("second"); }, 10); throw new Error("first");`,
  );
  assert.deepEqual([ended.status, ended.said], [70, "crashed Error: first\n"]);
});
