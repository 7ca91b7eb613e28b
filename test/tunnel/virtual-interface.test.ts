/** The virtual interface of a client tunnel: who dials when, and how long it waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Millis, type Random } from "../../appliance/ports.ts";
import { DEFAULT_REDIAL, type DialPolicy, VirtualInterface } from "../../appliance/tunnel/virtual-interface.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const luck = (word: number): Random => ({ bytes: () => Buffer.from([word >> 8, word & 255]) });
const LOWEST = luck(0);
const HIGHEST = luck(0xffff);

function made(policy: Partial<DialPolicy>, random: Random = new SeededRandom(1)): VirtualInterface {
  return new VirtualInterface({ mode: "always", idleMs: undefined, ...DEFAULT_REDIAL, ...policy }, random);
}

test("always: dials when started, once", () => {
  const it = made({});
  assert.equal(it.start(), true);
  assert.equal(it.start(), false);
  assert.equal(it.at, "dialing");
});

test("manual and on demand: not when started; on demand a packet dials, manual takes Dial only", () => {
  const manual = made({ mode: "manual" });
  assert.equal(manual.start(), false);
  assert.equal(manual.packet(Millis(0)), false);
  assert.equal(manual.dial(), true);
  assert.equal(manual.dial(), false, "it is dialing already");
  const demand = made({ mode: "on-demand" });
  assert.equal(demand.start(), false);
  assert.equal(demand.packet(Millis(0)), true);
  assert.equal(demand.packet(Millis(0)), false);
});

for (const [name, random, share] of [
  ["least", LOWEST, 0.75],
  ["most", HIGHEST, 1.25],
] as const)
  test(`redial waits 2, 4, 8 … 256, 300 s, with ${name} jitter ${share * 100} % of it`, () => {
    const it = made({}, random);
    it.start();
    let now = 0;
    const waits: number[] = [];
    for (let failure = 0; failure < 10; failure++) {
      it.ended(Millis(now));
      assert.equal(it.at, "waiting");
      const until = it.deadline ?? NaN;
      waits.push((until - now) / 1000 / share);
      assert.equal(it.tick(Millis(Math.ceil(until) - 1)), undefined);
      now = Math.ceil(until);
      assert.equal(it.tick(Millis(now)), "dial");
    }
    assert.deepEqual(waits.map(Math.round), [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

test("after any number of failures the wait is within 75 % and 125 % of its step, and never without end", () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer(), (failures, seed) => {
      const it = made({}, new SeededRandom(seed));
      it.start();
      for (let n = 1; n < failures; n++) {
        it.ended(Millis(0));
        it.tick(Millis(1e9));
      }
      it.ended(Millis(0));
      const step = Math.min(300_000, 2_000 * 2 ** (failures - 1));
      const wait = it.deadline ?? NaN;
      assert.ok(wait >= step * 0.75 && wait <= step * 1.25, `${wait} of ${step}`);
    }),
    { numRuns: 50 },
  ));

test("a connection that stood for a minute starts the waits over; a shorter one does not", () => {
  const it = made({}, LOWEST);
  it.start();
  it.ended(Millis(0));
  it.tick(Millis(1500));
  it.connected(Millis(2000));
  it.ended(Millis(61_999));
  assert.equal(it.deadline, 61_999 + 3000, "second step");
  it.tick(Millis(70_000));
  it.connected(Millis(70_000));
  it.ended(Millis(130_000));
  assert.equal(it.deadline, 130_000 + 1500, "first step");
});

test("Hang Up holds an always client down, connected or between attempts, until Dial", () => {
  for (const connected of [true, false]) {
    const it = made({});
    it.start();
    if (connected) it.connected(Millis(0));
    assert.equal(it.hangUp(), true);
    it.ended(Millis(10));
    assert.deepEqual([it.at, it.deadline], ["listening", undefined]);
    assert.equal(it.dial(), true);
    it.ended(Millis(20));
    assert.equal(it.at, "waiting", "Dial ended the hold");
    assert.equal(it.hangUp(), false, "nothing to hang up: it only waited");
    assert.deepEqual([it.at, it.deadline], ["listening", undefined]);
    assert.equal(it.tick(Millis(1e9)), undefined);
  }
});

test("Dial does not wait for the redial timer", () => {
  const it = made({});
  it.start();
  it.ended(Millis(0));
  assert.equal(it.dial(), true);
  assert.equal(it.deadline, undefined);
});

test("a failed attempt of a manual or on-demand client leaves it listening", () => {
  for (const mode of ["manual", "on-demand"] as const) {
    const it = made({ mode });
    it.dial();
    it.ended(Millis(0));
    assert.equal(it.at, "listening");
  }
});

test("idle: hangs up that long after the last packet, not after the connection", () => {
  const it = made({ mode: "on-demand", idleMs: 30_000 });
  it.dial();
  it.connected(Millis(1000));
  assert.equal(it.deadline, 31_000);
  it.traffic(Millis(20_000));
  it.traffic(Millis(15_000)); // told late
  assert.equal(it.deadline, 50_000);
  it.packet(Millis(21_000));
  assert.equal(it.tick(Millis(50_999)), undefined);
  assert.equal(it.tick(Millis(51_000)), "hang-up");
  assert.equal(it.at, "disconnecting");
  assert.equal(it.tick(Millis(60_000)), undefined, "once");
  it.ended(Millis(60_000));
  assert.equal(it.packet(Millis(60_001)), true, "an idle end is no Hang Up");
});

test("without an idle time-out nothing ends a connection", () => {
  const it = made({});
  it.dial();
  it.connected(Millis(0));
  assert.equal(it.deadline, undefined);
  it.traffic(Millis(5));
  assert.equal(it.tick(Millis(1e9)), undefined);
});
