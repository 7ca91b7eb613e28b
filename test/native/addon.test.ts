/** Wrong arguments to the addon are exceptions, never memory accesses; handles close once; an environment can end. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { loadAddon } from "../../appliance/native/addon.ts";
import { compileHostAddon } from "../../image/compile.ts";

const addonPath = await compileHostAddon();
const addon = loadAddon(addonPath);
/** Without types, as a bug would call it. */
const untyped = addon as unknown as Readonly<Record<string, (...words: unknown[]) => unknown>>;
const call = (name: string, ...words: unknown[]): unknown => (untyped[name] ?? assert.fail(name))(...words);
const wrong = (pattern: RegExp) => (error: unknown) => error instanceof TypeError && pattern.test(error.message);
const asRoot = { skip: process.getuid?.() === 0 ? false : "needs root" };

test("a missing addon names the file and the way out", () => {
  assert.throws(
    () => loadAddon("/nowhere/culvert.node"),
    /cannot load the native addon \/nowhere\/culvert\.node: set CULVERT_NATIVE/,
  );
});

test("a call without arguments, or with something that is no handle, throws a TypeError", () => {
  for (const name of Object.keys(addon).filter((each) => each !== "netlinkOpen")) {
    assert.throws(() => call(name), TypeError, name);
    assert.throws(() => call(name, {}), TypeError, name);
    assert.throws(() => call(name, -1), TypeError, name);
  }
});

test("a TUN or TAP name is 1 to 15 bytes", () => {
  for (const open of ["tunOpen", "tapOpen"]) {
    for (const name of ["", "a".repeat(16), "ü".repeat(8), 7]) assert.throws(() => call(open, name), wrong(/name/));
  }
});

test("every argument of every function is checked", asRoot, () => {
  const tun = addon.tunOpen("cvt-args");
  const gre = addon.greOpen(1 << 16);
  const arena = Buffer.alloc(4096);
  const words = new Uint32Array(2);
  const cases: readonly (readonly [RegExp, string, ...unknown[]])[] = [
    [/another kind/, "tunWrite", gre, arena],
    [/another kind/, "greReceive", tun, arena, 2048, words, words, words],
    [/arena: a Buffer/, "tunRead", tun, "text", 2048, 64, words, words],
    [/arena: a Buffer/, "tunRead", tun, words.buffer, 2048, 64, words, words],
    [/slotBytes/, "tunRead", tun, arena, 0, 0, words, words],
    [/slotBytes/, "tunRead", tun, arena, 2 ** 32 + 2048, 0, words, words],
    [/slotBytes/, "tunRead", tun, arena, 20.5, 0, words, words],
    [/slotBytes/, "tunRead", tun, arena, Number.NaN, 0, words, words],
    [/headroom/, "tunRead", tun, arena, 2048, 2048, words, words],
    [/headroom/, "tunRead", tun, arena, 2048, -1, words, words],
    [/starts: a Uint32Array/, "tunRead", tun, arena, 2048, 64, [0, 0], words],
    [/ends: a Uint32Array/, "tunRead", tun, arena, 2048, 64, words, new Int32Array(2)],
    [/not even one slot/, "tunRead", tun, arena, 8192, 64, words, words],
    [/not even one slot/, "tunRead", tun, arena, 2048, 64, words, new Uint32Array(0)],
    [/packet: a Buffer/, "tunWrite", tun, "text"],
    [/receiveBufferBytes/, "greOpen", 0],
    [/sources: a Uint32Array/, "greReceive", gre, arena, 2048, words, words],
    [/slotBytes/, "greReceive", gre, arena, 16, words, words, words],
    [/count/, "greSend", gre, 65, [], words, words],
    [/count/, "greSend", gre, 0, [], words, words],
    [/packets: an array/, "greSend", gre, 1, arena, words, words],
    [/packets: an array/, "greSend", gre, 2, [arena], words, words],
    [/packets: a Buffer/, "greSend", gre, 2, [arena, 7], words, words],
    [/locals, peers/, "greSend", gre, 2, [arena, arena], words, new Uint32Array(1)],
    [/locals, peers/, "greSend", gre, 2, [arena, arena], new Uint32Array(1), words],
    [/onReadable: a function/, "watch", tun, 7],
  ];
  for (const [pattern, name, ...rest] of cases)
    assert.throws(() => call(name, ...rest), wrong(pattern), `${name} ${pattern}`);
  addon.close(tun);
  addon.close(gre);
});

