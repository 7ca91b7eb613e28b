/** What is shown: by node, link, kind of traffic and scenario; and what is searched for. */
import { el } from "./dom.ts";
import type { Filter, Store } from "./store.ts";

type Hidden = "hiddenNodes" | "hiddenLinks" | "hiddenTraffic";

export class Filters {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #chips: { readonly of: Hidden; readonly index: number; readonly element: HTMLButtonElement }[] = [];
  readonly #scenario = el("select", { "aria-label": "Scenario" }, el("option", { value: "" }, "all scenarios"));

  /** `find` goes to the next (1) or the previous (-1) place of what is searched for. */
  constructor(store: Store, find: (by: 1 | -1) => void, theme: () => void) {
    this.#store = store;
    const { data, tracks } = store;
    const seen = new Set(tracks.flatMap(({ kinds }) => [...new Set(kinds)]));
    for (const [index, { name, attempts }] of data.scenarios.entries()) {
      if (attempts.length > 0) this.#scenario.append(el("option", { value: String(index) }, name));
    }
    this.#scenario.addEventListener("change", () => {
      store.only(this.#scenario.value === "" ? undefined : Number(this.#scenario.value));
    });
    const search = el("input", {
      type: "search",
      placeholder: "search consoles ( / )",
      "aria-label": "Search the consoles",
    });
    search.addEventListener("input", () => store.narrow({ search: search.value }));
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") find(event.shiftKey ? -1 : 1);
    });
    const dark = el("button", { type: "button", class: "theme", title: "Light or dark" }, "◐");
    dark.addEventListener("click", theme);
    const clear = el("button", { type: "button" }, "show all");
    clear.addEventListener("click", () => {
      search.value = "";
      store.narrow({
        hiddenNodes: new Set(),
        hiddenLinks: new Set(),
        hiddenTraffic: new Set(),
        scenario: undefined,
        search: "",
      });
    });
    this.element = el(
      "nav",
      { class: "filters", "aria-label": "Filters" },
      this.#scenario,
      ...data.nodes.map(({ name, role }, index) => this.#chip("hiddenNodes", index, name, `node, ${role}`, "")),
      ...data.links.map(({ name }, index) => this.#chip("hiddenLinks", index, name, "link", "link")),
      ...data.traffic.flatMap(([id, name, what], index) =>
        seen.has(index) ? [this.#chip("hiddenTraffic", index, name, what, `traffic k-${id}`)] : [],
      ),
      clear,
      search,
      dark,
    );
    store.onChange((changes) => {
      if (changes.has("filter")) this.#draw();
    });
  }

  focus(): void {
    this.element.querySelector("input")?.focus();
  }

  #chip(of: Hidden, index: number, name: string, title: string, kind: string): HTMLButtonElement {
    const hint = `${title}. Click hides or shows it; with Shift, only it.`;
    const element = el("button", { type: "button", class: `chip ${kind}`, title: hint, "aria-pressed": "true" }, name);
    this.#chips.push({ of, index, element });
    element.addEventListener("click", (event) => {
      const hidden = new Set(this.#store.filter[of]);
      if (event.shiftKey) {
        const others = this.#chips.filter((chip) => chip.of === of && chip.index !== index).map((chip) => chip.index);
        const isOnly = !hidden.has(index) && others.every((other) => hidden.has(other));
        this.#store.narrow({ [of]: new Set(isOnly ? [] : others) } as Partial<Filter>);
        return;
      }
      if (!hidden.delete(index)) hidden.add(index);
      this.#store.narrow({ [of]: hidden } as Partial<Filter>);
    });
    return element;
  }

  #draw(): void {
    const { filter } = this.#store;
    for (const { of, index, element } of this.#chips)
      element.setAttribute("aria-pressed", String(!filter[of].has(index)));
    this.#scenario.value = filter.scenario === undefined ? "" : String(filter.scenario);
  }
}
