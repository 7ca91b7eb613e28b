/**
 * How much to fuzz, and with which seeds. `CULVERT_FUZZ_RUNS` scales the counts (1 is the full campaign, `npm run
 * test:fuzz`; without it a slice of a few seconds), `CULVERT_FUZZ_SEED` is the first seed. A failure names its seed:
 * give it back with few runs to see it again.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import process from "node:process";
import type { TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type SeededRandom, withSeed } from "./seeded-random.ts";

const SLICE = 0.003;
const HEAP_TOLERANCE = 2_000_000;

function fromEnvironment(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`${name}=${text}: give a number, 0 or more`);
  return value;
}

/** Runs `one` with fresh luck each time, `fullCount` times in the full campaign. */
export function campaign(t: TestContext, fullCount: number, one: (random: SeededRandom) => void): void {
  const { count, seed, done } = plan(t, fullCount);
  for (let i = 0; i < count; i++) withSeed(seed + i, one);
  done();
}

/** The same for runs that wait for something. */
export async function campaignOf(
  t: TestContext,
  fullCount: number,
  one: (random: SeededRandom) => Promise<void>,
): Promise<void> {
  const { count, seed, done } = plan(t, fullCount);
  for (let i = 0; i < count; i++) {
    let run: Promise<void> | undefined;
    withSeed(seed + i, (random) => {
      run = one(random);
    });
    await run?.catch((error: unknown) => {
      throw new Error(`seed ${seed + i}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
  }
  done();
}

function plan(t: TestContext, fullCount: number): { count: number; seed: number; done: () => void } {
  const count = Math.max(1, Math.round(fullCount * (fromEnvironment("CULVERT_FUZZ_RUNS") ?? SLICE)));
  const seed = fromEnvironment("CULVERT_FUZZ_SEED") ?? randomInt(2 ** 31);
  const began = performance.now();
  const done = (): void => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    t.diagnostic(`${count} runs from seed ${seed} in ${seconds} s`);
  };
  return { count, seed, done };
}

let collect: (() => void) | undefined;
/** Bytes of live heap, garbage collected first. */
function heap(): number {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Fails when one long-lived machine, fed by `feed` over and over, holds more and more memory. */
export function holdsNoMore(t: TestContext, fullCount: number, feed: (random: SeededRandom) => void): void {
  campaign(t, fullCount / 10, feed); // warm: caches, compiled code, collections at their limits
  const before = heap();
  campaign(t, fullCount, feed);
  let grown = heap() - before;
  // The bytes of dead buffers are given back beside the program, late when the machine is busy. A leak stays.
  for (let again = 0; again < 10 && grown > HEAP_TOLERANCE; again++) grown = heap() - before;
  t.diagnostic(`heap drift ${grown} bytes`);
  assert.ok(grown <= HEAP_TOLERANCE, `the machine holds ${grown} bytes more than before`);
}
