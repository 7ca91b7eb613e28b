import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defineLab, type LabOf } from "../../hil/lab.ts";
import { DelayLine } from "../../hil/net/delay-line.ts";
import { checkImpairment, type Impairment } from "../../hil/net/impairment.ts";
import type { NodeDefinition } from "../../hil/node/definition.ts";
import { type LinkBench, linkBench, numberedFrame } from "./link-bench.ts";

/** The mobile user sends frames 0 to `count` − 1, one every `everyMs`; then time passes until all are there. */
function send(bench: LinkBench, count: number, everyMs = 1, bytes = 64): void {
  for (let number = 0; number < count; number++) {
    bench.mobile.transmit(numberedFrame(number, bytes));
    bench.clock.advance(everyMs);
  }
  settle(bench);
}

function settle({ clock }: LinkBench): void {
  for (let ms = 0; ms < 2_000; ms++) clock.advance(1);
}

function sendThrough(impairment: Impairment, count: number, everyMs = 1, bytes = 64): LinkBench {
  const bench = linkBench();
  bench.link.impair(impairment);
  send(bench, count, everyMs, bytes);
  return bench;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test("a link that nobody impaired hands frames on at once, without a comment", () => {
  const bench = linkBench();
  bench.mobile.transmit(numberedFrame(0));
  assert.deepEqual(bench.device.numbers, [0]);
  assert.deepEqual(bench.comments(), [undefined]);
});

test("loss: about the share that was asked for is gone, counted, and marked in the capture", () => {
  const bench = sendThrough({ loss: 0.1 }, 2_000);
  const lost = 2_000 - bench.device.got.length;
  assert.ok(lost > 150 && lost < 250, `${lost} of 2000 frames were lost at 10 %`);
  assert.equal(bench.link.faults.get("lost"), lost);
  const marked = bench.comments().flatMap((comment, number) => (comment === "lost" ? [number] : []));
  assert.deepEqual(
    bench.device.numbers,
    upTo(2_000).filter((number) => !marked.includes(number)),
  );
});

test("the same seed gives the n-th frame the same fate, whatever came before and however long it takes", () => {
  const impairment: Impairment = { loss: 0.2, duplicate: 0.2, seed: 7 };
  const once = sendThrough(impairment, 200).device.numbers;
  const again = linkBench();
  again.link.impair({ delayMs: 1 });
  send(again, 50);
  again.link.impair({ ...impairment, delayMs: 40 });
  const before = again.device.got.length;
  send(again, 200, 9);
  assert.deepEqual(again.device.numbers.slice(before), once);
  assert.notDeepEqual(sendThrough({ ...impairment, seed: 8 }, 200).device.numbers, once);
});

test("both directions have their own luck, and one can be impaired alone", () => {
  const bench = linkBench();
  bench.link.impair({ loss: 0.5 });
  for (const number of upTo(64)) {
    bench.mobile.transmit(numberedFrame(number));
    bench.device.transmit(numberedFrame(number));
  }
  assert.notDeepEqual(bench.device.numbers, bench.mobile.numbers);
  const oneWay = linkBench();
  oneWay.link.impair({ loss: 1 }, "mobile");
  oneWay.mobile.transmit(numberedFrame(1));
  oneWay.device.transmit(numberedFrame(2));
  assert.deepEqual([oneWay.device.numbers, oneWay.mobile.numbers], [[], [2]]);
});

test("duplicate: both copies arrive, one behind the other", () => {
  const bench = sendThrough({ duplicate: 1 }, 2);
  assert.deepEqual(bench.device.numbers, [0, 0, 1, 1]);
  assert.deepEqual(bench.comments(), ["duplicated", "duplicated"]);
});

test("delay: frames arrive that much later", () => {
  const bench = sendThrough({ delayMs: 200 }, 3, 10);
  assert.deepEqual(
    bench.device.got.map(({ atMs }) => atMs),
    [200, 210, 220],
  );
  assert.equal(bench.comments()[0], "delayed by 200 ms");
});

test("jitter spreads the delay and keeps the order", () => {
  const bench = sendThrough({ delayMs: 10, jitterMs: 30 }, 100, 1);
  assert.deepEqual(bench.device.numbers, upTo(100));
  const delays = bench.device.got.map(({ atMs }, number) => atMs - number);
  assert.ok(Math.min(...delays) >= 10 && Math.max(...delays) <= 41, `delays ${delays}`);
  assert.ok(new Set(delays).size > 3, "every frame was delayed alike");
});

test("reorder: the chosen frames come later than frames behind them, nothing is lost", () => {
  const bench = sendThrough({ reorder: 0.1, reorderMs: 5 }, 300);
  const numbers = bench.device.numbers;
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    upTo(300),
  );
  const held = bench.link.faults.get("reordered") ?? 0;
  assert.ok(held > 15 && held < 50, `${held} of 300 were held back at 10 %`);
  const overtaken = numbers.filter((number, at) => numbers.slice(0, at).some((before) => before > number));
  assert.equal(overtaken.length, held);
});

