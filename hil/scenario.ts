/** Scenarios: each proves one claim about a running lab, step by step. A suite is a lab and the scenarios that share it. */
import type { Lab, LabDefinition, LabHost, LabOf } from "./lab.ts";

/** Runs one named step. The name completes "failed at: …", so it says what is done and what must come of it. */
export type Step = <T>(name: string, work: () => Promise<T> | T) => Promise<T>;

export interface Claim {
  /** Small letters and `-`: what `--filter` matches and the reports show. */
  readonly name: string;
  /** One sentence that is true if the scenario passes. */
  readonly claim: string;
  /** Scenarios of the suite that must have passed before: they leave the lab as this one needs it. */
  readonly needs?: readonly string[];
  /** Why no peer of this lab can show it: the scenario is listed and reported with this reason, and does not run. */
  readonly impossible?: string;
}

export interface Scenario<L> extends Claim {
  run(lab: L, step: Step): Promise<void>;
}

export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly scenarios: readonly Claim[];
  /** Brings the lab up and returns how to run each scenario in it. */
  open(host: LabHost): Promise<(scenario: string, step: Step) => Promise<void>>;
}

export function defineSuite<D extends LabDefinition>(suite: {
  readonly name: string;
  readonly title: string;
  readonly lab: D;
  readonly scenarios: readonly (Scenario<LabOf<D>> | (Claim & { readonly impossible: string }))[];
}): Suite {
  const { name, title, lab, scenarios } = suite;
  return {
    name,
    title,
    scenarios,
    open: async (host) => {
      const running: Lab = await host.up(lab);
      return async (wanted, step) => {
        const scenario = scenarios.find((each) => each.name === wanted);
        // `running` was made from this very definition.
        if (scenario !== undefined && "run" in scenario) await scenario.run(running as unknown as LabOf<D>, step);
      };
    },
  };
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
