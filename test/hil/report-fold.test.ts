/** From events to a run's report: small journals by hand, what a killed run leaves, and any order of events. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { Event, EventBody, Failure } from "../../hil/journal/event.ts";
import { readReport, reportOf } from "../../hil/report/run-fold.ts";
import { countVerdicts, type RunReport } from "../../hil/report/run-report.ts";
import { playRun } from "./played-run.ts";

const START = 1_700_000_000_000_000_000n;
const folder = mkdtempSync(join(tmpdir(), "culvert-fold-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Events a second apart, the first at second 0. */
function fold(...bodies: readonly EventBody[]): RunReport {
  const events = bodies.map((body, second): Event => ({ ...body, atNs: START + BigInt(second) * 1_000_000_000n }));
  return reportOf({ startNs: START, events }, "/run");
}

function secondsOf(atNs: bigint): number {
  return Number(atNs - START) / 1e9;
}

const begin = (scenario: string, attempt = 1): EventBody => ({
  kind: "scenario-begin",
  scenario,
  claim: `${scenario} holds`,
  attempt,
});
const end = (scenario: string, verdict: "pass" | "fail" | "flaky" | "quarantined", because?: string): EventBody => ({
  kind: "scenario-end",
  scenario,
  claim: `${scenario} holds`,
  verdict,
  because,
});
const stepBegin = (scenario: string, step: number): EventBody => ({
  kind: "step-begin",
  scenario,
  step,
  name: `step ${step}`,
});
const stepEnd = (step: number, failure?: Failure): EventBody => ({ kind: "step-end", step, failure });
const LOST: Failure = { faultClass: "host", node: "peer", text: "the peer's QEMU ended" };

test("a flaky scenario has both attempts, and the steps of the last", () => {
  const { scenarios } = fold(
    begin("dial"),
    stepBegin("dial", 1),
    stepEnd(1, LOST),
    begin("dial", 2),
    stepBegin("dial", 2),
    stepEnd(2),
    end("dial", "flaky", "passed at attempt 2"),
  );
  const [dial] = scenarios;
  assert.equal(dial?.verdict, "flaky");
  assert.equal(dial.because, "passed at attempt 2");
  assert.deepEqual(
    dial.attempts.map(({ number, startedNs, endedNs }) => [number, secondsOf(startedNs), secondsOf(endedNs)]),
    [
      [1, 0, 3],
      [2, 3, 6],
    ],
  );
  assert.deepEqual(dial.attempts[0]?.steps[0]?.failure, LOST);
  assert.deepEqual(
    dial.steps.map(({ number, failure }) => [number, failure]),
    [[2, undefined]],
  );
});

test("a stage made within a scenario is a result of its own, before it; made again, it is another", () => {
  const { scenarios } = fold(
    begin("dial"),
    begin("booted"),
    end("booted", "pass"),
    end("dial", "pass"),
    begin("booted"),
    end("booted", "fail"),
    begin("again"),
    end("again", "quarantined", "known since Monday"),
  );
  assert.deepEqual(
    scenarios.map(({ name, verdict }) => `${name} ${verdict}`),
    ["booted pass", "dial pass", "booted fail", "again quarantined"],
  );
});

test("what a killed run left open is interrupted, at its last event", () => {
  const report = fold(begin("booted"), end("booted", "pass"), begin("dial"), stepBegin("dial", 1), {
    kind: "message",
    text: "dialing",
  });
  const dial = report.scenarios.at(-1);
  assert.equal(dial?.verdict, "interrupted");
  assert.equal(dial.because, "the run ended before it did");
  assert.equal(dial.steps[0]?.isInterrupted, true);
  assert.equal(secondsOf(dial.steps[0].endedNs), 4);
  assert.equal(secondsOf(report.endedNs), 4);
  assert.equal(countVerdicts(report).interrupted, 1);
});

