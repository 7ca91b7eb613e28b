import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { projectRoot } from "../../image/project.ts";

/** setup.mjs is plain JavaScript: it runs before the compiler exists. */
interface Setup {
  readonly NEEDED: readonly { package: string; shows: string; for: "run" | "tests" }[];
  nodeProblem(version: string): string | undefined;
  missingPackages(withTests: boolean, has: (sign: string) => boolean): string[];
  planPackages(machine: { missing: readonly string[]; hasApt: boolean; isRoot: boolean; sudoWorks: boolean }): {
    kind: "nothing" | "install" | "tell";
    prefix?: string[];
    line?: string;
  };
  run(
    command: readonly string[],
    times?: { noteEveryMs: number; limitMs: number },
  ): Promise<{ ok: boolean; output: string }>;
  npmInstallNeeded(lockTime: number, installedTime: number | undefined): boolean;
}
const path = join(projectRoot, "hil/setup.mjs");
const setup: Setup = await import(pathToFileURL(path).href);

test("Node is refused below 20.19, in one line", () => {
  for (const version of ["18.20.4", "20.18.9", "8.0.0"])
    assert.match(setup.nodeProblem(version) ?? "", /^Node.js .* is too old: [^\n]*20\.19[^\n]*$/);
  for (const version of ["20.19.0", "20.20.2", "22.0.0", "24.1.0"]) assert.equal(setup.nodeProblem(version), undefined);
});

test("only what is absent is missing, and what tests need only with --tests", () => {
  assert.deepEqual(
    setup.missingPackages(true, () => true),
    [],
  );
  assert.deepEqual(
    setup.missingPackages(false, (sign) => sign !== "tshark"),
    [],
  );
  assert.deepEqual(
    setup.missingPackages(true, (sign) => sign !== "tshark"),
    ["tshark"],
  );
  assert.deepEqual(
    setup.missingPackages(false, (sign) => sign !== "qemu-system-x86_64"),
    ["qemu-system-x86"],
  );
});

const machine = { missing: ["qemu-system-x86", "gcc"], hasApt: true, isRoot: false, sudoWorks: false };

test("root installs, sudo installs, others are told the one command", () => {
  assert.deepEqual(setup.planPackages({ ...machine, missing: [] }), { kind: "nothing" });
  assert.deepEqual(setup.planPackages({ ...machine, isRoot: true }), { kind: "install", prefix: [] });
  assert.deepEqual(setup.planPackages({ ...machine, sudoWorks: true }), { kind: "install", prefix: ["sudo", "-n"] });
  const told = setup.planPackages(machine);
  assert.equal(told.kind, "tell");
  assert.match(told.line ?? "", /^[^\n]*sudo apt-get install -y --no-install-recommends qemu-system-x86 gcc$/);
});

test("a machine without apt-get is told so, with the names", () => {
  const told = setup.planPackages({ ...machine, hasApt: false, isRoot: true });
  assert.equal(told.kind, "tell");
  assert.match(told.line ?? "", /^this is not Debian or Ubuntu[^\n]*: qemu-system-x86 gcc$/);
});

test("npm install runs when nothing is installed or the lock is newer", () => {
  assert.equal(setup.npmInstallNeeded(10, undefined), true);
  assert.equal(setup.npmInstallNeeded(10, 9), true);
  assert.equal(setup.npmInstallNeeded(10, 10), false);
});

test("a command's outcome and output; one that cannot be started says why", async () => {
  assert.deepEqual(await setup.run(["sh", "-c", "echo out; echo err >&2"]), { ok: true, output: "out\nerr" });
  assert.deepEqual(await setup.run(["sh", "-c", "echo broken; exit 3"]), { ok: false, output: "broken" });
  const absent = await setup.run(["no-such-program"]);
  assert.equal(absent.ok, false);
  assert.match(absent.output, /no-such-program/);
});

test("of much output the beginning and the end are kept", async () => {
  const { output } = await setup.run(["seq", "1", "100"]);
  const lines = output.split("\n");
  assert.deepEqual([lines.length, lines[0], lines[8], lines.at(-1)], [20, "1", "...", "100"]);
});

test("a silent command is reported while it works, and ended with a reason when it takes too long", () => {
  const code = `import { run } from ${JSON.stringify(pathToFileURL(path).href)};
    const { ok, output } = await run(["sh", "-c", "echo begun; exec tail -f /dev/null"], { noteEveryMs: 600, limitMs: 2000 });
    console.log(JSON.stringify({ ok, output }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  assert.match(stderr, /^(setup: `sh` is still at work after \d s\n)+$/);
  const { ok, output } = JSON.parse(stdout);
  assert.equal(ok, false);
  assert.match(output, /^begun\nended after 2 s: /);
});

test("a mistake on the command line is one line and status 2", () => {
  const { status, stderr } = spawnSync(process.execPath, [path, "--test"], { encoding: "utf8" });
  assert.equal(status, 2);
  assert.equal(stderr, "setup: '--test' is not known; usage: node hil/setup.mjs [--tests]\n");
});
