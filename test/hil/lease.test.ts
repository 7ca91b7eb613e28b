/** Leases: one holder, no holder that is dead, and nobody who does not notice. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { Lease, listLeases, machineClock, releaseLease } from "../../hil/bench/lease.ts";
import { isAlive, startTime } from "../../hil/bench/process-identity.ts";
import { Fault } from "../../hil/fault.ts";
import { projectRoot } from "../../image/project.ts";
import { ManualClock } from "./fake-line.ts";

let folder = "";
const folders: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "culvert-lease-"));
  folders.push(folder);
});
after(() => {
  for (const each of folders) rmSync(each, { recursive: true });
});

const path = (bench: string): string => join(folder, `${bench}.lease`);

/** What is written in the file, changed. */
function rewrite(bench: string, change: (holder: Record<string, unknown>) => Record<string, unknown>): void {
  const [beat, body = ""] = readFileSync(path(bench), "utf8").split("\n");
  writeFileSync(path(bench), `${beat}\n${JSON.stringify(change(JSON.parse(body)))}\n`);
}

test("a bench has one holder, and the second is told who it is", async () => {
  const clock = new ManualClock();
  const lease = await Lease.take("b1", "suite smoke", { clock, folder });
  await assert.rejects(Lease.take("b1", "me too", { clock, folder }), (error: unknown) => {
    assert.ok(error instanceof Fault && error.faultClass === "bench");
    assert.match(
      error.message,
      new RegExp(
        `^bench b1 is in use by \\S+ \\(process ${process.pid} on .*, since 20.*\\) for: suite smoke; its last sign of life was 0 s ago; to take it away: culvert lab release b1$`,
      ),
    );
    return true;
  });
  const other = await Lease.take("b2", "another bench", { clock, folder });
  lease.check();
  lease.close();
  lease.close();
  (await Lease.take("b1", "now", { clock, folder })).close();
  other.close();
  assert.deepEqual(readdirSync(folder), []);
});

test("a lease lives by its beats: every ten seconds, and 35 without one are the end", async () => {
  const clock = new ManualClock();
  const lease = await Lease.take("b1", "why", { clock, folder });
  const state = (): string | undefined => listLeases({ clock, folder })[0]?.state;
  for (let second = 0; second < 120; second++) clock.advance(1000);
  assert.equal(state(), "held");
  lease.check();

  // The same process, stopped: its clock does not run, that of the others does.
  const others = new ManualClock();
  others.advance(120_000 + 35_000);
  assert.equal(listLeases({ clock: others, folder })[0]?.state, "held");
  others.advance(1);
  const [stale] = listLeases({ clock: others, folder });
  assert.deepEqual([stale?.state, stale?.because], ["silent", "its last sign of life was 35 s ago"]);
  const next = await Lease.take("b1", "the next", { clock: others, folder });

  // It goes on, and finds that the bench is another's.
  clock.advance(1000);
  assert.ok(lease.lost.aborted);
  assert.throws(
    () => lease.check(),
    /lease of bench b1 was taken away while it was in use: .* has it now, for: the next/,
  );
  lease.close();
  next.check();
  next.close();
});

test("whoever is kicked notices within a second, and takes nothing from the next", async () => {
  const clock = new ManualClock();
  const lease = await Lease.take("b1", "why", { clock, folder });
  let reason: unknown;
  lease.lost.addEventListener("abort", () => {
    reason = lease.lost.reason;
  });
  assert.equal((await releaseLease("b1", { clock, folder }))?.holder.why, "why");
  clock.advance(1000);
  assert.ok(reason instanceof Fault && reason.faultClass === "bench");
  assert.match(reason.message, /somebody ran `culvert lab release b1`/);
  const next = await Lease.take("b1", "next", { clock, folder });
  lease.close();
  next.check();
  next.close();
  assert.equal(await releaseLease("b1", { clock, folder }), undefined);
});

test("after a restart of the computer no lease holds", async () => {
  const clock = new ManualClock();
  const lease = await Lease.take("b1", "why", { clock, folder });
  rewrite("b1", (holder) => ({ ...holder, bootId: "another" }));
  assert.equal(listLeases({ clock, folder })[0]?.because, "the computer was started anew since");
  lease.close();
});

test("a process with the same number that started at another time is another one", async () => {
  const clock = new ManualClock();
  const lease = await Lease.take("b1", "why", { clock, folder });
  rewrite("b1", (holder) => ({ ...holder, startTime: "1" }));
  assert.equal(listLeases({ clock, folder })[0]?.because, "its process has ended");
  // In another container the number says nothing.
  rewrite("b1", (holder) => ({ ...holder, pidNamespace: "pid:[1]" }));
  assert.equal(listLeases({ clock, folder })[0]?.state, "held");
  lease.close();
});

test("a file that is no lease is nobody's", async () => {
  const clock = new ManualClock();
  for (const content of ["", "beat 00000000000000000001\n{}\n", "x\u0000\u00ff\n[]", '{"pid":1}']) {
    writeFileSync(path("b1"), content);
    assert.equal(listLeases({ clock, folder })[0]?.state, "dead");
    (await Lease.take("b1", "why", { clock, folder })).close();
  }
});

test("of many that want a bench at once, one gets it", async () => {
  const clock = new ManualClock();
  const dead = await Lease.take("b1", "dead", { clock, folder });
  rewrite("b1", (holder) => ({ ...holder, startTime: "1" }));
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => Lease.take("b1", `number ${index}`, { clock, folder })),
  );
  const got = all.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  assert.equal(got.length, 1);
  dead.close();
  got[0]?.check();
  got[0]?.close();
});

/** Another process that takes the lease and keeps it. */
async function holder(why: string): Promise<ChildProcess> {
  const module = join(projectRoot, "dist/hil/bench/lease.js");
  const script = `import { Lease, machineClock } from ${JSON.stringify(module)};
    await Lease.take("b1", ${JSON.stringify(why)}, { clock: machineClock(), folder: ${JSON.stringify(folder)} });
    console.log("taken");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(said.toString(), "taken\n");
  return child;
}

test("two processes: the second waits for nobody who was killed", async () => {
  const place = { clock: machineClock(), folder };
  const child = await holder("the other process");
  await assert.rejects(Lease.take("b1", "me", place), new RegExp(`process ${child.pid} on .*for: the other process`));
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  const lease = await Lease.take("b1", "me", place);
  lease.check();
  lease.close();
});

test("two processes: one that is kicked ends with the Fault", async () => {
  const child = await holder("kicked");
  const ended = once(child, "exit");
  await releaseLease("b1", { clock: machineClock(), folder });
  // Nothing keeps the holder's process alive but the lease that it lost.
  assert.deepEqual(await ended, [0, null]);
});

test("what process it is", () => {
  assert.ok(isAlive(process.pid, startTime(process.pid) ?? "none"));
  assert.ok(!isAlive(process.pid, "1"));
  assert.ok(!isAlive(2 ** 22 - 1, "1"));
});
