import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Millis } from "../../appliance/ports.ts";
import { GreSession } from "../../appliance/pptp/gre-session.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** A session and what it delivered: `[payload's number, lostBefore]`. The payload of sequence number n says n. */
function session(start: { readonly firstSequence?: number } = {}) {
  const delivered: [number, number][] = [];
  const gre = new GreSession(
    (payload, lostBefore) => delivered.push([payload.readUInt32BE(), lostBefore]),
    undefined,
    start.firstSequence,
  );
  return {
    gre,
    delivered,
    /** Receives these sequence numbers at `now`. */
    receive(now: number, ...sequences: readonly number[]) {
      for (const sequence of sequences) {
        const payload = Buffer.alloc(4);
        payload.writeUInt32BE(sequence >>> 0);
        gre.receive(sequence >>> 0, payload, Millis(now));
        payload.fill(0xee); // a loan: what waits must have been copied
      }
    },
    order: () => delivered.map(([sequence]) => sequence),
  };
}

test("in order: each at once", () => {
  const { receive, delivered, gre } = session();
  receive(0, 0, 1, 2);
  assert.deepEqual(delivered, [
    [0, 0],
    [1, 0],
    [2, 0],
  ]);
  assert.deepEqual(gre.counters, { lost: 0, lateOrDuplicate: 0, reordered: 0, implausible: 0 });
});
for (const first of [0, 1, 77, 0x7fffffff, 0x80000000, 0xffffffff])
  test(`the first sequence number may be any: ${first}`, () => {
    const { receive, order } = session();
    receive(0, first, first + 1, first + 2);
    assert.deepEqual(order(), [first, (first + 1) >>> 0, (first + 2) >>> 0]);
  });
test("a packet before its turn waits for the missing one", () => {
  const { receive, order, gre } = session();
  receive(0, 0, 2, 3);
  assert.deepEqual(order(), [0]);
  receive(10, 1);
  assert.deepEqual(order(), [0, 1, 2, 3]);
  assert.equal(gre.counters.reordered, 2);
  assert.equal(gre.counters.lost, 0);
});
test("a gap is given up after 100 ms, and the loss reported with the next packet", () => {
  const { receive, delivered, gre } = session();
  receive(0, 5);
  receive(50, 8, 9);
  gre.tick(Millis(149));
  assert.deepEqual(delivered, [[5, 0]]);
  assert.equal(gre.deadline, 100); // the acknowledgment of 5
  gre.takeAck();
  assert.equal(gre.deadline, 150);
  gre.tick(Millis(150));
  assert.deepEqual(delivered, [
    [5, 0],
    [8, 2],
    [9, 0],
  ]);
  assert.equal(gre.counters.lost, 2);
});
test("two gaps are given up one after the other", () => {
  const { receive, order, gre } = session();
  receive(0, 0);
  receive(10, 2, 4);
  gre.tick(Millis(110));
  assert.deepEqual(order(), [0, 2]);
  gre.tick(Millis(210));
  assert.deepEqual(order(), [0, 2, 4]);
});
test("32 packets behind a gap end the wait", () => {
  const { receive, order, gre } = session();
  receive(0, 0);
  receive(1, ...Array.from({ length: 31 }, (_, i) => i + 2));
  assert.deepEqual(order(), [0]);
  receive(1, 33);
  assert.equal(order().length, 33);
  assert.equal(gre.counters.lost, 1);
});
test("duplicates and what comes too late are dropped and counted", () => {
  const { receive, order, gre } = session();
  receive(0, 10, 10, 11, 9, 13, 13);
  assert.deepEqual(order(), [10, 11]);
  assert.equal(gre.counters.lateOrDuplicate, 3);
  receive(0, 12, 12);
  assert.deepEqual(order(), [10, 11, 12, 13]);
});
test("the numbers wrap at 2^32", () => {
  const { receive, delivered } = session();
  receive(0, 0xfffffffe, 0xffffffff, 0, 1);
  assert.deepEqual(
    delivered.map(([sequence]) => sequence),
    [0xfffffffe, 0xffffffff, 0, 1],
  );
});
test("the last number before the wrap is lost: the next one tells of exactly one loss", () => {
  const { receive, delivered, gre } = session();
  receive(0, 0xfffffffe, 0, 1);
  gre.tick(Millis(100));
  assert.deepEqual(delivered, [
    [0xfffffffe, 0],
    [0, 1],
    [1, 0],
  ]);
});
test("numbers that cross over the wrap are put in order", () => {
  const { receive, order } = session();
  receive(0, 0xfffffffd, 0, 0xffffffff, 1, 0xfffffffe);
  assert.deepEqual(order(), [0xfffffffd, 0xfffffffe, 0xffffffff, 0, 1]);
});

