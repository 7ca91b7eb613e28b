/** Luck that can be repeated: xorshift32 from a seed. A test that fails under `withSeed` says which seed to use again. */
import type { Random } from "../../appliance/ports.ts";

export class SeededRandom implements Random {
  #state: number;

  /** Any 32-bit seed; neighbouring seeds give unrelated streams. */
  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
  }
  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  /** 0 to `limit` − 1. */
  below(limit: number): number {
    return this.u32() % limit;
  }
  chance(probability: number): boolean {
    return this.u32() < probability * 0x100000000;
  }
  pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new RangeError("pick: empty list");
    return item;
  }
  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) bytes[at] = this.u32() >>> 24;
    return bytes;
  }
}

/** Runs a random test; what it throws names the seed. */
export function withSeed(seed: number, run: (random: SeededRandom) => void): void {
  try {
    run(new SeededRandom(seed));
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
