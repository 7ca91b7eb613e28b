/**
 * Scenarios: each proves one claim about a running lab, step by step. A suite is a lab, the stages that it can be brought to,
 * and its scenarios. A scenario with `from` gets a lab of its own, fresh at that stage: restored from a snapshot where the lab
 * can be saved. Scenarios without share one lab, one after the other, and say which others they `need`.
 */
import { BOARDS } from "../image/boards/boards.ts";
import { type BenchOverrides, resolveBench } from "./bench/resolve.ts";
import type { Lab, LabDefinition, LabOf } from "./lab.ts";
import type { BoardChoice } from "./node/qemu/firmware.ts";
import type { RealWindowsSettings } from "./peers/windows/node.ts";
import { UsageError } from "./usage-error.ts";

/** Runs one named step. The name completes "failed at: …", so it says what is done and what must come of it. */
export type Step = <T>(name: string, work: () => Promise<T> | T) => Promise<T>;

export interface Claim {
  /** Small letters and `-`: what `--filter` matches and the reports show. */
  readonly name: string;
  /** One sentence that is true if the scenario passes. */
  readonly claim: string;
  /** Scenarios of the suite that must have passed before: they leave the shared lab as this one needs it. */
  readonly needs?: readonly string[];
  /** The stage at which this one gets a lab of its own. */
  readonly from?: string;
  /** Why no peer of this lab can show it: the scenario is listed and reported with this reason, and does not run. */
  readonly impossible?: string;
  /** It runs and is reported, and does not fail the run, up to that day. */
  readonly quarantine?: Quarantine;
}

/** Why a failing scenario is put up with, and until when: a quarantine that is over fails the run. */
export interface Quarantine {
  readonly reason: string;
  /** The last day of it, `2027-01-31`. */
  readonly until: string;
}

/** `S` are the stages that it may start from. */
export interface Scenario<L, S extends string = never> extends Claim {
  readonly from?: S | typeof BOOTED;
  run(lab: L, step: Step): Promise<void>;
}

/** Every lab has this stage: all nodes are up, and nobody has asked them for anything. */
export const BOOTED = "booted";

/** A state of a lab that is worth coming back to. */
export interface Stage<L, S extends string = never> {
  /** One sentence that is true once it is reached. */
  readonly claim: string;
  /** The stage that it builds on; `booted` unless given. */
  readonly after?: S;
  run(lab: L, step: Step): Promise<void>;
}

/** A real Windows, without its place in a lab. */
export type RealWindowsChoice = Pick<RealWindowsSettings, "image" | "credentials">;

export interface StagePlan {
  readonly name: string;
  readonly claim: string;
  readonly after: string;
}

/** A suite whose lab's types are known only inside. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly lab: LabDefinition;
  readonly stages: readonly StagePlan[];
  readonly scenarios: readonly Claim[];
  /** Always boot, at least once a run: for suites that prove that the lab boots. */
  readonly cold: boolean;
  /** Nodes that are benches, and the same suite with other ones. */
  readonly benches?: { readonly nodes: readonly string[]; on(overrides: BenchOverrides): Suite };
  /** The same suite with all its devices another board, which must exist, or booted in another way. */
  onBoard?(choice: BoardChoice): Suite;
  /** The same claims with a real Windows in the place of the one that is played. */
  onWindows?(windows: RealWindowsChoice): Suite;
  /** Runs a stage's or a scenario's steps in a lab made from `lab`. */
  runStage(name: string, lab: Lab, step: Step): Promise<void>;
  runScenario(name: string, lab: Lab, step: Step): Promise<void>;
}

interface SuiteParts<D extends LabDefinition, S extends string> {
  readonly name: string;
  readonly title: string;
  readonly lab: D;
  readonly stages?: Readonly<Record<S, Stage<LabOf<D>, NoInfer<S>>>>;
  readonly scenarios: readonly (Scenario<LabOf<D>, NoInfer<S>> | (Claim & { readonly impossible: string }))[];
  readonly cold?: boolean;
}

export function defineSuite<D extends LabDefinition, S extends string = never>(suite: SuiteParts<D, S>): Suite {
  const { name, title, lab, scenarios, cold = false } = suite;
  const stages = Object.entries<Stage<LabOf<D>, string>>(suite.stages ?? {});
  const nodes = Object.entries(lab.nodes);
  const devices = nodes.filter(([, { onBoard }]) => onBoard !== undefined).map(([node]) => node);
  /** The same suite, with each device on the board that `choose` has for it. */
  const withNodes = (choose: (node: string) => BoardChoice | undefined): Suite => {
    const others = nodes.map(([node, definition]) => {
      const choice = devices.includes(node) ? choose(node) : undefined;
      return [node, (choice === undefined ? undefined : definition.onBoard?.(choice)) ?? definition];
    });
    return defineSuite({ ...suite, lab: { ...lab, nodes: Object.fromEntries(others) } });
  };
  return {
    name,
    title,
    lab,
    stages: stages.map(([stage, { claim, after }]) => ({ name: stage, claim, after: after ?? BOOTED })),
    scenarios,
    cold,
    benches: { nodes: devices, on: (overrides) => withNodes((node) => boardOf(node, overrides)) },
    ...(devices.length > 0 && { onBoard: (choice: BoardChoice) => withNodes(() => choice) }),
    // Both are called with labs that were made from this suite's own definition.
    runStage: async (wanted, running, step) => {
      const stage = stages.find(([each]) => each === wanted);
      await stage?.[1].run(running as unknown as LabOf<D>, step);
    },
    runScenario: async (wanted, running, step) => {
      const scenario = scenarios.find((each) => each.name === wanted);
      if (scenario !== undefined && "run" in scenario) await scenario.run(running as unknown as LabOf<D>, step);
    },
  };
}

/** The board of the bench that takes a device's place, if one does. Throws a UsageError for a bench without an image of ours. */
function boardOf(node: string, overrides: BenchOverrides): BoardChoice | undefined {
  if (!overrides.has(node)) return undefined;
  const { name, board, firmware } = resolveBench(node, "", overrides);
  if (board !== undefined && BOARDS.some((each) => each.name === board)) return { board, firmware };
  const offer = BOARDS.map((each) => `qemu-${each.name}`).join(", ");
  throw new UsageError(`--bench ${node}=${name}: ${node} boots an image of ours in QEMU; it can be ${offer}`);
}

/** What a scenario expected and did not find. */
export class CheckError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CheckError";
  }
}

/** `otherwise` says what was found, where, and what it should have been. */
export function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new CheckError(otherwise);
}

/** The words of a filter such as `mppe-40,pap`. */
export function filterWords(filter: string): readonly string[] {
  return filter.split(",").filter((word) => word !== "");
}

/** The scenarios whose name contains a word of `filter`, with all that they need, in the suite's order. */
export function selectScenarios(suite: Suite, filter: string | undefined): Suite["scenarios"] {
  if (filter === undefined) return suite.scenarios;
  const words = filterWords(filter);
  const wanted = new Set<string>();
  const add = (name: string): void => {
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const need of suite.scenarios.find((each) => each.name === name)?.needs ?? []) add(need);
  };
  for (const { name } of suite.scenarios) if (words.some((word) => name.includes(word))) add(name);
  return suite.scenarios.filter((each) => wanted.has(each.name));
}