test("one far jump is not believed: a forged packet must not silence the real peer", () => {
  const { receive, order, gre } = session();
  receive(0, 0, 1_000_000, 1, 2, 900_000, 3);
  assert.deepEqual(order(), [0, 1, 2, 3]);
  assert.equal(gre.counters.implausible, 2);
});
test("2048 ahead is a gap, 2049 is a jump", () => {
  const near = session();
  near.receive(0, 0, 1 + 2048);
  assert.equal(near.gre.counters.implausible, 0);
  const far = session();
  far.receive(0, 0, 1 + 2049);
  assert.equal(far.gre.counters.implausible, 1);
});
test("a jump that the next packet confirms is a peer that was cut off for long", () => {
  const { receive, delivered, gre } = session();
  receive(0, 0, 5000);
  assert.deepEqual(delivered, [[0, 0]]);
  receive(1, 5001);
  assert.deepEqual(delivered, [
    [0, 0],
    [5001, 5000],
  ]);
  receive(1, 5002);
  assert.equal(delivered.length, 3);
  assert.equal(gre.counters.lost, 5000);
});
test("what waits when a jump is confirmed is delivered before it, in order", () => {
  const { receive, order } = session();
  receive(0, 0, 3, 2, 9000, 9001);
  assert.deepEqual(order(), [0, 2, 3, 9001]);
});
test("a far packet sent twice is no confirmation", () => {
  const { receive, order } = session();
  receive(0, 0, 70_000, 70_000, 1);
  assert.deepEqual(order(), [0, 1]);
});

test("an acknowledgment is due 100 ms after the first unacknowledged packet", () => {
  const { receive, gre } = session();
  assert.equal(gre.deadline, undefined);
  receive(20, 0);
  receive(90, 1);
  assert.equal(gre.deadline, 120);
  assert.equal(gre.tick(Millis(119)), false);
  assert.equal(gre.tick(Millis(120)), true);
  assert.equal(gre.takeAck(), 1);
  assert.equal(gre.tick(Millis(500)), false);
  assert.equal(gre.deadline, undefined);
});
test("32 unacknowledged packets make it due at once", () => {
  const { receive, gre } = session();
  receive(0, ...Array.from({ length: 31 }, (_, i) => i));
  assert.equal(gre.tick(Millis(1)), false);
  receive(1, 31);
  assert.equal(gre.deadline, 1);
  assert.equal(gre.tick(Millis(1)), true);
  assert.equal(gre.takeAck(), 31);
});
test("a packet we send carries an acknowledgment only when there is something new", () => {
  const { receive, gre } = session();
  assert.equal(gre.takeAck(), undefined);
  receive(0, 7);
  assert.equal(gre.takeAck(), 7);
  assert.equal(gre.takeAck(), undefined);
  receive(1, 7);
  assert.equal(gre.takeAck(), undefined, "a duplicate is nothing new");
  receive(2, 8);
  assert.equal(gre.takeAck(), 8);
});
test("a duplicate of a packet that waits is nothing new either", () => {
  const { receive, gre } = session();
  receive(0, 0, 2);
  assert.equal(gre.takeAck(), 2);
  receive(1, 2);
  assert.equal(gre.takeAck(), undefined);
});
test("the acknowledgment is the highest number, even across gaps, even across the wrap", () => {
  const { receive, gre } = session();
  receive(0, 0xfffffffe, 3, 0);
  assert.equal(gre.takeAck(), 3);
  receive(0, 1);
  assert.equal(gre.takeAck(), 3);
});
test("our own sequence numbers: from the given one, wrapping", () => {
  const { gre } = session({ firstSequence: 0xfffffffe });
  assert.deepEqual([gre.nextSequence(), gre.nextSequence(), gre.nextSequence()], [0xfffffffe, 0xffffffff, 0]);
});
test("in flight: what we sent and the peer has not acknowledged; a nonsense acknowledgment changes nothing", () => {
  const { gre } = session();
  assert.equal(gre.inFlight, undefined);
  for (let i = 0; i < 5; i++) gre.nextSequence(); // 0 to 4
  gre.acknowledged(1);
  assert.equal(gre.inFlight, 3);
  gre.acknowledged(0); // older
  gre.acknowledged(99); // never sent
  assert.equal(gre.inFlight, 3);
  gre.acknowledged(4);
  assert.equal(gre.inFlight, 0);
});

