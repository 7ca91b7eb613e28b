/** Codecs against bytes nobody meant: random ones and damaged real ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CODECS } from "../support/codecs.ts";
import { campaign } from "../support/fuzzing.ts";
import { mutate } from "../support/mutation.ts";

for (const { name, parse, reemit, samples } of CODECS)
  test(`${name}: never throws; what it understood it says again so that it reads the same`, (t) => {
    campaign(t, 1_000_000, (random) => {
      const bytes = random.chance(0.3) ? random.bytes(random.below(80)) : mutate(random, random.pick(samples));
      const parsed = parse(bytes);
      if (!parsed.ok || random.below(8) > 0) return;
      const again = reemit(bytes);
      if (again === undefined) return;
      assert.ok(again.length <= bytes.length + 256, "no amplification");
      assert.deepEqual(parse(again), parsed);
    });
  });
