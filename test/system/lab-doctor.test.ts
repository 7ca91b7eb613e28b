/** `culvert doctor` on this computer, with a machine that lost its lab. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../image/project.ts";

interface Report {
  readonly fine: boolean;
  readonly findings: readonly { readonly state: string; readonly about: string; readonly what: string }[];
}

test("doctor finds a machine without a lab and its folder, in time, and clears them away", (context) => {
  const temporary = mkdtempSync(join(tmpdir(), "culvert-doctor-"));
  context.after(() => rmSync(temporary, { recursive: true }));
  const env = { ...process.env, TMPDIR: temporary, CULVERT_LEASES: join(temporary, "leases") };
  const doctor = (...args: string[]): { status: number | null; report: Report; tookMs: number } => {
    const startedMs = performance.now();
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(projectRoot, "dist/hil/cli.js"), "doctor", "--json", ...args],
      {
        env,
        encoding: "utf8",
      },
    );
    const tookMs = performance.now() - startedMs;
    assert.notEqual(stdout, "", stderr);
    return { status, report: JSON.parse(stdout), tookMs };
  };
  const leftovers = (report: Report): string[] =>
    report.findings.filter(({ about }) => /orphan|leftover/.test(about)).map(({ what }) => what);

  const folder = join(temporary, "culvert-Abc123");
  mkdirSync(folder);
  // The shell ends at once; its child is left to whoever adopts orphans.
  const qemu = `qemu-system-x86_64 -name lost -machine none -nodefaults -display none -S -chardev socket,id=c,server=on,wait=off,path=${folder}/lost.tty`;
  spawnSync("sh", ["-c", `${qemu} >/dev/null 2>&1 & until [ -S ${folder}/lost.tty ]; do :; done`], { timeout: 20_000 });
  const old = new Date(Date.now() - 3_600_000);
  utimesSync(folder, old, old);

  const sick = doctor();
  assert.equal(sick.status, 1);
  const [orphan = "", ...more] = leftovers(sick.report);
  assert.match(orphan, /QEMU process \d+ \(lost\) runs without the lab that started it/);
  // Its folder counts as in use while the machine holds a socket in it.
  assert.deepEqual(more, []);
  // Two seconds is the promise; whoever shares this computer may slow it down.
  assert.ok(sick.tookMs < 4000, `${sick.tookMs} ms`);

  assert.deepEqual(
    leftovers(doctor("--repair").report).filter((what) => what.includes("QEMU")),
    [],
  );
  doctor("--repair");
  assert.ok(!existsSync(folder));
  assert.deepEqual(leftovers(doctor().report), []);
});
