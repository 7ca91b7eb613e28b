/** Every seeded fault gets the class of whoever is at fault, and only the lab's own faults are tried again. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { execa } from "execa";
import { ConsoleError } from "../../hil/console/console.ts";
import { CommandError } from "../../hil/console/frame.ts";
import { Fault, type FaultClass } from "../../hil/fault.ts";
import type { Event, Failure, NodeRole } from "../../hil/journal/event.ts";
import { readJournal } from "../../hil/journal/journal.ts";
import { defineLab, type LabOf } from "../../hil/lab.ts";
import { TrapError } from "../../hil/net/trap.ts";
import type { Ailment, NodeDefinition } from "../../hil/node/definition.ts";
import { CommandRefused } from "../../hil/node/device-console.ts";
import { NeverRan, parseRegisters, untilItRuns } from "../../hil/node/qemu/progress.ts";
import { MonitorClosed } from "../../hil/node/qemu/qmp.ts";
import { SwitchedPower } from "../../hil/power/power.ts";
import { failureOf } from "../../hil/run/classify.ts";
import { diagnose, type Suspect } from "../../hil/run/diagnose.ts";
import { CheckError, check, defineSuite, type Scenario, type Step } from "../../hil/scenario.ts";
import { ImageError } from "../../image/failure.ts";
import { FakeLine, fakeConsole, ManualClock } from "./fake-line.ts";
import { runHere } from "./suite-run.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-faults-"));
after(() => rmSync(folder, { recursive: true }));

const suspect = (name: string, role: NodeRole, ailment?: Ailment | Error): Suspect => ({
  ...{ name, role, isMachine: true },
  ailment: () => (ailment instanceof Error ? Promise.reject(ailment) : Promise.resolve(ailment)),
});
const timeout = (node: string) => new ConsoleError(node, "timeout", `${node}: waited 3.0 s for the answer`);
const closed = (node: string) => new ConsoleError(node, "closed", `${node}: the console was closed`);
async function thrown(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

test("errors that speak for themselves", async () => {
  const roles = (node: string): NodeRole => (node === "device" ? "device" : "peer");
  const result = { status: 1, output: "no such file" };
  const cases: [unknown, FaultClass, RegExp][] = [
    [new CheckError("2 instead of 3"), "test", /^2 instead of 3$/],
    [new TrapError("the trap was not hit"), "test", /^the trap was not hit$/],
    [await thrown(() => assert.equal(1, 2)), "test", /1 !== 2/],
    [timeout("device"), "device", /waited 3.0 s/],
    [timeout("client"), "peer", /waited 3.0 s/],
    [new CommandRefused("device", "set x", "% no"), "device", /refused/],
    [new CommandError("client", "cat x", result), "peer", /no such file/],
    [closed("client"), "host", /closed/],
    [new MonitorClosed("cont"), "host", /cont/],
    [new ImageError("no compiler"), "host", /^no compiler$/],
    [await thrown(() => execa("/nonexistent/qemu")), "host", /ENOENT/],
    [await thrown(() => writeFileSync("/dev/full", "x")), "host", /ENOSPC.*the disk is full; old runs/],
    [await thrown(() => (undefined as unknown as string).length), "harness", /TypeError.*\n.*fault-classes/],
    [new Error("something"), "harness", /something\n +at .*fault-classes/],
    ["a string", "harness", /^a string$/],
    [undefined, "harness", /undefined/],
    [new Fault("bench", "the serial port is gone", { node: "device" }), "bench", /^the serial port is gone$/],
  ];
  for (const [error, faultClass, words] of cases) {
    const failure = failureOf(error, roles);
    assert.equal(failure.faultClass, faultClass, String(error));
    assert.match(failure.text, words);
  }
  assert.equal(failureOf(timeout("nat"), () => "service").faultClass, "harness", "a service is the lab's own code");
});

test("the node that is ill is to blame, whoever noticed it", async () => {
  const unmet = new CheckError("0 of 5 pings came back");
  const killed: Ailment = { by: "host", what: "QEMU ended: it was ended by SIGKILL" };
  const hangs: Ailment = { by: "guest", what: "it hangs" };
  const cases: [unknown, Suspect[], FaultClass, string | undefined, RegExp][] = [
    [unmet, [suspect("a", "peer"), suspect("b", "device")], "test", undefined, /^0 of 5/],
    [unmet, [suspect("a", "peer"), suspect("b", "peer", killed)], "host", "b", /^b: QEMU ended.*\nnoticed by: 0 of 5/],
    [unmet, [suspect("a", "peer", hangs), suspect("b", "device")], "peer", "a", /^a: it hangs\n/],
    [unmet, [suspect("a", "peer"), suspect("b", "device", hangs)], "device", "b", /^b: it hangs\n/],
    [timeout("a"), [suspect("a", "peer"), suspect("b", "device", hangs)], "device", "b", /noticed by: a: waited/],
    [timeout("b"), [suspect("a", "peer", hangs), suspect("b", "device", hangs)], "device", "b", /^b: it hangs/],
    [timeout("b"), [suspect("a", "peer", killed), suspect("b", "device", hangs)], "host", "a", /SIGKILL/],
    [closed("a"), [suspect("a", "peer", { by: "guest", what: "it went down" })], "peer", "a", /went down/],
    [closed("a"), [suspect("a", "peer", killed)], "host", "a", /SIGKILL/],
    [closed("board"), [{ ...suspect("board", "device"), isMachine: false }], "bench", "board", /closed/],
    [new Fault("bench", "no power"), [suspect("a", "peer", killed)], "bench", undefined, /^no power$/],
    [new TypeError("x"), [suspect("a", "peer", killed)], "harness", undefined, /TypeError/],
    [unmet, [suspect("a", "peer", new Error("cannot be asked"))], "test", undefined, /^0 of 5/],
  ];
  for (const [error, suspects, faultClass, node, words] of cases) {
    const failure = await diagnose(error, suspects);
    assert.equal(failure.faultClass, faultClass, failure.text);
    assert.equal(failure.node, node, failure.text);
    assert.match(failure.text, words);
  }
});

/** A node of this process whose line, switch and health a scenario can spoil. */
function fakeNode(role: NodeRole): NodeDefinition<Fake, never> {
  const service = () => ({ node: new Fake(), save: () => null, restore: () => {}, close: () => {} });
  const prepare = () => Promise.resolve({ kind: "service" as const, key: "fake", start: service });
  return { role, what: "a fake", nics: [], prepare };
}
class Fake {
  ill: Ailment | undefined;
  readonly line = fakeConsole("device");
  ailment = () => Promise.resolve(this.ill);
}

