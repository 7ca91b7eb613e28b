/** Bundling and the addon, with the real esbuild and gcc; the result runs in this Node. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { APPLIANCE, applyReplacement, compile, compileHostAddon, compileHostPrograms } from "../../image/compile.ts";
import { projectRoot } from "../../image/project.ts";
import { hostCompiler } from "../../image/toolchain.ts";
import { FIXTURE_APP, scratchFolder, writeAt } from "./fixture.ts";

const host = await hostCompiler();

test("an app becomes one file and an addon beside it, which run", async () => {
  const folder = scratchFolder();
  const { bundle, addon } = await compile(FIXTURE_APP, host);
  assert.ok(addon);
  writeFileSync(join(folder, "culvert.cjs"), bundle);
  writeFileSync(join(folder, "culvert.node"), addon);
  const output = execFileSync(process.execPath, [join(folder, "culvert.cjs")], {
    input: "1 + 1\n",
    cwd: "/",
  }).toString();
  assert.equal(output, "fixture app is up, the addon says 42\n= 2\n");
});

test("the same sources give the same bytes, free of this checkout's path", async () => {
  const [first, second] = [await compile(FIXTURE_APP, host), await compile(FIXTURE_APP, host)];
  assert.deepEqual(first, second);
  assert.equal(first.bundle.includes(projectRoot), false);
  assert.equal(first.addon?.includes(projectRoot), false);
});

test("each C file of programs becomes a program, each of preload a shared object, for this host and in the app alike", async () => {
  const files = await compileHostPrograms();
  const { programs } = await compile(APPLIANCE, host);
  assert.deepEqual([...files.keys()].sort(), programs.map(({ name }) => name).sort());
  for (const { name, data } of programs) assert.deepEqual(readFileSync(files.get(name) ?? ""), data, name);
  assert.deepEqual([...files.keys()].sort(), ["attach", "check-password.so"]);
});

test("the appliance's addon for this host lies where tests load it from, and loads", async () => {
  const file = await compileHostAddon();
  assert.equal(file, join(projectRoot, ".culvert/native/culvert.node"));
  const native: { exports: Record<string, unknown> } = { exports: {} };
  process.dlopen(native, file);
  assert.equal(typeof native.exports["tunOpen"], "function");
});

test("the bundle is ASCII, whatever its sources say and in whatever place", async () => {
  const folder = scratchFolder();
  writeAt(join(folder, "main.ts"), "/** §2.1 */\nif (/^ü$/.test('ü')) console.log(`€ ` + '😀'.length, '§');\n");
  const { bundle } = await compile({ entry: join(folder, "main.ts"), native: undefined }, host);
  writeFileSync(join(folder, "bundle.cjs"), bundle.toString("latin1"), "latin1");
  assert.equal(spawnSync(process.execPath, [join(folder, "bundle.cjs")]).stdout.toString(), "€ 2 §\n");
  const appliance = await compile(APPLIANCE, host);
  for (const each of [bundle, appliance.bundle, appliance.extendData]) assert.ok(each.every((byte) => byte < 0x80));
});

test("function names survive, so that a stack trace from a device can be read", async () => {
  const folder = scratchFolder();
  writeAt(
    join(folder, "main.ts"),
    "{ const fail = (): never => { throw new Error('x'); }; const tell = fail; tell(); }",
  );
  const { bundle } = await compile({ entry: join(folder, "main.ts"), native: undefined }, host);
  writeFileSync(join(folder, "bundle.cjs"), bundle);
  assert.match(spawnSync(process.execPath, [join(folder, "bundle.cjs")]).stderr.toString(), /at fail \(/);
});

test("missing and wrong sources are named", async () => {
  const folder = scratchFolder();
  await assert.rejects(compile({ entry: join(folder, "main.ts"), native: undefined }, host), /main\.ts is missing/);
  await assert.rejects(compile({ ...FIXTURE_APP, native: folder }, host), /has no \.c files/);
  writeAt(join(folder, "wrong.c"), "int unused_thing(int x) { return 0; }\n");
  await assert.rejects(compile({ ...FIXTURE_APP, native: folder }, host), /wrong\.c:1:\d+: error: unused parameter/);
  writeAt(join(folder, "main.ts"), "import './absent.ts';");
  await assert.rejects(
    compile({ entry: join(folder, "main.ts"), native: undefined }, host),
    /Could not resolve "\.\/absent\.ts"/,
  );
});

test("a defect is in the bundle and in no file; one that fits no longer, or lies outside the app, is refused", async () => {
  const defect = { file: "appliance/ppp/lcp.ts", find: "LOOPBACK_LIMIT;", replace: "LOOPBACK_LIMIT + 4711;" };
  const app = { entry: APPLIANCE.entry, native: undefined };
  const { bundle } = await compile({ ...app, defect }, host);
  assert.match(bundle.toString(), /LOOPBACK_LIMIT \+ 4711/);
  assert.doesNotMatch((await compile(app, host)).bundle.toString(), /4711/);
  const gone = { ...defect, find: "no such line" };
  await assert.rejects(compile({ ...app, defect: gone }, host), /lcp\.ts has `no such line` 0 times, not once/);
  assert.throws(() => applyReplacement("a a", { file: "x.ts", find: "a", replace: "b" }), /2 times/);
  const elsewhere = { file: "hil/fault.ts", find: 'this.name = "Fault";', replace: "" };
  await assert.rejects(compile({ ...app, defect: elsewhere }, host), /hil\/fault\.ts is no part of the app/);
});
