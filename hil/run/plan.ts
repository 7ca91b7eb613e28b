/**
 * Which scenarios run where. The smallest part of a suite that can run by itself is a scenario with a lab of its own; those that
 * share a lab are one part. Parts are dealt out to shards (computers of a CI engine) and to jobs (labs side by side) in the same way.
 */
import { type Claim, type Suite, selectScenarios } from "../scenario.ts";

/** Names of scenarios that run one after the other. */
export type Part = readonly string[];

/** Milliseconds that each scenario took in an earlier run, by `suite/scenario`; what is missing counts as the mean. */
export type Durations = ReadonlyMap<string, number>;

/** The parts of a suite that a filter takes, in the suite's order. */
export function partsOf(suite: Suite, filter: string | undefined): readonly Part[] {
  const selected = selectScenarios(suite, filter);
  const names = (scenarios: readonly Claim[]): Part => scenarios.map(({ name }) => name);
  const shared = selected.filter(({ from }) => from === undefined);
  const own = selected.filter(({ from }) => from !== undefined);
  return [...(shared.length === 0 ? [] : [names(shared)]), ...own.map((scenario) => names([scenario]))];
}

/**
 * Deals the parts out to `count` hands, the longest first and each to the hand that has least; every hand keeps the suite's order.
 * The same parts and durations give the same hands, so that shards need not talk to each other.
 */
export function deal(suite: string, parts: readonly Part[], count: number, durations: Durations): readonly Part[] {
  const known = [...durations.values()];
  const mean = known.length === 0 ? 1 : known.reduce((sum, each) => sum + each, 0) / known.length;
  const weightOf = (part: Part): number =>
    part.reduce((sum, name) => sum + (durations.get(`${suite}/${name}`) ?? mean), 0);
  const hands = Array.from({ length: count }, () => ({ weight: 0, places: [] as number[] }));
  const longestFirst = parts.map((part, place) => ({ place, weight: weightOf(part) }));
  longestFirst.sort((a, b) => b.weight - a.weight || a.place - b.place);
  for (const { place, weight } of longestFirst) {
    const least = hands.reduce((best, hand) => (hand.weight < best.weight ? hand : best));
    least.weight += weight;
    least.places.push(place);
  }
  return hands.map(({ places }) => places.sort((a, b) => a - b).flatMap((place) => parts[place] ?? []));
}

export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** `2/4`; undefined for anything else. */
export function parseShard(text: string): Shard | undefined {
  const [, first, second] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? [];
  const [index, count] = [Number(first), Number(second)];
  return first !== undefined && index >= 1 && index <= count ? { index, count } : undefined;
}

export interface Budget {
  readonly processors: number;
  readonly memoryMib: number;
}

/** A busy emulated machine takes a processor; of a lab's machines about two are busy at once. */
const PROCESSORS_PER_LAB = 2;
/** For this process, QEMU itself and the rest of the computer. */
const SPARE_MIB = 1024;

/** How many labs of this size run side by side: at least one, even if it is too large. */
export function jobsWithin(budget: Budget, labMib: number): number {
  const byProcessors = Math.floor(budget.processors / PROCESSORS_PER_LAB);
  const byMemory = Math.floor((budget.memoryMib - SPARE_MIB) / Math.max(1, labMib));
  return Math.max(1, Math.min(byProcessors, byMemory));
}

/** The memory of a lab's machines. */
export function labMemoryMib({ lab }: Pick<Suite, "lab">): number {
  return Object.values(lab.nodes).reduce((sum, { memoryMib }) => sum + (memoryMib ?? 0), 0);
}

/** Reads `results.ndjson` of an earlier run, merged or not. Lines that are none are passed over. */
export function parseDurations(text: string): Durations {
  const durations = new Map<string, number>();
  for (const line of text.split("\n")) {
    const { suite, scenario, durationMs } = parseLine(line);
    if (typeof suite !== "string" || typeof scenario !== "string" || typeof durationMs !== "number") continue;
    durations.set(`${suite}/${scenario}`, durationMs);
  }
  return durations;
}

function parseLine(line: string): { suite?: unknown; scenario?: unknown; durationMs?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