const lab = defineLab({ nodes: { device: fakeNode("device"), client: fakeNode("peer") }, links: {} });
type Work = (running: LabOf<typeof lab>, step: Step, attempt: number) => Promise<unknown>;

/** What becomes of one scenario: its verdict, and the failure of each attempt. */
async function outcome(work: Work) {
  let attempt = 0;
  const scenario: Scenario<LabOf<typeof lab>> = {
    ...{ name: "seeded", claim: "it holds" },
    run: async (running, step) => {
      await step("the step", () => work(running, step, ++attempt));
    },
  };
  const suite = defineSuite({ name: "test", title: "Test", lab, scenarios: [scenario], cold: true });
  const runFolder = mkdtempSync(join(folder, "run-"));
  const report = await runHere(suite, runFolder);
  const result = report.scenarios.find(({ name }) => name === "seeded");
  const { events } = readJournal(join(runFolder, "journal.ndjson"));
  return { verdict: result?.verdict, because: result?.because, attempts: attempt, failures: failuresIn(events) };
}
function failuresIn(events: readonly Event[]): Failure[] {
  return events.flatMap((event) => (event.kind === "step-end" && event.failure !== undefined ? [event.failure] : []));
}

const SEEDS: Readonly<Record<string, { faultClass: FaultClass; says: RegExp; node?: string; work: Work }>> = {
  "a serial port that is pulled": {
    ...{ faultClass: "bench", node: "device", says: /waiting for the prompt.*the console failed: .*ttyUSB0 is gone/ },
    work: async ({ node }) => {
      const { console, line } = node.device.line;
      const answer = console.expect({ prompt: "# " }, { withinMs: 60_000, reason: "the prompt" });
      line.destroy(new Fault("bench", "/dev/ttyUSB0 is gone: was it pulled?", { node: "device" }));
      await answer;
    },
  },
  "a power switch that does not answer": {
    ...{ faultClass: "bench", node: "device", says: /PDU 7/ },
    work: async ({ clock }) => {
      const fails = () => Promise.reject(new Error("connect ECONNREFUSED"));
      const driver = { what: "PDU 7", limitMs: 1000, on: fails, off: fails, state: fails, close: () => {} };
      const place = { node: "device", clock, journal: { append: () => {} } };
      await new SwitchedPower(driver, { minOffMs: 0 }, place).off();
    },
  },
  "a disk that is full": {
    ...{ faultClass: "host", says: /ENOSPC.*the disk is full/ },
    work: async () => writeFileSync("/dev/full", "frames"),
  },
  "a device that stops answering": {
    ...{ faultClass: "device", node: "device", says: /waited 5\.0 s for the prompt/ },
    work: async ({ node }) => {
      const { console, clock } = node.device.line;
      const answer = console.expect({ prompt: "# " }, { withinMs: 5_000, reason: "the prompt" });
      clock.advance(5_000);
      await answer;
    },
  },
  "a peer whose daemon dies": {
    ...{ faultClass: "peer", node: "client", says: /^client: pppd died\nnoticed by: no ping came back/ },
    work: ({ node }) => {
      node.client.ill = { by: "guest", what: "pppd died" };
      return Promise.reject(new CheckError("no ping came back"));
    },
  },
  "an expectation that is wrong": {
    ...{ faultClass: "test", says: /^2 instead of 3$/ },
    work: async () => check(false, "2 instead of 3"),
  },
  "a mistake in the lab": {
    ...{ faultClass: "harness", says: /TypeError.*\n +at/ },
    work: async ({ node }) => (node as unknown as { nobody: Fake }).nobody.ailment(),
  },
};