test("corrupt: one bit behind the Ethernet header differs, and the capture names it", () => {
  const bench = sendThrough({ corrupt: 1 }, 50);
  for (const [number, { frame }] of bench.device.got.entries()) {
    const sent = numberedFrame(number);
    const changed = [...frame].flatMap((byte, at) => (byte === sent[at] ? [] : [{ at, bits: byte ^ (sent[at] ?? 0) }]));
    const [only] = changed;
    assert.ok(changed.length === 1 && only !== undefined && only.at >= 14);
    assert.equal(bench.comments()[number], `bit ${Math.log2(only.bits)} of byte ${only.at} flipped`);
  }
});

test("rate: frames leave one behind the other, and what the queue does not hold is lost", () => {
  const bench = linkBench();
  bench.link.impair({ rateKbps: 100, queueMs: 50 }); // 125 bytes take 10 ms
  for (const number of upTo(10)) bench.mobile.transmit(numberedFrame(number, 125));
  settle(bench);
  assert.deepEqual(
    bench.device.got.map(({ atMs }) => atMs),
    [10, 20, 30, 40, 50, 60],
  );
  assert.equal(bench.link.faults.get("queue-full"), 4);
  bench.mobile.transmit(numberedFrame(10, 125));
  settle(bench);
  assert.equal(bench.device.numbers.at(-1), 10);
});

test("a line that becomes good again does not let new frames overtake those on their way", () => {
  const bench = linkBench();
  bench.link.impair({ delayMs: 100 });
  bench.mobile.transmit(numberedFrame(0));
  bench.link.impair(undefined);
  bench.mobile.transmit(numberedFrame(1));
  assert.deepEqual(bench.device.numbers, []);
  bench.clock.advance(100);
  bench.mobile.transmit(numberedFrame(2));
  assert.deepEqual(bench.device.numbers, [0, 1, 2]);
});

test("cut: nothing passes either way, not even what is on its way, until it is restored", () => {
  const bench = linkBench();
  bench.link.impair({ delayMs: 100 });
  bench.mobile.transmit(numberedFrame(0));
  bench.link.cut();
  settle(bench);
  bench.link.impair(undefined);
  bench.mobile.transmit(numberedFrame(1));
  bench.device.transmit(numberedFrame(2));
  bench.link.restore();
  bench.mobile.transmit(numberedFrame(3));
  assert.deepEqual([bench.device.numbers, bench.mobile.numbers], [[3], []]);
  assert.equal(bench.link.faults.get("cut"), 2);
  assert.equal(bench.comments()[1], "lost: the link is cut");
});

test("a late timer lets no new frame overtake one that is due", () => {
  let nowNs = 0n;
  const line = new DelayLine({ nowNs: () => nowNs, after: () => () => {} });
  const arrived: string[] = [];
  line.add(5n, () => arrived.push("delayed"));
  nowNs = 10n;
  line.add(10n, () => arrived.push("new"));
  assert.deepEqual(arrived, ["delayed", "new"]);
});

test("a healed link is as it was declared", () => {
  const bench = linkBench({ delayMs: 10 });
  bench.mobile.transmit(numberedFrame(0));
  bench.link.impair({ loss: 1 });
  bench.mobile.transmit(numberedFrame(1));
  bench.link.heal();
  bench.mobile.transmit(numberedFrame(2));
  settle(bench);
  assert.deepEqual(
    bench.device.got.map(({ frame, atMs }) => [frame.readUInt32BE(14), atMs]),
    [
      [0, 10],
      [2, 10],
    ],
  );
});

