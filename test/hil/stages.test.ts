/** Stages on labs of this process: what is saved, what is restored, and what happens when a snapshot is no good. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Event } from "../../hil/journal/event.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { defineLab, type Lab, type LabOf } from "../../hil/lab.ts";
import { LabHost } from "../../hil/lab-host.ts";
import type { NodeDefinition } from "../../hil/node/definition.ts";
import { defineSuite, type Suite } from "../../hil/scenario.ts";
import { SnapshotStore } from "../../hil/snapshot-store.ts";
import { StageAgain, Stages } from "../../hil/stages.ts";
import { ManualClock } from "./fake-line.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-stages-"));
const hosts: LabHost[] = [];
after(async () => {
  for (const host of hosts) await host.down();
  rmSync(folder, { recursive: true });
});

/** A node that remembers words, and can be saved. */
class Memory {
  words: string[] = [];
}

function memoryNode(key: string): NodeDefinition<Memory, never> {
  return {
    role: "peer",
    what: "a memory",
    nics: [],
    prepare: () =>
      Promise.resolve({
        kind: "service",
        key,
        start: () => {
          const node = new Memory();
          return {
            node,
            save: () => node.words,
            restore: (saved) => {
              if (!Array.isArray(saved)) throw new Error("these are no words");
              node.words = saved;
            },
            close: () => {},
          };
        },
      }),
  };
}

function boardNode(): NodeDefinition<Memory, never> {
  return {
    role: "device",
    what: "a board",
    nics: [],
    prepare: () =>
      Promise.resolve({
        kind: "board",
        start: () => Promise.resolve({ node: new Memory(), ports: {}, close: () => Promise.resolve() }),
      }),
  };
}

function suiteWith(node: NodeDefinition<Memory, never>, ran: string[]): Suite {
  const lab = defineLab({ nodes: { memory: node }, links: {} });
  type It = LabOf<typeof lab>;
  const stage = (word: string) => async (it: It) => {
    ran.push(word);
    await Promise.resolve();
    it.node.memory.words.push(word);
  };
  return defineSuite({
    name: "memories",
    title: "Memories",
    lab,
    stages: {
      one: { claim: "one", run: stage("one") },
      two: { claim: "two", after: "one", run: stage("two") },
      broken: {
        claim: "never",
        after: "one",
        run: () => {
          ran.push("broken");
          return Promise.reject(new Error("no"));
        },
      },
    },
    scenarios: [],
  });
}

interface Bench {
  readonly stages: Stages;
  readonly ran: string[];
  readonly events: Event[];
  readonly store: string;
  readonly attempts: number[];
}

/** A run of its own; runs with the same `store` find each other's snapshots. */
function bench(store: string, node = memoryNode("1"), labFaults = 0): Bench {
  let faults = labFaults;
  const attempts: number[] = [];
  const ran: string[] = [];
  const events: Event[] = [];
  const clock = new ManualClock();
  const journal = new Journal(clock);
  journal.subscribe((event) => events.push(event));
  const suite = suiteWith(node, ran);
  const runFolder = mkdtempSync(join(folder, "run-"));
  const host = new LabHost(suite.lab, { runFolder, clock, journal, progress: () => {} });
  hosts.push(host);
  const stages = new Stages({
    ...{ suite, host, journal, store: new SnapshotStore(store) },
    report: (stage, attempt, work) => {
      attempts.push(attempt);
      if (faults > 0 && stage.name === "booted") {
        faults--;
        return Promise.reject(new StageAgain());
      }
      return work(async (_name, run) => await run());
    },
  });
  return { stages, ran, events, store, attempts };
}

const newStore = (): string => mkdtempSync(join(folder, "store-"));
const words = (lab: Lab): string[] => (lab.node["memory"] as Memory).words;
const snapshots = (events: readonly Event[]): string[] =>
  events.flatMap((event) => (event.kind === "snapshot" ? [`${event.did} ${event.stage}`] : []));

