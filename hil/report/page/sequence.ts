/** The sequence diagram: who sent what to whom, on the clock of the run. Only what can be seen is in the document. */
import type { PageRow } from "./data.ts";
import { el } from "./dom.ts";
import { type Item, itemAt, itemsOf } from "./sequence-items.ts";
import type { Store } from "./store.ts";

const ROW_HEIGHT = 23;
const SPARE_ROWS = 12;
/** So many names stand side by side. */
const FEW = 4;
/** A silence of this many seconds is written between rows. */
const SILENCE = 1;

export class Sequence {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #scroller = el("div", { class: "rows", tabindex: "0", role: "listbox", "aria-label": "Packets" });
  readonly #sheet = el("div", { class: "sheet" });
  readonly #count = el("span", { class: "hint" });
  #items: readonly Item[] = [];
  #now = -1;

  constructor(store: Store) {
    this.#store = store;
    const { nodes } = store.data;
    const names = nodes.map(({ name, role }, index) =>
      el("span", { class: `lifeline ${role}`, style: `left:${this.#x(index)}%`, title: role }, name),
    );
    const head = el(
      "div",
      { class: nodes.length > FEW ? "seq-head many" : "seq-head" },
      el("span", { class: "t" }),
      el("span", { class: "ladder" }, ...names),
      el("span", { class: "say" }, this.#count),
    );
    this.#scroller.append(this.#sheet);
    const share = Math.min(50, 34 + 3 * Math.max(0, nodes.length - FEW));
    const attributes = { class: "pane sequence", "aria-label": "Sequence diagram", style: `--ladder:${share}%` };
    this.element = el("section", attributes, head, this.#scroller);
    this.#scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.#scroller.addEventListener("click", (event) => {
      const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-item]") : null;
      if (row !== null) this.#choose(Number(row.dataset["item"]));
    });
    this.#scroller.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (by === 0) return;
      event.preventDefault();
      this.step(by);
    });
    new ResizeObserver(() => {
      this.#follow(); // the pane of details took room, or gave it back
      this.#draw();
    }).observe(this.#scroller);
    store.onChange((changes) => {
      if (changes.has("view") || changes.has("filter")) this.#collect();
      if (changes.has("cursor") || changes.has("filter")) this.#follow();
      this.#draw();
    });
    this.#collect();
    this.#draw();
  }

  /** To the next packet, or to the one before. */
  step(by: 1 | -1): void {
    const from = this.#now < 0 ? (by > 0 ? -1 : this.#items.length) : this.#now;
    this.#choose(Math.min(Math.max(from + by, 0), this.#items.length - 1));
  }

  #choose(index: number): void {
    const item = this.#items[index];
    if (item !== undefined) this.#store.go(item.at, item.selection);
  }

  #collect(): void {
    this.#items = itemsOf(this.#store);
    const rows = this.#items.filter(({ selection }) => selection.kind === "row").length;
    this.#count.textContent = `${rows} rows in sight`;
    this.#sheet.style.height = `${this.#items.length * ROW_HEIGHT}px`;
    this.#now = this.#store.cursor === undefined ? -1 : itemAt(this.#items, this.#store.cursor, this.#store.selection);
  }

  #follow(): void {
    const { cursor, selection } = this.#store;
    if (cursor === undefined) return;
    this.#now = itemAt(this.#items, cursor, selection);
    const top = this.#now * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop + ROW_HEIGHT || top > scrollTop + clientHeight - 2 * ROW_HEIGHT) {
      this.#scroller.scrollTop = Math.max(0, top - clientHeight / 2);
    }
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.#scroller;
    const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const last = Math.min(this.#items.length, Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + SPARE_ROWS);
    const rows: HTMLElement[] = [];
    for (let index = first; index < last; index++) rows.push(this.#row(index));
    if (rows.length === 0) rows.push(el("p", { class: "empty" }, "Nothing here: zoom out, or take filters away."));
    this.#sheet.replaceChildren(...rows);
  }

  #row(index: number): HTMLElement {
    const item = this.#items[index];
    if (item === undefined) return el("div");
    const before = this.#items[index - 1];
    const pause = before === undefined ? 0 : item.at - before.at;
    const now = index === this.#now;
    const attributes = {
      "data-item": String(index),
      role: "option",
      "aria-selected": String(now),
      style: `top:${index * ROW_HEIGHT}px`,
    };
    const time = el(
      "span",
      { class: "t" },
      item.at.toFixed(3),
      pause >= SILENCE ? el("small", {}, `+${pause.toFixed(1)}`) : undefined,
    );
    const { selection } = item;
    if (selection.kind === "row") {
      const row = this.#store.data.rows[selection.row];
      if (row !== undefined) return this.#packet(row, { ...attributes, class: now ? "row now" : "row" }, time);
    }
    if (selection.kind === "step") {
      const { scenarios } = this.#store.data;
      const step = scenarios[selection.scenario]?.attempts[selection.attempt]?.steps[selection.step];
      const bad = step?.failure !== undefined ? " bad" : "";
      return el(
        "div",
        { ...attributes, class: `row step${bad}${now ? " now" : ""}` },
        time,
        el("span", { class: "wide" }, `step: ${step?.name ?? ""}`),
      );
    }
    const mark = selection.kind === "mark" ? this.#store.data.marks[selection.mark] : undefined;
    return el(
      "div",
      { ...attributes, class: `row mark ${mark?.kind ?? ""}${now ? " now" : ""}` },
      time,
      el("span", { class: "wide" }, `${mark?.where ?? ""}: ${mark?.text ?? ""}`),
    );
  }

  #packet(row: PageRow, attributes: Record<string, string>, time: HTMLElement): HTMLElement {
    const { data } = this.#store;
    const [id = "other", name = ""] = data.traffic[row.traffic] ?? [];
    const trouble = row.fault ?? row.wrong;
    const isLost = row.fault !== undefined && /\b(lost|drop|dropped)\b/.test(row.fault);
    const say = el(
      "span",
      { class: "say", title: [row.label, row.fault, row.wrong].filter((text) => text !== undefined).join("\n") },
      el("i", { class: "chip" }, name),
      row.fault === undefined ? undefined : el("b", { class: "fault" }, briefly(row.fault)),
      trouble !== undefined && row.wrong !== undefined ? el("b", { class: "wrong" }, "!") : undefined,
      row.label.startsWith(`${name} `) ? row.label.slice(name.length + 1) : row.label,
    );
    const ladder = el(
      "span",
      { class: "ladder" },
      ...data.nodes.map((_, index) => el("u", { style: `left:${this.#x(index)}%` })),
      ...this.#arrows(row, isLost),
    );
    const kind = `${attributes["class"]} k-${id}${row.fault === undefined ? "" : " harmed"}${row.wrong === undefined ? "" : " complains"}`;
    return el("div", { ...attributes, class: kind }, time, ladder, say);
  }

  #arrows(row: PageRow, isLost: boolean): HTMLElement[] {
    const others = this.#store.data.links[row.link]?.nodes.filter((node) => node !== row.source) ?? [];
    const targets = row.target >= 0 ? [row.target] : others;
    const isBurst = row.flows !== undefined;
    const isBoth = row.flows?.some(({ source }) => source === row.target) ?? false;
    return targets.map((target) => {
      const [from, to] = [this.#x(row.source), this.#x(target)];
      const classes = ["arrow", to < from ? "left" : "right"];
      if (isBurst) classes.push("burst");
      if (isBoth) classes.push("both");
      if (row.target < 0) classes.push("all");
      if (isLost) classes.push("lost");
      const mark = row.fault === undefined ? undefined : el("em", {}, isLost ? "✕" : "⚡");
      return el(
        "i",
        { class: classes.join(" "), style: `left:${Math.min(from, to)}%;width:${Math.abs(to - from)}%` },
        mark,
      );
    });
  }

  #x(node: number): number {
    const { length } = this.#store.data.nodes;
    return ((Math.max(0, node) + 0.5) / Math.max(1, length)) * 100;
  }
}

/** Of a trap's rule, what it does: which packet it did it to stands beside it. */
function briefly(fault: string): string {
  return fault.replace(/^(trap: \S+) .*/, "$1");
}
