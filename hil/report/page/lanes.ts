/** Where each lane of the time line lies, from top to bottom. */
import type { PageData } from "./data.ts";

export type Lane =
  | { readonly kind: "ruler" | "scenarios" | "steps" | "marks" }
  | { readonly kind: "node" | "link"; readonly index: number };

export interface PlacedLane {
  readonly lane: Lane;
  readonly name: string;
  readonly top: number;
  readonly height: number;
}

/** Pixels that names take at the left. */
export const GUTTER = 132;
const GAP = 3;
const HEIGHT = { ruler: 18, scenarios: 19, steps: 17, marks: 17, node: 20, link: 26 } as const;

export function placeLanes({ nodes, links }: PageData): {
  readonly lanes: readonly PlacedLane[];
  readonly height: number;
} {
  const wanted: readonly (readonly [Lane, string])[] = [
    [{ kind: "ruler" }, ""],
    [{ kind: "scenarios" }, "scenarios"],
    [{ kind: "steps" }, "steps"],
    [{ kind: "marks" }, "faults, traps"],
    ...nodes.map(({ name }, index) => [{ kind: "node", index }, name] as const),
    ...links.map(({ name }, index) => [{ kind: "link", index }, `${name} (link)`] as const),
  ];
  const lanes: PlacedLane[] = [];
  let top = 0;
  for (const [lane, name] of wanted) {
    const height = HEIGHT[lane.kind];
    lanes.push({ lane, name, top, height });
    top += height + GAP;
  }
  return { lanes, height: top };
}