test("under loss, duplication and reordering: strictly increasing, nothing twice, losses add up", () => {
  const network = fc.record({ seed: fc.integer(), loss: fc.nat(30), doubles: fc.nat(30), reach: fc.nat(60) });
  fc.assert(
    fc.property(network, fc.nat(0xffffffff), ({ seed, loss, doubles, reach }, first) => {
      const random = new SeededRandom(seed);
      const arrivals: { readonly at: number; readonly n: number }[] = [{ at: -1, n: 0 }];
      for (let n = 1; n < 400; n++) {
        if (random.below(100) < loss) continue;
        for (let copies = random.below(100) < doubles ? 2 : 1; copies > 0; copies--)
          arrivals.push({ at: n * 3 + random.below(reach + 1), n });
      }
      arrivals.sort((a, b) => a.at - b.at);
      const { receive, delivered, gre } = session();
      for (const { at, n } of arrivals) {
        const now = Math.max(0, at);
        if (gre.deadline !== undefined && gre.deadline <= now) gre.tick(Millis(now));
        receive(now, first + n);
      }
      for (let now = 2000; now < 20_000 && gre.deadline !== undefined; now += 100) {
        gre.tick(Millis(now));
        gre.takeAck();
      }
      let last = -1;
      for (const [sequence, lostBefore] of delivered) {
        const n = (sequence - first) >>> 0;
        assert.equal(n, last + 1 + lostBefore, "increasing, and the loss before it is exactly the gap");
        last = n;
      }
      const distinct = new Set(arrivals.map(({ n }) => n));
      assert.ok(delivered.length <= distinct.size);
      assert.equal(delivered.length + gre.counters.lateOrDuplicate, arrivals.length);
      assert.equal(gre.counters.implausible, 0);
    }),
    { numRuns: 150 },
  );
});

test("patience: each gap waited for in vain shortens the next wait to 20 ms at least, a packet that comes late makes it whole", () => {
  const { gre, receive, order } = session();
  let now = 0;
  let next = 1;
  receive(now, 0);
  const waits: number[] = [];
  for (let gap = 0; gap < 10; gap++) {
    next++; // one is lost
    receive(now, next);
    const since = now;
    while (order().at(-1) !== next) gre.tick(Millis(++now));
    waits.push(now - since);
    next++;
  }
  assert.deepEqual(waits.slice(0, 3), [100, 75, 57]);
  assert.equal(waits.at(-1), 20);
  receive(now, next - 2); // the last one given up comes after all
  receive(now, next + 1);
  const since = now;
  while (order().at(-1) !== next + 1) gre.tick(Millis(++now));
  assert.equal(now - since, 100);
});
