/** The lines of the sequence diagram: packets, and between them steps and marks, in the order of time. */
import type { Selection, Store } from "./store.ts";
import { firstNotBefore } from "./track.ts";

export interface Item {
  readonly at: number;
  readonly selection: Selection;
}

/** What the filters and the window of the clock let through. */
export function itemsOf(store: Store): Item[] {
  const { data, view } = store;
  const items: Item[] = [];
  const hasRow = (kind: string): boolean => kind === "fault" || (kind === "trap" && data.rows.length > 0);
  const inSight = (from: number, to = from): boolean => to >= view.from && from <= view.to;
  for (const [row, each] of data.rows.entries()) {
    if (inSight(each.at, each.to) && store.isRowShown(each))
      items.push({ at: each.at, selection: { kind: "row", row } });
  }
  for (const [mark, { at, where, kind }] of data.marks.entries()) {
    // A harmed or trapped frame has a row of its own, which says so.
    if (hasRow(kind) || !inSight(at) || !store.isTimeShown(at) || !store.isPlaceShown(where)) continue;
    items.push({ at, selection: { kind: "mark", mark } });
  }
  for (const [scenario, { attempts }] of data.scenarios.entries()) {
    for (const [attempt, { steps }] of attempts.entries()) {
      for (const [step, { from }] of steps.entries()) {
        if (inSight(from) && store.isTimeShown(from)) {
          items.push({ at: from, selection: { kind: "step", scenario, attempt, step } });
        }
      }
    }
  }
  return items.sort((a, b) => a.at - b.at || rank(a) - rank(b));
}

/** A step begins before what happens at the same instant. */
function rank({ selection }: Item): number {
  return selection.kind === "step" ? 0 : selection.kind === "mark" ? 1 : 2;
}

export function isSame(a: Selection | undefined, b: Selection | undefined): boolean {
  if (a === undefined || b === undefined || a.kind !== b.kind) return false;
  return (Object.keys(a) as (keyof Selection)[]).every((key) => a[key] === b[key]);
}

/** The item that is selected, or else the last one at or before that time. */
export function itemAt(items: readonly Item[], at: number, selection: Selection | undefined): number {
  const selected = items.findIndex((item) => isSame(item.selection, selection));
  if (selected >= 0) return selected;
  return Math.max(0, firstNotBefore(items.length, (n) => items[n]?.at ?? 0, at + 1e-9) - 1);
}
