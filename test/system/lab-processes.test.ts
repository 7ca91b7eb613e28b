/** No QEMU outlives its lab, however the runner ends. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { qemuWith, startCulvert, temporaryFolder, until } from "../support/lab-run.ts";

/** A run whose two machines have started and are booting. */
async function booting() {
  const folder = temporaryFolder();
  const run = startCulvert(["lab", "run", "--suite", "poptop", "--report", folder]);
  const ended = () => run.process.exitCode !== null;
  await until(
    () => qemuWith(folder).length === 2 || ended(),
    180_000,
    () => `no lab came up:\n${run.output()}`,
  );
  assert.ok(!ended(), run.output());
  return { run, folder };
}
const gone = (folder: string) =>
  until(
    () => qemuWith(folder).length === 0,
    5000,
    () => `still running: ${qemuWith(folder).join(", ")}`,
  );

test("the runner is killed with SIGKILL: its machines die with it", async () => {
  const { run, folder } = await booting();
  run.process.kill("SIGKILL");
  assert.equal((await run.ended).signal, "SIGKILL");
  await gone(folder);
});

test("Ctrl-C takes the lab down, reports what there is and ends with status 130", async () => {
  const { run, folder } = await booting();
  run.process.kill("SIGINT");
  assert.equal((await run.ended).code, 130, run.output());
  assert.deepEqual(qemuWith(folder), []);
  assert.match(run.output(), /FAIL +booted/);
  assert.match(run.output(), /the run was interrupted/);
  assert.ok(existsSync(join(folder, "report.html")));
});

test("a machine that dies while it boots is a fault of the lab: tried once more, and the report names the node", async () => {
  const { run, folder } = await booting();
  const [victim] = qemuWith(join(folder, "server.console"));
  assert.ok(victim !== undefined);
  process.kill(victim, "SIGKILL");
  assert.equal((await run.ended).code, 0, run.output());
  assert.match(run.output(), /boot every node: FAILED after .* \(host\)/);
  assert.match(run.output(), /stage booted: a fault of the lab \(host\).*it is tried again/);
  assert.match(run.output(), /flaky +booted/);
  assert.match(run.output(), /^lab: 5 passed, 1 passed at a second attempt in /m);
  assert.deepEqual(qemuWith(folder), []);
  assert.match(
    readFileSync(join(folder, "report.html"), "utf8"),
    /server: (?:QEMU ended: it was ended by SIGKILL|while waiting for the guest to boot: the console was closed)/,
  );
});
