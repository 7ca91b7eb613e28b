/** The GRE session against any sequence numbers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { GreSession } from "../../appliance/pptp/gre-session.ts";
import { campaign, holdsNoMore } from "../support/fuzzing.ts";
import type { SeededRandom } from "../support/seeded-random.ts";

function next(random: SeededRandom, around: number): number {
  const dice = random.below(100);
  if (dice < 60) return (around + 1) >>> 0;
  if (dice < 80) return (around + random.below(40) - 8) >>> 0;
  if (dice < 90) return (around + random.below(5000)) >>> 0;
  if (dice < 95) return random.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff]);
  return random.u32();
}

test("delivery only moves forward, each number at most once, and losses are what the counter says", (t) =>
  campaign(t, 100_000, (random) => {
    let last: number | undefined;
    let given = 0;
    let delivered = 0;
    let lost = 0;
    const session = new GreSession((payload, lostBefore) => {
      const sequence = payload.readUInt32BE();
      if (last !== undefined) {
        const step = (sequence - last) >>> 0;
        assert.equal(step, lostBefore + 1);
        assert.ok(step <= 0x80000000, "backwards"); // half the circle is the farthest a jump may go
      }
      last = sequence;
      delivered++;
      lost += lostBefore;
    });
    let now = 0;
    let around = random.pick([0, 1, 0xfffffff0, random.u32()]);
    for (let steps = 10 + random.below(120); steps > 0; steps--) {
      now += random.below(20);
      const sequence = next(random, around);
      if (((sequence - around) | 0) > 0 && ((sequence - around) | 0) < 3000) around = sequence;
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(sequence);
      session.receive(sequence, payload, Millis(now));
      given++;
      if (random.chance(0.1)) session.acknowledged(random.u32());
      if (random.chance(0.2)) {
        const ack = session.takeAck();
        assert.ok(ack === undefined || (ack >= 0 && ack <= 0xffffffff));
      }
      if (session.deadline !== undefined && session.deadline <= now) session.tick(Millis(now));
    }
    for (let turns = 0; session.deadline !== undefined; turns++) {
      assert.ok(turns < 100, "deadlines do not move on");
      now = Math.max(now, session.deadline);
      if (session.tick(Millis(now))) session.takeAck();
    }
    const { lateOrDuplicate, implausible } = session.counters;
    assert.equal(delivered + lateOrDuplicate + implausible, given, "every packet is accounted for");
    assert.equal(lost, session.counters.lost);
  }));
test("one session that never ends holds no more than its reorder buffer", (t) => {
  const session = new GreSession(() => {});
  let around = 0;
  const payload = Buffer.alloc(1400);
  holdsNoMore(t, 1_000_000, (random) => {
    const sequence = next(random, around);
    if (((sequence - around) | 0) > 0 && ((sequence - around) | 0) < 3000) around = sequence;
    session.receive(sequence, payload, Millis(0));
  });
});