test("a handle is watched once and closed once; afterwards it fails with EBADF", () => {
  const netlink = addon.netlinkOpen();
  addon.watch(netlink, () => assert.fail("nothing to read"));
  assert.throws(() => addon.watch(netlink, () => {}), wrong(/watched already/));
  addon.close(netlink);
  addon.close(netlink);
  const closed = { code: "EBADF", operation: "netlinkSend" };
  assert.throws(() => addon.netlinkSend(netlink, Buffer.alloc(16)), closed);
  assert.throws(() => addon.watch(netlink, () => {}), { code: "EBADF" });
});

test("a failing system call carries errno and operation", () => {
  const netlink = addon.netlinkOpen();
  const receive = "receive NETLINK_ROUTE";
  const nothing = { code: "EAGAIN", operation: receive, message: `${receive}: EAGAIN` };
  assert.throws(() => addon.netlinkReceive(netlink, Buffer.alloc(64)), nothing);
  // A request for the list of links brings more than fits.
  const request = Buffer.alloc(32);
  new Uint32Array(request.buffer, request.byteOffset, 1)[0] = 32;
  new Uint16Array(request.buffer, request.byteOffset + 4, 2).set([18, 0x301]);
  addon.netlinkSend(netlink, request);
  assert.throws(() => addon.netlinkReceive(netlink, Buffer.alloc(64)), { code: "EMSGSIZE", operation: receive });
  addon.close(netlink);
});

/** Runs a program that has `addon` and a netlink socket with an answer waiting, so that a watch fires at once. */
function program(text: string): { status: number | null; stderr: string } {
  const opening = `
    const m = { exports: {} };
    process.dlopen(m, ${JSON.stringify(addonPath)});
    const addon = m.exports, netlink = addon.netlinkOpen(), request = Buffer.alloc(32);
    new Uint32Array(request.buffer, request.byteOffset, 1)[0] = 32;
    new Uint16Array(request.buffer, request.byteOffset + 4, 2).set([18, 0x301]);
    addon.netlinkSend(netlink, request);`;
  return spawnSync(process.execPath, ["-e", opening + text], { encoding: "utf8", timeout: 20_000 });
}

test("an exception in onReadable ends the process like any uncaught one", () => {
  const { status, stderr } = program("addon.watch(netlink, () => { throw new Error('from the callback'); });");
  assert.match(stderr, /Error: from the callback/);
  assert.equal(status, 1);
});

test("promises made in onReadable run before the next wake-up", () => {
  const { status } = program(`
    let turns = 0;
    addon.watch(netlink, () => { turns++; Promise.resolve().then(() => process.exit(turns === 1 ? 0 : 3)); });`);
  assert.equal(status, 0);
});

test("a process that watches can exit, and close inside the callback lets it end by itself", () => {
  assert.equal(program("addon.watch(netlink, () => process.exit(5));").status, 5);
  assert.equal(program("addon.watch(netlink, () => { addon.close(netlink); process.exitCode = 6; });").status, 6);
});

test("a worker that watches can be terminated", () => {
  const { status, stderr } = program(`
    const { Worker, isMainThread } = require("node:worker_threads");
    const worker = new Worker(
      "const m = { exports: {} }; process.dlopen(m, " + JSON.stringify(${JSON.stringify(addonPath)}) + ");" +
      "m.exports.watch(m.exports.netlinkOpen(), () => {}); require('node:worker_threads').parentPort.postMessage('ready');",
      { eval: true });
    worker.on("message", () => worker.terminate().then(() => { addon.close(netlink); process.exitCode = 8; }));`);
  assert.equal(status, 8, stderr);
});

test("garbage collection closes forgotten handles", () => {
  const { status, stderr } = program(`
    require("node:v8").setFlagsFromString("--expose-gc");
    const gc = require("node:vm").runInNewContext("gc"), { readdirSync } = require("node:fs");
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 100; i++) addon.netlinkOpen();
    const open = readdirSync("/proc/self/fd").length;
    gc();
    setImmediate(() => process.exit(open === before + 100 && readdirSync("/proc/self/fd").length === before ? 9 : 1));`);
  assert.equal(status, 9, stderr);
});
