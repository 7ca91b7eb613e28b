/** The app's start with V8's code cache: it is made, used, and whatever happens to it the app runs. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { projectRoot } from "../../image/project.ts";
import { scratchFolder, writeAt } from "./fixture.ts";

const START = join(projectRoot, "image/rootfs/usr/lib/culvert/start.cjs");
const APP = `
function late(n) { return n * 2; }
const { readFileSync } = require("node:fs");
console.log("app", late(21), typeof readFileSync, __filename, module.exports === exports);
`;

interface Outcome {
  readonly app: string;
  readonly notes: readonly string[];
}

function identityOf(app: string): string {
  return createHash("sha256").update(app).digest("hex").slice(0, 32);
}

/** Runs the app in a process of its own, as the device does, and waits until the cache is made. */
function run(folder: string, app = APP, flags: readonly string[] = []): Outcome {
  writeAt(join(folder, "app.cjs"), app);
  const script = `require(${JSON.stringify(START)}).start({
    app: ${JSON.stringify(join(folder, "app.cjs"))}, identity: ${JSON.stringify(identityOf(app))}, folder: ${JSON.stringify(join(folder, "cache"))}, laterMs: 0,
    note: (level, text) => console.log("note", level, text),
  });
  setTimeout(() => {}, 0); // due after the one that makes the cache, which keeps nobody alive`;
  const lines = execFileSync(process.execPath, [...flags, "-e", script], { encoding: "utf8" })
    .trim()
    .split("\n");
  return {
    app: lines.find((line) => line.startsWith("app ")) ?? "",
    notes: lines.filter((line) => line.startsWith("note ")).map((line) => line.slice(5)),
  };
}

function cacheFile(folder: string): string {
  const [name, ...others] = readdirSync(join(folder, "cache"));
  assert.deepEqual(others, []);
  return join(folder, "cache", name ?? "");
}

const MADE = /^info code cache made, \d+ kB: the next start is faster$/;

describe("start with the code cache", () => {
  test("the first start makes it, the second uses it and makes none", () => {
    const folder = scratchFolder();
    const first = run(folder);
    assert.equal(first.app, `app 42 function ${join(folder, "app.cjs")} true`);
    assert.equal(first.notes.length, 1);
    assert.match(first.notes[0] ?? "", MADE);
    const made = readFileSync(cacheFile(folder));
    const second = run(folder);
    assert.deepEqual(second, { app: first.app, notes: ["info started from the code cache"] });
    assert.deepEqual(readFileSync(cacheFile(folder)), made);
  });

  test("another app has another cache; two are kept, the oldest goes", () => {
    const folder = scratchFolder();
    run(folder);
    const first = cacheFile(folder);
    utimesSync(first, 1, 1);
    assert.match(run(folder, `${APP}// 2`).notes.join(), MADE);
    assert.match(run(folder, `${APP}// 3`).notes.join(), MADE);
    const names = readdirSync(join(folder, "cache"));
    assert.equal(names.length, 2);
    assert.ok(!names.includes(basename(first)));
  });

  const DAMAGE: readonly [string, (file: string) => void][] = [
    ["cut by a power loss", (file) => truncateSync(file, 1000)],
    ["emptied", (file) => truncateSync(file, 0)],
    [
      "flipped in one bit",
      (file) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
        writeFileSync(file, bytes);
      },
    ],
  ];
  for (const [what, damage] of DAMAGE) {
    test(`a cache ${what} is told and made again, and the app runs`, () => {
      const folder = scratchFolder();
      run(folder);
      damage(cacheFile(folder));
      const { app, notes } = run(folder);
      assert.match(app, /^app 42 /);
      assert.equal(notes[0], "warning the code cache is damaged: this start took longer");
      assert.match(notes[1] ?? "", MADE);
      assert.deepEqual(run(folder).notes, ["info started from the code cache"]);
    });
  }

  test("a cache that V8 refuses is a warning, and a new one is made", () => {
    const folder = scratchFolder();
    run(folder);
    const file = cacheFile(folder);
    // What another V8 made, under the right name and with the right hash.
    const other = scratchFolder();
    run(other, APP, ["--no-lazy"]);
    writeFileSync(file, readFileSync(cacheFile(other)));
    const { app, notes } = run(folder);
    assert.match(app, /^app 42 /);
    assert.equal(notes[0], "warning V8 refused the code cache: this start took longer, a new one is made");
    assert.match(notes[1] ?? "", MADE);
  });

  test("where it cannot be written or read the app runs all the same", () => {
    const folder = scratchFolder();
    writeAt(join(folder, "cache"), "a file where the folder should be");
    const { app, notes } = run(folder);
    assert.match(app, /^app 42 /);
    assert.match(notes.join(), /the code cache cannot be read: ENOTDIR[\s\S]*no code cache: .*: starts take longer/);
    const readOnly = scratchFolder();
    mkdirSync(join(readOnly, "cache"));
    chmodSync(join(readOnly, "cache"), 0o500);
    assert.match(run(readOnly).app, /^app 42 /);
  });

  test("large modules of Node stand in until they are touched, and are whole then", () => {
    const app = `
      const net = require("node:net");
      const { inspect } = require("node:util");
      const loaded = () => process.moduleLoadList.includes("NativeModule net");
      const before = loaded();
      const isIp = net.isIP("::1");
      console.log("app", before, isIp, loaded(), typeof net.createServer, Object.getPrototypeOf(net) === Object.prototype,
        Object.keys(net).length > 10, new (class extends net.Socket {})() instanceof net.Socket);`;
    assert.equal(run(scratchFolder(), app).app, "app false 6 true function true true true");
  });

  test("node:process is the process, and asking for it opens no stream", () => {
    const app = `
      const own = require("node:process");
      const { get } = Object.getOwnPropertyDescriptor(process, "stdin");
      const before = process.moduleLoadList.includes("NativeModule tty");
      console.log("app", own === process, typeof get, before);`;
    assert.equal(run(scratchFolder(), app).app, "app true function false");
  });

  test("an app that throws is not hidden", () => {
    assert.throws(() => run(scratchFolder(), "throw new Error('app broke')"), /app\.cjs[\s\S]*app broke/);
  });
});