test("a closed link delivers nothing more", () => {
  const bench = linkBench();
  bench.link.impair({ delayMs: 100 });
  bench.mobile.transmit(numberedFrame(0));
  bench.link.close();
  bench.mobile.transmit(numberedFrame(1));
  settle(bench);
  assert.deepEqual(bench.device.numbers, []);
});

test("any impairment: copies are of frames that were sent, none more than twice, all of them in the end", () =>
  fc.assert(
    fc.property(
      fc.record({
        loss: fc.double({ min: 0, max: 1, noNaN: true }),
        duplicate: fc.double({ min: 0, max: 1, noNaN: true }),
        reorder: fc.double({ min: 0, max: 1, noNaN: true }),
        delayMs: fc.integer({ min: 0, max: 300 }),
        jitterMs: fc.integer({ min: 0, max: 300 }),
        rateKbps: fc.integer({ min: 1, max: 100_000 }),
        seed: fc.integer(),
      }),
      (impairment) => {
        const bench = linkBench();
        bench.link.impair({ ...impairment, queueMs: 1_000 });
        for (const number of upTo(20)) bench.mobile.transmit(numberedFrame(number));
        for (let turn = 0; turn < 60; turn++) bench.clock.advance(50);
        const { faults } = bench.link;
        const gone = (faults.get("lost") ?? 0) + (faults.get("queue-full") ?? 0);
        assert.equal(bench.device.got.length, 20 - gone + (faults.get("duplicated") ?? 0));
        for (const number of upTo(20)) {
          const copies = bench.device.numbers.filter((each) => each === number).length;
          assert.ok(copies <= 2);
        }
      },
    ),
    { numRuns: 60 },
  ));

test("what no line can be is refused, with the name of the value", () => {
  const wrong: readonly (readonly [Impairment, RegExp])[] = [
    [{ loss: 1.5 }, /loss 1\.5: give a share of frames from 0 to 1/],
    [{ duplicate: Number.NaN }, /duplicate NaN/],
    [{ delayMs: -1 }, /delayMs -1: give milliseconds/],
    [{ rateKbps: 0 }, /rateKbps 0: give more than 0/],
    [{ seed: 0.5 }, /seed 0\.5: give a whole number/],
  ];
  for (const [impairment, message] of wrong) assert.throws(() => checkImpairment(impairment), message);
  assert.throws(() => linkBench().link.impair({ loss: 2 }), RangeError);
});

const node: NodeDefinition<unknown, "wan" | "lan"> = {
  role: "peer",
  what: "a node",
  nics: ["wan", "lan"],
  prepare: () => Promise.reject(new Error("unused")),
};

test("a lab declares impaired links; what is wrong with them is found before anything boots", () => {
  defineLab({ nodes: { a: node, b: node }, links: { x: { ports: ["a.wan", "b.lan"], impairment: { loss: 0.1 } } } });
  assert.throws(
    () => defineLab({ nodes: { a: node }, links: { x: { ports: ["a.wan"], impairment: { loss: 10 } } } }),
    /loss 10/,
  );
  // @ts-expect-error there is no node `c`
  defineLab({ nodes: { a: node }, links: { x: { ports: ["c.wan"], impairment: {} } } });
  // @ts-expect-error there is no such impairment
  defineLab({ nodes: { a: node }, links: { x: { ports: ["a.wan"], impairment: { gain: 1 } } } });
});

test("links and senders are known by name to the compiler", () => {
  const lab = defineLab({ nodes: { mobile: node, device: node }, links: { internet: ["mobile.wan", "device.wan"] } });
  const usesNames = ({ link }: LabOf<typeof lab>): void => {
    link.internet.impair({ loss: 0.1 }, "mobile");
    // @ts-expect-error there is no link `intranet`
    link.intranet.cut();
    // @ts-expect-error there is no node `moblie`
    link.internet.impair({ loss: 0.1 }, "moblie");
  };
  assert.equal(usesNames.length, 1);
  const { link } = linkBench();
  assert.throws(
    () => link.impair({}, "moblie" as "mobile"),
    /moblie is not on link internet; there are mobile, device/,
  );
});
