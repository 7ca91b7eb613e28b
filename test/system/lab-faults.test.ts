/** Faults that are done to real guests in QEMU get the class of whoever is at fault. Each finds the call of a snapshot up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { before, test } from "node:test";
import { systemClock } from "../../hil/clock.ts";
import { FramedShell } from "../../hil/console/frame.ts";
import type { FaultClass } from "../../hil/fault.ts";
import type { Failure, NodeRole } from "../../hil/journal/event.ts";
import { Journal, readJournal } from "../../hil/journal/journal.ts";
import { defineLab, type LabOf } from "../../hil/lab.ts";
import type { MachineNode, NodeDefinition, SelfCheck } from "../../hil/node/definition.ts";
import { Machine } from "../../hil/node/qemu/machine.ts";
import { NeverRan, untilItRuns } from "../../hil/node/qemu/progress.ts";
import { poptop } from "../../hil/peers/poptop.ts";
import { STRONGEST } from "../../hil/peers/pppd.ts";
import { pptpLinux } from "../../hil/peers/pptp-linux.ts";
import type { RunReport } from "../../hil/report/run-report.ts";
import { runSuite } from "../../hil/run/lab-run.ts";
import { check, defineSuite, type Scenario } from "../../hil/scenario.ts";
import { temporaryFolder } from "../support/lab-run.ts";

/** A peer, and the means to harm it. */
interface Victim<N> extends SelfCheck {
  readonly peer: N;
  readonly machine: Machine;
  readonly shell: FramedShell;
}

function victim<N extends SelfCheck>(
  definition: NodeDefinition<N, "eth0">,
  role: NodeRole,
): NodeDefinition<Victim<N>, "eth0"> {
  const dress = (peer: N, machine: Machine): Victim<N> => ({
    ...{ peer, machine, ailment: () => peer.ailment() },
    shell: new FramedShell(machine.console, `harm-${machine.instance}`),
  });
  const prepare: NodeDefinition<Victim<N>, "eth0">["prepare"] = async (progress) => {
    const prepared = await definition.prepare(progress);
    assert.equal(prepared.kind, "machine");
    const machineNode = prepared as MachineNode<N>;
    return {
      ...machineNode,
      boot: async (machine) => dress(await machineNode.boot(machine), machine),
      attach: (machine) => dress(machineNode.attach(machine), machine),
    };
  };
  return { ...definition, role, prepare };
}

const SERVER = "203.0.113.1";
const INNER_SERVER = "192.168.50.1";
const INNER_CLIENT = "192.168.50.10";
const ALICE = { user: "alice", password: "s3cret" };

/** mobile ── internet ── server, which plays the device. */
const lab = defineLab({
  nodes: {
    mobile: victim(pptpLinux({ address: "203.0.113.50/24" }), "peer"),
    server: victim(
      poptop({
        ...{ address: `${SERVER}/24`, localAddress: INNER_SERVER, remoteAddress: INNER_CLIENT, dns: INNER_SERVER },
        ...ALICE,
      }),
      "device",
    ),
  },
  links: { internet: ["mobile.eth0", "server.eth0"] },
});
type Work = (running: LabOf<typeof lab>) => Promise<void>;

interface Seed {
  readonly faultClass: FaultClass;
  readonly node?: string;
  readonly says: RegExp;
  /** Does the harm; the next step notices it. */
  readonly harm: Work;
  /** What notices it; a ping through the tunnel unless given. */
  readonly notice?: Work;
  /** Only the first attempt is harmed. */
  readonly once?: boolean;
}

const pingServer: Work = async ({ node }) => {
  const { received } = await node.mobile.peer.ping(INNER_SERVER);
  check(received > 0, "no ping came back");
};
/** The harm comes a moment after the command that did it: a ping may still come back, or twenty. */
const pingClient: Work = async ({ node }) => {
  for (let times = 0; times < 20; times++) {
    const { received } = await node.server.peer.ping(INNER_CLIENT);
    check(received > 0, "no ping came back");
  }
};
const killServer: Work = async ({ node }) => void process.kill(node.server.machine.pid, "SIGKILL");

