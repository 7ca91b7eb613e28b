/** Which bench a node of a suite is: the one that the suite names, or the one that `--bench NODE=FILE` puts in its place. */
import { UsageError } from "../usage-error.ts";
import { loadBench } from "./load.ts";
import type { Bench } from "./schema.ts";

/** Node to name or path of a bench file. */
export type BenchOverrides = ReadonlyMap<string, string>;

/** Throws a UsageError or BenchFileError for a file that cannot be used. */
export function resolveBench(node: string, standard: string, overrides: BenchOverrides): Bench {
  return loadBench(overrides.get(node) ?? standard);
}

/** Reads `--bench dut=FILE` options. Throws a UsageError for one that is not understood or names a node that takes no bench. */
export function parseBenchOptions(options: readonly string[], nodes: readonly string[]): BenchOverrides {
  const overrides = new Map<string, string>();
  for (const option of options) {
    const [, node = "", file = ""] = /^([^=]+)=(.+)$/.exec(option) ?? [];
    if (node === "") throw new UsageError(`--bench ${option}: it is NODE=FILE, as in --bench dut=router-bench-1`);
    if (!nodes.includes(node)) {
      const offer = nodes.length === 0 ? "this suite has no node that a bench can be" : `there is ${nodes.join(", ")}`;
      throw new UsageError(`--bench ${option}: ${offer}`);
    }
    if (overrides.has(node)) throw new UsageError(`--bench ${option}: ${node} has a bench already`);
    overrides.set(node, file);
  }
  return overrides;
}