test("nodes, links, power, states, traps, lines, snapshots, faults, facts and messages have their places", () => {
  const report = fold(
    { kind: "run", suite: "smoke", title: "Figure 13-1", command: ["lab", "run"] },
    { kind: "fact", name: "seed", value: "7" },
    { kind: "node", node: "device", role: "device", what: "the image" },
    { kind: "link", link: "wan", ports: ["device.wan", "peer.eth0"], capture: "wan.pcapng" },
    { kind: "power", node: "device", to: "on", by: "QEMU" },
    { kind: "state", node: "device", from: "off", to: "booting" },
    { kind: "console", node: "device", direction: "rx", text: "Linux\r\n" },
    { kind: "frame", link: "wan", number: 1, side: 0, length: 60 },
    { kind: "frame", link: "wan", number: 2, side: 1, length: 60, faults: ["lost", "trap: drop"] },
    { kind: "trap", link: "wan", rule: "drop", frame: 2, count: 1 },
    { kind: "line", link: "wan", text: "cut" },
    { kind: "snapshot", did: "refused", stage: "booted", key: "ab12", because: "it is damaged" },
    { kind: "fault", failure: LOST },
    { kind: "message", text: "all is well" },
  );
  assert.equal(report.suite, "smoke");
  assert.deepEqual(report.command, ["lab", "run"]);
  assert.deepEqual(report.facts, [{ name: "seed", value: "7" }]);
  const [device] = report.nodes;
  assert.deepEqual([device?.node, device?.role, device?.what], ["device", "device", "the image"]);
  assert.deepEqual(device?.power, [{ atNs: START + 4_000_000_000n, to: "on", by: "QEMU" }]);
  assert.deepEqual(device.states, [{ atNs: START + 5_000_000_000n, from: "off", to: "booting" }]);
  assert.deepEqual(
    device.lines.map(({ text }) => text),
    ["Linux"],
  );
  const [wan] = report.links;
  assert.equal(wan?.frames, 2);
  assert.deepEqual(wan.ports, ["device.wan", "peer.eth0"]);
  assert.deepEqual(
    wan.faults.map(({ frame, side, text }) => [frame, side, text]),
    [[2, 1, "lost; trap: drop"]],
  );
  assert.deepEqual(
    wan.traps.map(({ rule, frame }) => [rule, frame]),
    [["drop", 2]],
  );
  assert.deepEqual(
    wan.changes.map(({ text }) => text),
    ["cut"],
  );
  assert.equal(report.snapshots[0]?.because, "it is damaged");
  assert.deepEqual(report.faults[0]?.failure, LOST);
  assert.equal(report.messages[0]?.text, "all is well");
});

test("a journal cut at any byte is the report of a shorter run, and its captures may be cut too", () => {
  const cut = join(folder, "cut");
  playRun(cut, { outcome: "pass", data: 3 });
  const whole = readReport(cut);
  assert.deepEqual(
    whole.scenarios.map(({ verdict }) => verdict),
    ["pass", "pass"],
  );
  const path = join(cut, "journal.ndjson");
  const size = statSync(path).size;
  for (let keep = size - 1; keep > 200; keep -= 97) {
    truncateSync(path, keep);
    const report = readReport(cut);
    assert.ok(report.endedNs <= whole.endedNs);
    for (const { name, verdict } of report.scenarios) assert.match(`${name} ${verdict}`, / (pass|interrupted)$/);
  }
});

test("no order of events breaks the fold: every step and attempt lies within the run", () => {
  const names = fc.constantFrom("a", "b");
  const numbers = fc.integer({ min: 1, max: 4 });
  const anyBody = fc.oneof(
    fc.tuple(names, numbers).map(([name, attempt]) => begin(name, attempt)),
    names.map((name) => end(name, "pass")),
    fc.tuple(names, numbers).map(([name, step]) => stepBegin(name, step)),
    numbers.map((step) => stepEnd(step, LOST)),
    names.map((node): EventBody => ({ kind: "power", node, to: "off", by: "x" })),
  );
  fc.assert(
    fc.property(fc.array(anyBody, { maxLength: 30 }), (bodies) => {
      const report = fold(...bodies);
      for (const { attempts } of report.scenarios) {
        for (const { startedNs, endedNs, steps } of attempts) {
          assert.ok(startedNs >= report.startedNs && endedNs <= report.endedNs && startedNs <= endedNs);
          for (const step of steps) assert.ok(step.startedNs <= step.endedNs && step.endedNs <= report.endedNs);
        }
      }
    }),
  );
});
