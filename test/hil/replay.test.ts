/** Runs once more, without machines. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../hil/clock.ts";
import { readJournal } from "../../hil/journal/journal.ts";
import { type ReplayOptions, replay } from "../../hil/run/replay.ts";
import { playRun } from "./played-run.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-replay-"));
after(() => rmSync(folder, { recursive: true }));
playRun(folder, { outcome: "fail" });
const run = readJournal(join(folder, "journal.ndjson"));

async function replayed(options: ReplayOptions): Promise<{ status: number; text: string }> {
  let text = "";
  const status = await replay(run, options, systemClock(), (piece) => {
    text += piece;
  });
  return { status, text };
}

test("consoles, steps and traps in their order, each with its time", async () => {
  const { status, text } = await replayed({});
  assert.equal(status, 0);
  const lines = text.split("\n");
  const at = (what: RegExp): number => lines.findIndex((line) => what.test(line));
  assert.ok(at(/=== booted: boot every node/) < at(/device {5}\| .*Linux version/));
  assert.ok(at(/trap: drop every/) > at(/=== dial: the mobile user dials/));
  assert.match(text, /=== FAILED \(peer\)/);
});

test("one console as its very bytes", async () => {
  const { text } = await replayed({ node: "mobile" });
  assert.ok(text.startsWith("guest-shell-ready\r\n"));
  await assert.rejects(replayed({ node: "nobody" }), /--node nobody: consoles of this run are device, mobile/);
});

test("in its own time, or so many times as fast", async () => {
  const waits: number[] = [];
  const clock = {
    nowNs: () => 0n,
    after: (ms: number, done: () => void) => {
      waits.push(ms);
      setImmediate(done);
      return () => {};
    },
  };
  await replay(run, { speed: 10 }, clock, () => {});
  const wholeMs = Number((run.events.at(-1)?.atNs ?? 0n) - run.startNs) / 1e6;
  const waitedMs = waits.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waitedMs > 0 && waitedMs <= wholeMs / 10 + 1, `${waitedMs} of ${wholeMs} ms`);
});

test("a pattern against what was recorded: when it would have come, or how near", async () => {
  const found = await replayed({ node: "device", expect: "driver \\d{1,2} is up" });
  assert.equal(found.status, 0);
  assert.match(found.text, /^ +\d+\.\d{3} device: "driver 0 is up"\n/);
  const missed = await replayed({ node: "device", expect: "culvert login as root" });
  assert.equal(missed.status, 1);
  assert.match(missed.text, /never came on the console of device; the nearest was "culvert login/);
  await assert.rejects(replayed({ node: "device", expect: "a.*b" }), /--expect a\.\*b: .*no upper bound/);
  await assert.rejects(replayed({ expect: "x" }), /needs --node/);
});
