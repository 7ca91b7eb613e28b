/** The consoles side by side. An instant on the clock is a line in each of them. */
import type { PageNode } from "./data.ts";
import { centre, el } from "./dom.ts";
import type { Store } from "./store.ts";
import { firstNotBefore } from "./track.ts";

/** The browser lays out blocks of lines only when they come into sight. */
const BLOCK_LINES = 100;
const CLASS = ["", "note", "dying"];

export class Consoles {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #screens: readonly Screen[];
  #searched = "";

  constructor(store: Store) {
    this.#store = store;
    this.#screens = store.data.nodes
      .map((node, index) => ({ node, index }))
      .filter(({ node }) => node.lines.length > 0)
      .map(({ node, index }) => new Screen(store, node, index));
    const none = this.#screens.length === 0 ? el("p", { class: "empty" }, "No console said anything.") : undefined;
    this.element = el(
      "section",
      { class: "pane consoles", "aria-label": "Consoles" },
      ...this.#screens.map(({ element }) => element),
      none,
    );
    store.onChange((changes) => {
      if (changes.has("filter")) this.#filter();
      if (changes.has("cursor")) for (const screen of this.#screens) screen.show(store.cursor);
    });
  }

  /** To the next line that contains what is searched for, in any console, after the cursor or before it. */
  find(by: 1 | -1): void {
    const { cursor = by > 0 ? -1 : this.#store.data.length } = this.#store;
    const { hiddenNodes } = this.#store.filter;
    const hits = this.#screens.filter(({ index }) => !hiddenNodes.has(index)).flatMap((screen) => screen.hits());
    hits.sort((a, b) => a.at - b.at);
    const hit = by > 0 ? hits.find(({ at }) => at > cursor) : hits.findLast(({ at }) => at < cursor);
    if (hit !== undefined) this.#store.go(hit.at, { kind: "line", node: hit.node, line: hit.line });
  }

  #filter(): void {
    const { hiddenNodes, search } = this.#store.filter;
    for (const screen of this.#screens) screen.element.hidden = hiddenNodes.has(screen.index);
    if (search === this.#searched) return;
    this.#searched = search;
    for (const screen of this.#screens) screen.search(search);
  }
}

class Screen {
  readonly element: HTMLElement;
  readonly index: number;
  readonly #node: PageNode;
  readonly #body = el("div", { class: "screen", tabindex: "0" });
  readonly #lines: readonly HTMLElement[];
  readonly #found = el("span", { class: "hint found" });
  #now: HTMLElement | undefined;
  #hits: readonly number[] = [];

  constructor(store: Store, node: PageNode, index: number) {
    this.#node = node;
    this.index = index;
    this.#lines = node.lines.map(([at, kind, text], line) =>
      el("div", { class: CLASS[kind], "data-line": String(line) }, el("time", {}, at.toFixed(2)), text),
    );
    const { before, count, file } = node.left;
    for (let from = 0; from < this.#lines.length; from += BLOCK_LINES) {
      const block = el("div", { class: "block", style: `contain-intrinsic-size:auto ${BLOCK_LINES * 17}px` });
      for (const [offset, line] of this.#lines.slice(from, from + BLOCK_LINES).entries()) {
        if (count > 0 && from + offset === before) {
          block.append(el("div", { class: "gap" }, `${count} lines are left out here; all are in ${file}`));
        }
        block.append(line);
      }
      this.#body.append(block);
    }
    const wide = el(
      "button",
      { type: "button", title: "Give this console all the room", "aria-pressed": "false" },
      "⤢",
    );
    const head = el(
      "h3",
      {},
      el("b", {}, node.name),
      el("span", { class: "hint" }, node.what || node.role),
      this.#found,
      el("a", { href: file, title: "The whole console as a file" }, file),
      wide,
    );
    this.element = el("article", { class: "console", "data-node": node.name }, head, this.#body);
    wide.addEventListener("click", () => {
      const isWide = this.element.classList.toggle("alone");
      this.element.parentElement?.classList.toggle("has-alone", isWide);
      wide.setAttribute("aria-pressed", String(isWide));
    });
    this.#body.addEventListener("click", (event) => {
      if (getSelection()?.isCollapsed === false) return; // text is being marked, to be copied
      const target = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-line]") : null;
      const line = Number(target?.dataset["line"] ?? Number.NaN);
      const at = node.lines[line]?.[0];
      if (at !== undefined) store.go(at, { kind: "line", node: index, line });
    });
  }

  /** The last line that had begun at that time, or the one that was clicked. */
  show(at: number | undefined): void {
    this.#now?.classList.remove("now");
    if (at === undefined) return;
    const { lines } = this.#node;
    const index = Math.max(0, firstNotBefore(lines.length, (n) => lines[n]?.[0] ?? 0, at + 1e-9) - 1);
    this.#now = this.#lines[index];
    if (this.#now === undefined) return;
    this.#now.classList.add("now");
    centre(this.#body, this.#now);
  }

  hits(): { at: number; node: number; line: number }[] {
    return this.#hits.map((line) => ({ at: this.#node.lines[line]?.[0] ?? 0, node: this.index, line }));
  }

  search(text: string): void {
    for (const line of this.#hits) this.#write(line, "");
    const wanted = text.toLowerCase();
    const { lines } = this.#node;
    this.#hits =
      wanted === "" ? [] : [...lines.keys()].filter((line) => lines[line]?.[2].toLowerCase().includes(wanted));
    for (const line of this.#hits) this.#write(line, wanted);
    this.#found.textContent = wanted === "" ? "" : `${this.#hits.length} found`;
  }

  /** The line, with every `wanted` in it marked. */
  #write(index: number, wanted: string): void {
    const [at = 0, , text = ""] = this.#node.lines[index] ?? [];
    const parts: (Node | string)[] = [];
    const small = text.toLowerCase();
    let done = 0;
    for (let found = small.indexOf(wanted); wanted !== "" && found >= 0; found = small.indexOf(wanted, done)) {
      parts.push(text.slice(done, found), el("mark", {}, text.slice(found, found + wanted.length)));
      done = found + wanted.length;
    }
    this.#lines[index]?.replaceChildren(el("time", {}, at.toFixed(2)), ...parts, text.slice(done));
  }
}