const SEEDS: Readonly<Record<string, Seed>> = {
  "killed-qemu": {
    ...{ faultClass: "host", node: "server", harm: killServer },
    says: /^server: QEMU ended: it was ended by SIGKILL\nnoticed by: no ping/,
  },
  "killed-qemu-once": { faultClass: "host", node: "server", harm: killServer, says: /SIGKILL/, once: true },
  "hung-device": {
    ...{ faultClass: "device", node: "server", says: /^server: QEMU has it paused\nnoticed by: no ping/ },
    harm: ({ node }) => node.server.machine.pause(),
  },
  "hung-shell": {
    ...{ faultClass: "peer", node: "mobile", says: /^mobile: waited 2\.0 s for the result of `true`/ },
    harm: async ({ node }) =>
      void (await node.mobile.shell.run("(sleep 0.3; kill -STOP $(pidof cat)) >/dev/null 2>&1 &")),
    notice: async ({ node, clock }) => {
      await new Promise<void>((resolve) => clock.after(1000, resolve));
      await node.mobile.shell.try("true", 2_000);
    },
  },
  "panic-of-peer": {
    ...{ faultClass: "peer", node: "mobile", says: /^mobile: the machine died: .*sysrq triggered crash/ },
    harm: async ({ node }) =>
      void (await node.mobile.shell.run("(sleep 0.3; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")),
    notice: pingClient,
  },
  "peer-powers-off": {
    ...{ faultClass: "peer", node: "mobile", says: /^mobile: it went down by itself \(guest-/ },
    harm: async ({ node }) => void (await node.mobile.shell.run("(sleep 0.3; reboot -f) >/dev/null 2>&1 &")),
    notice: pingClient,
  },
  "pppd-killed": {
    ...{ faultClass: "peer", node: "mobile", says: /^mobile: pppd died in the midst of a call.*\nnoticed by: / },
    harm: async ({ node }) => void (await node.mobile.shell.run("kill -KILL $(pidof pppd)")),
  },
  "wrong-expectation": {
    ...{ faultClass: "test", says: /^7 addresses instead of 8(?:\n|$)/ },
    harm: pingServer, // all is well
    notice: async () => check(false, "7 addresses instead of 8"),
  },
};

const attempts = new Map<string, number>();
const suite = defineSuite({
  name: "faults",
  title: "Seeded faults",
  lab,
  stages: {
    called: {
      claim: "the mobile user's call is up",
      run: async ({ node }, step) => {
        const call = { server: SERVER, ...ALICE, protection: STRONGEST, routes: [] };
        await step("dial", () => node.mobile.peer.dial(call));
      },
    },
  },
  scenarios: Object.entries(SEEDS).map(
    ([name, seed]): Scenario<LabOf<typeof lab>, "called"> => ({
      ...{ name, claim: `${name} is blamed on the right one`, from: "called" },
      run: async (running, step) => {
        const attempt = (attempts.get(name) ?? 0) + 1;
        attempts.set(name, attempt);
        if (attempt === 1 || seed.once !== true) await step("harm", () => seed.harm(running));
        await step("notice", () => (seed.notice ?? pingServer)(running));
      },
    }),
  ),
});

let report: RunReport;
const failures = new Map<string, Failure[]>();

before(async () => {
  const runFolder = temporaryFolder();
  const signal = new AbortController().signal;
  const request = {
    suite,
    ...{ scenarios: undefined, cold: false, retries: 1 },
    runFolder,
    clock: systemClock(),
    progress: () => {},
    signal,
    command: [],
  };
  report = await runSuite(request);
  const scenarioOf = new Map<number, string>();
  for (const event of readJournal(join(runFolder, "journal.ndjson")).events) {
    if (event.kind === "step-begin") scenarioOf.set(event.step, event.scenario);
    if (event.kind === "step-end" && event.failure !== undefined) {
      const scenario = scenarioOf.get(event.step) ?? "";
      failures.set(scenario, [...(failures.get(scenario) ?? []), event.failure]);
    }
  }
});

test("the lab comes up and the call as well", () => {
  const up = report.scenarios.filter(({ name }) => ["built", "booted", "called"].includes(name));
  assert.ok(
    up.every(({ verdict }) => verdict === "pass"),
    JSON.stringify([...failures], undefined, 2),
  );
});

for (const [name, { faultClass, node, says, once }] of Object.entries(SEEDS)) {
  const isLab = faultClass === "host" || faultClass === "bench";
  test(`${name}: ${faultClass}${isLab ? ", tried again" : ""}`, () => {
    const found = failures.get(name) ?? [];
    const verdict = report.scenarios.find((each) => each.name === name)?.verdict;
    assert.equal(verdict, once === true ? "flaky" : "fail", JSON.stringify(found));
    assert.equal(attempts.get(name), isLab ? 2 : 1, JSON.stringify(found));
    assert.equal(found.length, isLab && once !== true ? 2 : 1, JSON.stringify(found));
    for (const failure of found) {
      assert.match(failure.text, says);
      assert.equal(failure.faultClass, faultClass, failure.text);
      assert.equal(failure.node, node, failure.text);
    }
  });
}

test("a guest that is never let go is found out, and one that runs is not", async () => {
  const folder = temporaryFolder();
  const clock = systemClock();
  const prepared = await pptpLinux({ address: "203.0.113.50/24" }).prepare(() => {});
  assert.equal(prepared.kind, "machine");
  const spec = await (prepared as MachineNode<unknown>).spec({ name: "guest", nics: [], runFolder: folder });
  const place = { socketFolder: folder, runFolder: folder, journal: new Journal(clock), instance: "one" };
  const machine = await Machine.start(spec, { accelerator: "tcg", clock, ...place, adopt: () => {} });
  try {
    const hurried = { ...clock, after: (ms: number, run: () => void) => clock.after(ms / 50, run) };
    const { signal } = new AbortController();
    await assert.rejects(untilItRuns(machine, hurried, signal), NeverRan);
    assert.deepEqual(await machine.ailment(), { by: "guest", what: "QEMU has it prelaunch" });
    await machine.go();
    await untilItRuns(machine, hurried, signal);
    assert.equal(machine.hasSpoken, false, "it was its processor that told");
  } finally {
    await machine.close();
  }
});
