/** What a lab is: named nodes and the links between their NICs, declared once, so that the compiler knows every name. */
import type { LabClock } from "./clock.ts";
import { checkImpairment, type Impairment } from "./net/impairment.ts";
import type { Link } from "./net/link.ts";
import type { NodeDefinition } from "./node/definition.ts";

export type AnyNodes = Readonly<Record<string, NodeDefinition<unknown, string>>>;
type PortNames<N extends AnyNodes> = {
  [K in keyof N & string]: N[K] extends NodeDefinition<unknown, infer Nic> ? `${K}.${Nic}` : never;
}[keyof N & string];

/** The ports of a link, as `node.nic`, and what it is like from the start; scenarios can make it worse and better. */
export type LinkDefinition<Port extends string = string> =
  | readonly Port[]
  | { readonly ports: readonly Port[]; readonly impairment: Impairment };

export interface LabDefinition<N extends AnyNodes = AnyNodes, L extends string = string> {
  readonly nodes: N;
  readonly links: Readonly<Record<L, LinkDefinition>>;
}

export type NodesOf<N extends AnyNodes> = {
  readonly [K in keyof N]: N[K] extends NodeDefinition<infer Node, string> ? Node : never;
};

export type LinksOf<N extends AnyNodes, L extends string> = Readonly<Record<L, Link<keyof N & string>>>;

/** A running lab. It is over when its scenario is: the next one gets another. */
export interface Lab<N extends AnyNodes = AnyNodes, L extends string = string> {
  readonly node: NodesOf<N>;
  readonly link: LinksOf<N, L>;
  readonly clock: LabClock;
}

/** The lab that a definition describes, once it runs. */
export type LabOf<D> = D extends LabDefinition<infer N, infer L> ? Lab<N, L> : never;

/** Checks at compile time that every link names NICs that exist, and at run time that no NIC is plugged twice and impairments can be. */
export function defineLab<const N extends AnyNodes, L extends string>(definition: {
  readonly nodes: N;
  readonly links: Readonly<Record<L, LinkDefinition<PortNames<N>>>>;
}): LabDefinition<N, L> {
  const plugged = new Map<string, string>();
  for (const [link, plan] of Object.entries<LinkDefinition>(definition.links)) {
    const { ports, impairment } = linkPlan(plan);
    if (impairment !== undefined) checkImpairment(impairment);
    for (const port of ports) {
      const other = plugged.get(port);
      if (other !== undefined) throw new Error(`${port} is plugged into both ${other} and ${link}`);
      plugged.set(port, link);
    }
  }
  return definition;
}

export function linkPlan(plan: LinkDefinition): {
  readonly ports: readonly string[];
  readonly impairment: Impairment | undefined;
} {
  return "ports" in plan ? plan : { ports: plan, impairment: undefined };
}