test("a stage is made once, with those that it builds on; each lab after that is fresh", async () => {
  const { stages, ran, events } = bench(newStore());
  const lab = await stages.reach("two");
  assert.deepEqual(words(lab), ["one", "two"]);
  words(lab).push("dirt");
  assert.deepEqual(words(await stages.reach("two")), ["one", "two"]);
  assert.deepEqual(words(await stages.reach("one")), ["one"]);
  assert.deepEqual(ran, ["one", "two"]);
  assert.deepEqual(snapshots(events), ["saved booted", "saved one", "saved two", "restored two", "restored one"]);
});

test("another run finds what the first one saved, as long as the lab is the same", async () => {
  const store = newStore();
  await bench(store).stages.reach("one");
  const same = bench(store);
  assert.deepEqual(words(await same.stages.reach("one")), ["one"]);
  assert.deepEqual(same.ran, []);
  const changed = bench(store, memoryNode("2"));
  await changed.stages.reach("one");
  assert.deepEqual(changed.ran, ["one"]);
});

test("a snapshot that cannot be restored is refused with the reason, and the stage is made anew", async () => {
  const store = newStore();
  await bench(store).stages.reach("one");
  for (const name of readdirSync(store)) writeFileSync(join(store, name, "memory.json"), '"torn"');
  const { stages, ran, events } = bench(store);
  assert.deepEqual(words(await stages.reach("one")), ["one"]);
  assert.deepEqual(ran, ["one"]);
  assert.deepEqual(snapshots(events), ["refused one", "refused booted", "saved booted", "saved one"]);
  const refusal = events.find((event) => event.kind === "snapshot" && event.did === "refused");
  assert.match(
    JSON.stringify(refusal, (_key, value) => (typeof value === "bigint" ? 0 : value)),
    /these are no words/,
  );
  assert.deepEqual(words(await stages.reach("one")), ["one"], "the new one is good");
});

test("a stage that fails is tried once, and names itself to everyone who needs it", async () => {
  const { stages, ran } = bench(newStore());
  await assert.rejects(stages.reach("broken"), /no/);
  await assert.rejects(stages.reach("broken"), /needs stage broken, which was not reached/);
  assert.deepEqual(ran, ["one", "broken"]);
  assert.deepEqual(words(await stages.reach("one")), ["one"], "what it builds on is still good");
});

test("a lab with a board is never saved: every stage is made from a boot", async () => {
  const { stages, ran, events, store } = bench(newStore(), boardNode());
  assert.deepEqual(words(await stages.reach("two")), ["one", "two"]);
  assert.deepEqual(words(await stages.reach("two")), ["one", "two"]);
  assert.deepEqual(ran, ["one", "two", "one", "two"]);
  assert.deepEqual(snapshots(events), []);
  assert.deepEqual(readdirSync(store), []);
});

test("a stage whose lab failed is made once more, with another lab", async () => {
  const { stages, ran, attempts } = bench(newStore(), memoryNode("1"), 1);
  assert.deepEqual(words(await stages.reach("one")), ["one"]);
  assert.deepEqual(ran, ["one"]);
  assert.deepEqual(
    attempts.filter((attempt) => attempt > 1),
    [2],
  );
});

test("two labs side by side: one makes the stage, the other finds it made", async () => {
  const store = newStore();
  const [left, right] = [bench(store), bench(store)];
  await Promise.all([left.stages.reach("two"), right.stages.reach("two")]);
  assert.deepEqual([...left.ran, ...right.ran], ["one", "two"]);
});

test("a snapshot that was not finished is never found", async () => {
  const store = newStore();
  const snapshotStore = new SnapshotStore(store);
  await assert.rejects(
    snapshotStore.keep("0".repeat(64), (partial) => {
      writeFileSync(join(partial, "half"), "");
      return Promise.reject(new Error("disk full"));
    }),
    /disk full/,
  );
  assert.equal(await snapshotStore.find("0".repeat(64)), undefined);
  assert.ok(!existsSync(join(store, "0".repeat(24))));
});
