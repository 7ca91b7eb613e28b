import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Fault } from "../../hil/fault.ts";
import { defineLab, type LabOf } from "../../hil/lab.ts";
import type { NodeDefinition } from "../../hil/node/definition.ts";
import type { RunReport } from "../../hil/report/run-report.ts";
import {
  check,
  defineSuite,
  type Quarantine,
  type Scenario,
  type Step,
  type Suite,
  selectScenarios,
} from "../../hil/scenario.ts";
import { runHere } from "./suite-run.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-runner-"));
after(() => rmSync(folder, { recursive: true }));

interface Work {
  readonly needs?: string[];
  readonly from?: string;
  readonly impossible?: string;
  readonly quarantine?: Quarantine;
  run(step: Step): Promise<void>;
}
type Works = Record<string, Work>;

/** Counts its lives, and can be saved. */
class Counter {
  value = 0;
}

/** A node of this process, so that a suite runs without any machine. */
function counterNode(onStart: () => void): NodeDefinition<Counter, "nic"> {
  return {
    role: "peer",
    what: "a counter",
    nics: ["nic"],
    prepare: () =>
      Promise.resolve({
        kind: "service",
        key: "counter",
        start: () => {
          onStart();
          const node = new Counter();
          return {
            node,
            save: () => node.value,
            restore: (saved) => {
              node.value = Number(saved);
            },
            close: () => {},
          };
        },
      }),
  };
}

function suiteOf(works: Works, onStart = (): void => {}): Suite {
  const scenarios = Object.entries(works).map(([name, { run, ...rest }]) => ({
    name,
    claim: `${name} holds`,
    ...rest,
    run: async (_lab: unknown, step: Step) => await run(step),
  }));
  const lab = defineLab({ nodes: { counter: counterNode(onStart) }, links: {} });
  return defineSuite({
    name: "test",
    title: "Test",
    lab,
    cold: true,
    scenarios: scenarios as Scenario<LabOf<typeof lab>>[],
  });
}

async function run(suite: Suite, signal = new AbortController().signal): Promise<RunReport> {
  const runFolder = mkdtempSync(join(folder, "run-"));
  const report = await runHere(suite, runFolder, signal);
  assert.ok(existsSync(join(runFolder, "report.html")));
  assert.match(readFileSync(join(runFolder, "junit.xml"), "utf8"), /<testsuite name="test"/);
  return report;
}
const verdicts = (report: RunReport) =>
  Object.fromEntries(report.scenarios.map(({ name, verdict }) => [name, verdict]));
const passes = { run: async (step: Step) => await step("a step", () => {}) };

test("scenarios that pass, fail, and are blocked by what they need", async () => {
  const report = await run(
    suiteOf({
      good: passes,
      bad: { run: async (step) => await step("the wrong thing", () => check(false, "2 instead of 3")) },
      after: { needs: ["good", "bad"], run: passes.run },
      free: { needs: ["good"], run: passes.run },
    }),
  );
  assert.deepEqual(verdicts(report), {
    built: "pass",
    booted: "pass",
    good: "pass",
    bad: "fail",
    after: "blocked",
    free: "pass",
  });
  assert.equal(report.scenarios[3]?.steps[0]?.failure?.text, "2 instead of 3");
  assert.equal(report.scenarios[4]?.because, "needs bad, which did not pass");
});

test("a step that failed ends its scenario, even if the scenario would go on", async () => {
  const report = await run(
    suiteOf({
      stubborn: {
        run: async (step) => {
          await step("fails", () => check(false, "no")).catch(() => {});
          await step("goes on", () => {});
        },
      },
    }),
  );
  assert.equal(report.scenarios[2]?.verdict, "fail");
});

test("an error outside any step fails the scenario and says so; a bug shows its place in the code", async () => {
  const report = await run(
    suiteOf({
      outside: {
        run: async () => {
          await Promise.resolve();
          throw new TypeError("x is not a function");
        },
      },
    }),
  );
  const [step] = report.scenarios[2]?.steps ?? [];
  assert.equal(step?.name, "between its steps");
  assert.match(step?.failure?.text ?? "", /x is not a function\n.*runner\.test/);
});

test("a lab that does not come up fails `booted` with the reason and blocks everything", async () => {
  const fails = (): void => {
    throw new Fault("host", "device: QEMU ended at once");
  };
  const report = await run(suiteOf({ one: passes, two: passes }, fails));
  assert.deepEqual(verdicts(report), { built: "pass", booted: "fail", one: "blocked", two: "blocked" });
  assert.equal(report.scenarios[1]?.steps[0]?.failure?.text, "device: QEMU ended at once");
});

test("an interrupted run fails where it was and says that it was interrupted", async () => {
  const interrupt = new AbortController();
  const report = await run(
    suiteOf({
      first: {
        run: async (step) => {
          interrupt.abort();
          await step("never begins", () => assert.fail("ran after the interruption"));
        },
      },
    }),
    interrupt.signal,
  );
  assert.equal(report.scenarios[2]?.steps[0]?.failure?.text, "the run was interrupted");
});

test("what no peer can show does not run, is no pass, and says why", async () => {
  const ran = { run: () => assert.fail("it ran") };
  const report = await run(suiteOf({ good: passes, beyond: { impossible: "nobody speaks it", ...ran } }));
  assert.deepEqual(verdicts(report), { built: "pass", booted: "pass", good: "pass", beyond: "impossible" });
  assert.equal(report.scenarios[3]?.because, "nobody speaks it");
});

test("a filter takes what it names and what that needs, in order", () => {
  const suite = suiteOf({ a: passes, b: { needs: ["a"], ...passes }, c: passes, d: { needs: ["b"], ...passes } });
  const names = (filter: string | undefined) => selectScenarios(suite, filter).map(({ name }) => name);
  assert.deepEqual(names(undefined), ["a", "b", "c", "d"]);
  assert.deepEqual(names("d"), ["a", "b", "d"]);
  assert.deepEqual(names("c"), ["c"]);
  assert.deepEqual(names("c,b"), ["a", "b", "c"], "any of several words");
  assert.deepEqual(names("c,"), ["c"], "an empty word takes nothing");
  assert.deepEqual(names("zzz"), []);
});

test("what is in quarantine runs and is told, and does not fail the run; when it is over it does", async () => {
  const fails = { run: async (step: Step) => await step("the wrong thing", () => check(false, "2 instead of 3")) };
  const until = (day: string): Quarantine => ({ reason: "issue 7", until: day });
  const report = await run(
    suiteOf({
      known: { ...fails, quarantine: until("2999-12-31") },
      mended: { ...passes, quarantine: until("2999-12-31") },
      over: { ...passes, quarantine: until("1969-12-31") },
    }),
  );
  const [, , known, mended, over] = report.scenarios;
  assert.deepEqual([known?.verdict, mended?.verdict, over?.verdict], ["quarantined", "quarantined", "fail"]);
  assert.equal(known?.because, "it failed; until 2999-12-31: issue 7");
  assert.equal(mended?.because, "it passed: the quarantine can end; until 2999-12-31: issue 7");
  assert.match(
    over?.steps.at(-1)?.failure?.text ?? "",
    /its quarantine ended on 1969-12-31: mend what it was for, or renew it/,
  );
});
