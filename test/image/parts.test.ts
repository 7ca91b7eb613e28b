/** Small parts of the image builder: busybox' applets, bzImage, content keys, folders, turns, project root. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { appletNames } from "../../image/busybox.ts";
import { plainKernel } from "../../image/bzimage.ts";
import { contentKey } from "../../image/content-key.ts";
import { inTurn } from "../../image/in-turn.ts";
import { fillFolder, fillOnce, keepNewest } from "../../image/output-folder.ts";
import { formatSize } from "../../image/progress.ts";
import { findProjectRoot, projectRoot } from "../../image/project.ts";
import { StepPrinter } from "../../image/step-printer.ts";
import { scratchFolder, writeAt } from "./fixture.ts";

test("busybox: applets are the strings of its table, itself left out", () => {
  const binary = Buffer.from("junk\0[\0[[\0ash\0busybox\0zcat\0\0/var/log\0", "latin1");
  assert.deepEqual(appletNames(binary), ["[", "[[", "ash", "zcat"]);
  assert.throws(() => appletNames(Buffer.from("junk")), /no table of applets/);
});

describe("bzImage", () => {
  const kernel = readFileSync("/bin/sh");

  /** A boot sector, three sectors of real mode code, 100 bytes, then the payload. */
  function bzImage(payload: Buffer): Buffer {
    const setup = Buffer.alloc(4 * 512 + 100);
    setup.writeUInt8(3, 0x1f1);
    setup.write("HdrS", 0x202, "latin1");
    setup.writeUInt16LE(0x20f, 0x206);
    setup.writeUInt32LE(100, 0x248);
    setup.writeUInt32LE(payload.length + 4, 0x24c);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(kernel.length);
    return Buffer.concat([setup, payload, size, Buffer.from("what follows the payload")]);
  }

  test("the kernel inside comes out", async () => {
    assert.deepEqual(await plainKernel(bzImage(gzipSync(kernel))), kernel);
  });

  test("what is not understood is refused", async () => {
    await assert.rejects(plainKernel(kernel), /not a bzImage/);
    await assert.rejects(plainKernel(bzImage(Buffer.from("LZ4 or so"))), /compressed in an unknown way/);
    await assert.rejects(plainKernel(bzImage(gzipSync("not a kernel"))), /holds no ELF kernel/);
  });
});

test("content keys: where one part ends matters", () => {
  assert.notEqual(contentKey(["ab", "c"]), contentKey(["a", "bc"]));
  assert.equal(contentKey(["a", Buffer.from("b")]), contentKey(["a", "b"]));
});

describe("output folder", () => {
  test("takes the place of the old one when it is complete", async () => {
    const folder = join(scratchFolder(), "out");
    writeAt(join(folder, "old"), "");
    await fillFolder(folder, (partial) => Promise.resolve(writeFileSync(join(partial, "new"), "")));
    assert.deepEqual(readdirSync(folder), ["new"]);
  });

  test("named by its content: what another process put there meanwhile stays, for it may be read", async () => {
    const parent = scratchFolder();
    const folder = join(parent, "key");
    await fillOnce(folder, (partial) => {
      writeAt(join(folder, "theirs"), "");
      return Promise.resolve(writeFileSync(join(partial, "ours"), ""));
    });
    assert.deepEqual(readdirSync(folder), ["theirs"]);
    assert.deepEqual(readdirSync(parent), ["key"], "nothing of ours is left");
    await fillOnce(join(parent, "other"), (partial) => Promise.resolve(writeFileSync(join(partial, "ours"), "")));
    assert.deepEqual(readdirSync(join(parent, "other")), ["ours"]);
  });

  test("leaves the old one and no remains when making it fails", async () => {
    const parent = scratchFolder();
    writeAt(join(parent, "out/old"), "");
    await assert.rejects(
      fillFolder(join(parent, "out"), () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.deepEqual(readdirSync(parent), ["out"]);
    assert.ok(existsSync(join(parent, "out/old")));
  });
});

test("of many results the newest are kept, and nothing with another name goes", async () => {
  const parent = scratchFolder();
  for (const [age, name] of ["peer-c", "peer-a", "peer-b", "peer-two-a"].entries()) {
    writeAt(join(parent, name, "file"), "");
    utimesSync(join(parent, name), 1000 - age, 1000 - age);
  }
  await keepNewest(parent, /^peer-[a-z]$/, 2);
  assert.deepEqual(readdirSync(parent).sort(), ["peer-a", "peer-c", "peer-two-a"]);
});

test("in turn: calls of one name do not overlap, and a failed one does not stop the next", async () => {
  const events: string[] = [];
  const call = (name: string, fails: boolean) => async (): Promise<void> => {
    events.push(`${name} begins`);
    await Promise.resolve();
    events.push(`${name} ends`);
    if (fails) throw new Error(name);
  };
  const results = await Promise.allSettled([inTurn("x", call("first", true)), inTurn("x", call("second", false))]);
  assert.deepEqual(events, ["first begins", "first ends", "second begins", "second ends"]);
  assert.deepEqual(
    results.map((result) => result.status),
    ["rejected", "fulfilled"],
  );
});

describe("project root", () => {
  test("is the folder of culvert's package.json, above folders with others", () => {
    const folder = scratchFolder();
    writeAt(join(folder, "package.json"), '{ "name": "culvert" }');
    writeAt(join(folder, "inner/package.json"), '{ "name": "other" }');
    assert.equal(findProjectRoot(join(folder, "inner")), folder);
    assert.ok(existsSync(join(projectRoot, "image/packages.lock.json")));
  });

  test("a place outside a checkout is said to be one", () => {
    assert.throws(() => findProjectRoot("/"), /no package.json named "culvert" at or above \//);
  });
});

test("sizes are written as people read them", () => {
  assert.deepEqual([999, 41_400, 71_249_000].map(formatSize), ["999 B", "41 kB", "71.2 MB"]);
});

describe("step printer", () => {
  function printed(isTTY: boolean): string {
    let text = "";
    let now = 0;
    const printer = new StepPrinter({ isTTY, columns: 20, write: (part) => (text += part) }, () => now);
    printer.print({ kind: "start", step: "pack" });
    printer.print({ kind: "detail", step: "pack", text: "a detail longer than the screen" });
    now = 1250;
    printer.print({ kind: "done", step: "pack", text: "root 25 MB" });
    return text;
  }

  test("writes one plain line per finished step where nothing can be redrawn", () => {
    assert.equal(printed(false), "pack        1.3 s  root 25 MB\n");
  });

  test("redraws the running step on a terminal, never longer than its line", () => {
    const [begun, detail, done] = printed(true).split("\r\u001b[K").slice(1);
    assert.deepEqual([begun, detail, done], ["pack", "pack: a detail long", "pack        1.3 s  root 25 MB\n"]);
  });
});
