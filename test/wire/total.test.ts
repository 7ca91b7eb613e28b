/** What holds for every codec alike: no bytes make it throw, and what it understood it can say again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { octets } from "../support/arbitrary.ts";
import { CODECS } from "../support/codecs.ts";
import { mutate } from "../support/mutation.ts";
import { SeededRandom } from "../support/seeded-random.ts";

for (const { name, parse, reemit, samples } of CODECS) {
  test(`${name}: the real samples are understood`, () => {
    for (const sample of samples) assert.equal(parse(sample).ok, true, sample.toString("hex"));
  });
  test(`${name}: parse never throws, whatever the bytes`, () =>
    fc.assert(fc.property(octets(260), (b) => void parse(b))));
  test(`${name}: parse never throws on damaged samples, and emits what it understood so that it reads the same`, () =>
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.integer(), (sample, seed) => {
        const bytes = mutate(new SeededRandom(seed), sample);
        const first = parse(bytes);
        const again = reemit(bytes);
        if (again !== undefined) assert.deepEqual(parse(again), first);
      }),
    ));
}
