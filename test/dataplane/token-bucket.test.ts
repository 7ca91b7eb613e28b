import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TokenBucket } from "../../appliance/dataplane/token-bucket.ts";
import { Millis } from "../../appliance/ports.ts";

/** Bytes that pass when packets of `size` bytes come every `everyMs` for `seconds`. */
function passed(bitsPerSecond: number, size: number, everyMs: number, seconds: number): number {
  const bucket = new TokenBucket(bitsPerSecond);
  let bytes = 0;
  for (let at = 0; at < seconds * 1000; at += everyMs) if (bucket.take(size, Millis(at))) bytes += size;
  return bytes;
}

for (const [kbits, size] of [
  [64, 1400],
  [512, 1400],
  [2000, 60],
  [8000, 1400],
  [100_000, 1400],
] as const)
  test(`${kbits} kbit/s, packets of ${size} bytes, twice as many as may pass: the rate, within 1 % and one burst`, () => {
    const rate = kbits * 1000;
    const bytes = passed(rate, size, (size * 8 * 1000) / (rate * 2), 60);
    const burst = Math.max(24_000, (rate / 8) * 0.25);
    const nominal = (rate / 8) * 60;
    assert.ok(bytes <= nominal + burst && bytes >= nominal * 0.99, `${bytes} of ${nominal}`);
  });

test("below the rate nothing is dropped", () => {
  const size = 1400;
  assert.equal(passed(1_000_000, size, 20, 60), (60_000 / 20) * size);
});

test("after a rest one burst passes at once, and not more", () => {
  const bucket = new TokenBucket(800_000); // 100 bytes per ms, a burst of 25 000
  const burst = (now: number): number => {
    let packets = 0;
    while (bucket.take(1000, Millis(now))) packets++;
    return packets;
  };
  assert.equal(burst(0), 25);
  assert.equal(burst(0), 0);
  assert.equal(burst(50), 5);
  assert.equal(burst(1_000_000), 25, "however long the rest");
});

test("a clock that steps back gives nothing away", () => {
  const bucket = new TokenBucket(800_000);
  while (bucket.take(1000, Millis(1000)));
  assert.equal(bucket.take(1000, Millis(0)), false);
});

test("in any window no more passes than the rate and one burst", () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ wait: fc.nat(100), size: fc.integer({ min: 20, max: 1500 }) }), { maxLength: 300 }),
      (packets) => {
        const bucket = new TokenBucket(400_000);
        let now = 0;
        let bytes = 0;
        for (const { wait, size } of packets) {
          now += wait;
          if (bucket.take(size, Millis(now))) bytes += size;
        }
        assert.ok(bytes <= 24_000 + now * 50);
      },
    ),
  ));