for (const [what, { faultClass, says, node, work }] of Object.entries(SEEDS)) {
  const isLab = faultClass === "bench" || faultClass === "host";
  test(`${what}: ${faultClass}, ${isLab ? "tried again" : "not tried again"}`, async () => {
    const { verdict, attempts, failures } = await outcome(work);
    assert.equal(verdict, "fail");
    assert.equal(attempts, isLab ? 2 : 1);
    assert.equal(failures.length, attempts);
    for (const failure of failures) {
      assert.equal(failure.faultClass, faultClass, failure.text);
      assert.equal(failure.node, node);
      assert.match(failure.text, says);
    }
  });
  test(`${what}, once: ${isLab ? "the second attempt passes, and is called flaky" : "it fails all the same"}`, async () => {
    const { verdict, because } = await outcome(async (running, step, attempt) => {
      if (attempt === 1) await work(running, step, attempt);
    });
    assert.equal(verdict, isLab ? "flaky" : "fail");
    if (isLab) assert.match(because ?? "", /passed at attempt 2, after a fault of the lab/);
  });
}

const HALTED = "RAX=0000000000000000\nRIP=ffffffff81a0b0c1 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1";

test("a processor is read from QEMU's monitor", () => {
  assert.equal(parseRegisters(HALTED).takesInterrupts, true);
  assert.equal(parseRegisters(HALTED.replace("246", "046")).takesInterrupts, false);
  assert.equal(parseRegisters("EIP=0000fff0 EFL=00000002 [-------]").takesInterrupts, false);
  // arm64 and MIPS, as QEMU 7.2 prints them.
  assert.equal(parseRegisters(" PC=ffffffc008 PSTATE=60000005 -ZC- EL1h").takesInterrupts, true);
  assert.equal(parseRegisters(" PC=ffffffc008 PSTATE=600000c5 -ZC- EL1h").takesInterrupts, false);
  assert.equal(parseRegisters("CP0 Status  0x1100fc01 Cause   0x00800000").takesInterrupts, true);
  assert.equal(parseRegisters("CP0 Status  0x1100fc03 Cause   0x00800000").takesInterrupts, false);
  assert.equal(parseRegisters("CP0 Status  0x1100fc00 Cause   0x00800000").takesInterrupts, false);
  assert.equal(parseRegisters("").takesInterrupts, true, "what cannot be read accuses nobody");
});

/** A guest whose monitor says these registers, one after the other. */
function watched(registers: readonly string[], spokenAfter = Number.POSITIVE_INFINITY) {
  let looks = 0;
  return {
    name: "guest",
    get hasSpoken() {
      return looks >= spokenAfter;
    },
    processor: () => Promise.resolve(parseRegisters(registers[Math.min(looks++, registers.length - 1)] ?? "")),
  };
}
async function guarded(machine: ReturnType<typeof watched>, signal = new AbortController().signal): Promise<string> {
  const clock = new ManualClock();
  let verdict = "";
  const done = untilItRuns(machine, clock, signal).then(
    () => (verdict = "runs"),
    (error: unknown) => (verdict = error instanceof NeverRan ? `${error.faultClass}: ${error.message}` : String(error)),
  );
  for (let second = 0; second < 60 && verdict === ""; second++) {
    await new Promise(setImmediate);
    clock.advance(1000);
  }
  await done;
  return verdict;
}

test("a guest that never executes anything is the host's fault; one that moves or speaks is not", async () => {
  assert.match(await guarded(watched([HALTED])), /^host: guest: the guest never ran/);
  assert.equal(await guarded(watched([HALTED, HALTED, HALTED, HALTED, `${HALTED} moved`])), "runs");
  assert.equal(await guarded(watched([HALTED], 4)), "runs");
  assert.equal(await guarded(watched([HALTED]), AbortSignal.abort()), "runs", "nobody waits for it any more");
});

test("a line that ends without a word is the bench's when no machine of this computer is behind it", async () => {
  const { console, line } = fakeConsole("board");
  const answer = console.expect({ prompt: "# " }, { withinMs: 60_000, reason: "the prompt" });
  line.destroy();
  const failure = await diagnose(await thrown(() => answer), [{ ...suspect("board", "device"), isMachine: false }]);
  assert.equal(failure.faultClass, "bench");
  assert.ok(line instanceof FakeLine);
});
