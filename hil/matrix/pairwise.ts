/**
 * A small set of cells in which every pair of values occurs that can occur at all. A pair that some working cell has must be in
 * a working cell of the set: one that fails by plan proves nothing of its other values.
 */
import { createHash } from "node:crypto";
import { type Cell, cellName, DIMENSION_NAMES, DIMENSIONS, everyCell } from "./cell.ts";
import { expectationOf } from "./expectation.ts";
import { forbidding } from "./rules.ts";

/** `peer=poptop role=client` */
export type Pair = string;

let possible: readonly Cell[] | undefined;

/** Those that no rule forbids: a few thousand of some sixty thousand. */
export function possibleCells(): readonly Cell[] {
  possible ??= [...everyCell()].filter((cell) => forbidding(cell) === undefined);
  return possible;
}

export function pairsOf(cell: Cell): readonly Pair[] {
  return DIMENSION_NAMES.flatMap((first, index) =>
    DIMENSION_NAMES.slice(index + 1).map((second) => `${first}=${cell[first]} ${second}=${cell[second]}`),
  );
}

/** Every pair that a set has to have, and whether it must be in a working cell. */
export function pairsToCover(cells: readonly Cell[]): ReadonlyMap<Pair, "working" | "any"> {
  const pairs = new Map<Pair, "working" | "any">();
  for (const cell of cells) {
    const works = expectationOf(cell).outcome === "pass";
    for (const pair of pairsOf(cell)) {
      if (works) pairs.set(pair, "working");
      else if (!pairs.has(pair)) pairs.set(pair, "any");
    }
  }
  return pairs;
}

/** The pairs of `wanted` that no cell of the set covers. */
export function uncovered(set: readonly Cell[], wanted: ReadonlyMap<Pair, "working" | "any">): readonly Pair[] {
  const left = new Map(wanted);
  for (const cell of set) {
    const works = expectationOf(cell).outcome === "pass";
    for (const pair of pairsOf(cell)) if (works || left.get(pair) === "any") left.delete(pair);
  }
  return [...left.keys()];
}

/** Greedy: always the cell that covers most of what is left. The same seed gives the same set. */
export function pairwiseCells(seed: number): readonly Cell[] {
  const numbers = new Map<Pair, number>();
  const cells = shuffled(possibleCells(), seed);
  const wanted = pairsToCover(cells);
  for (const pair of wanted.keys()) numbers.set(pair, numbers.size);
  const isLeft = new Uint8Array(numbers.size).fill(1);
  // A few thousand cells are looked at for each one that is taken: what they cover is worked out once.
  const candidates = cells.map((cell) => {
    const works = expectationOf(cell).outcome === "pass";
    const counting = pairsOf(cell).filter((pair) => works || wanted.get(pair) === "any");
    return { cell, covers: counting.map((pair) => numbers.get(pair) ?? 0) };
  });
  const set: Cell[] = [];
  for (;;) {
    let best: (typeof candidates)[number] | undefined;
    let most = 0;
    for (const candidate of candidates) {
      let count = 0;
      for (const pair of candidate.covers) count += isLeft[pair] ?? 0;
      if (count > most) [best, most] = [candidate, count];
    }
    if (best === undefined) return inOrder(set);
    set.push(best.cell);
    for (const pair of best.covers) isLeft[pair] = 0;
  }
}

/** At most so many cells of one peer and role, half of them of calls that fail by plan: what `npm test` has time for. */
export function sliceCells(seed: number, count: number): readonly Cell[] {
  const quick = shuffled(possibleCells().filter(isQuick), seed);
  const [first] = quick;
  const together = quick.filter(({ peer, role }) => peer === first?.peer && role === first.role);
  const works = together.filter((cell) => expectationOf(cell).outcome === "pass");
  const fails = together.filter((cell) => expectationOf(cell).outcome === "fail");
  return inOrder([...works.slice(0, Math.ceil(count / 2)), ...fails.slice(0, Math.floor(count / 2))]);
}

/** Neither half a minute of LCP without answers, nor a line that is slow on purpose, nor the lab with a NAT box. */
function isQuick({ network, fault }: Cell): boolean {
  return (network === "clean" || network === "reorder") && !fault.startsWith("gre-") && fault !== "server-restarted";
}

/** By the order of the dimensions' values, so that cells of one lab stand together. */
function inOrder(cells: readonly Cell[]): readonly Cell[] {
  const placeOf = (cell: Cell): number =>
    DIMENSION_NAMES.reduce(
      (place, dimension) =>
        place * DIMENSIONS[dimension].length + (DIMENSIONS[dimension] as readonly string[]).indexOf(cell[dimension]),
      0,
    );
  return [...cells].sort((a, b) => placeOf(a) - placeOf(b));
}

/** The same seed gives the same order. A hash of each name, so that one cell more changes the place of no other. */
function shuffled(cells: readonly Cell[], seed: number): readonly Cell[] {
  const keyOf = (cell: Cell): string =>
    createHash("sha256")
      .update(`${seed} ${cellName(cell)}`)
      .digest("hex");
  const keyed = cells.map((cell) => ({ cell, key: keyOf(cell) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ cell }) => cell);
}
