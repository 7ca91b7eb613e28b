/** Scenarios and their steps as a list; a step is an instant on the clock. */
import type { PageScenario } from "./data.ts";
import { centre, el } from "./dom.ts";
import { isSame } from "./sequence-items.ts";
import type { Selection, Store } from "./store.ts";

const WORD: Readonly<Record<string, string>> = { blocked: "not run", interrupted: "cut off" };

export class Scenarios {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #folds: readonly HTMLDetailsElement[];
  readonly #steps: {
    readonly selection: Selection;
    readonly from: number;
    readonly to: number;
    readonly element: HTMLElement;
  }[] = [];
  readonly #onlys: readonly HTMLButtonElement[];

  constructor(store: Store) {
    this.#store = store;
    const made = store.data.scenarios.map((scenario, index) => this.#scenario(scenario, index));
    this.#folds = made.map(({ fold }) => fold);
    this.#onlys = made.map(({ only }) => only);
    this.element = el("section", { class: "pane scenarios", "aria-label": "Scenarios and steps" }, ...this.#folds);
    store.onChange((changes) => {
      if (changes.has("cursor")) this.#follow();
      if (changes.has("filter")) this.#mark();
    });
  }

  #scenario(scenario: PageScenario, index: number) {
    const { name, claim, verdict, because, attempts } = scenario;
    const took = attempts.reduce((sum, { from, to }) => sum + to - from, 0);
    const only = el(
      "button",
      { type: "button", class: "only", title: "Show only what happened while it ran", "aria-pressed": "false" },
      "only this",
    );
    only.addEventListener("click", (event) => {
      event.preventDefault();
      this.#store.only(this.#store.filter.scenario === index ? undefined : index);
    });
    const summary = el(
      "summary",
      {},
      el("span", { class: "badge" }, WORD[verdict] ?? verdict),
      el("b", {}, name),
      el("span", { class: "took" }, attempts.length === 0 ? "" : `${took.toFixed(1)} s`),
    );
    const steps = attempts.flatMap((attempt, number) => [
      attempts.length > 1 ? el("p", { class: "attempt" }, `attempt ${number + 1}`) : undefined,
      ...attempt.steps.map((step, at) => {
        const selection = { kind: "step", scenario: index, attempt: number, step: at } as const;
        const kind = step.failure !== undefined ? "step bad" : step.open ? "step open" : "step";
        const element = el(
          "button",
          { type: "button", class: kind },
          el("span", {}, step.name),
          el("time", {}, `${step.from.toFixed(1)} s`),
          el("time", {}, `+${(step.to - step.from).toFixed(1)}`),
        );
        element.addEventListener("click", () => this.#store.go(step.from, selection));
        this.#steps.push({ selection, from: step.from, to: step.to, element });
        const fault = step.fault === undefined ? "" : `${step.fault}: `;
        return el(
          "div",
          {},
          element,
          step.failure === undefined ? undefined : el("pre", { class: "failure" }, fault + step.failure),
        );
      }),
    ]);
    const open = verdict === "fail" || verdict === "interrupted" || verdict === "flaky" ? "" : undefined;
    const fold = el(
      "details",
      { class: `scenario v-${verdict}`, open, "data-scenario": name },
      summary,
      el("p", { class: "claim" }, claim, attempts.length === 0 ? undefined : only),
      because === undefined ? undefined : el("p", { class: "because" }, because),
      ...steps,
    );
    return { fold, only };
  }

  /** The step in which the instant lies. */
  #follow(): void {
    const { cursor, selection } = this.#store;
    const selected = this.#steps.find((step) => isSame(step.selection, selection));
    const around = this.#steps.findLast(({ from, to }) => cursor !== undefined && cursor >= from && cursor <= to);
    const now = selected ?? around;
    for (const { element } of this.#steps) element.classList.toggle("now", element === now?.element);
    if (now === undefined || now.selection.kind !== "step") return;
    const fold = this.#folds[now.selection.scenario];
    if (fold !== undefined) fold.open = true;
    const inside = now.element.getBoundingClientRect();
    const pane = this.element.getBoundingClientRect();
    if (inside.top < pane.top || inside.bottom > pane.bottom) centre(this.element, now.element);
  }

  #mark(): void {
    for (const [index, only] of this.#onlys.entries()) {
      only.setAttribute("aria-pressed", String(this.#store.filter.scenario === index));
    }
  }
}
