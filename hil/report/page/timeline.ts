/** The clock of the run: lanes one can zoom and pan with wheel, pointer and keys, and a strip that shows where one is. */
import { readColours } from "./colours.ts";
import { el } from "./dom.ts";
import { GUTTER, type PlacedLane, placeLanes } from "./lanes.ts";
import { type Canvas, paintLanes, paintMinimap, timeAt, xOf } from "./paint.ts";
import type { Selection, Store } from "./store.ts";
import { firstNotBefore } from "./track.ts";
import { panView, timeText, zoomView } from "./view.ts";

const MINIMAP_HEIGHT = 22;
/** A pointer that moved less than this clicked. */
const CLICK_PIXELS = 4;
/** So near to a mark or frame counts as on it. */
const NEAR_PIXELS = 7;

export class Timeline {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #lanes: readonly PlacedLane[];
  readonly #height: number;
  readonly #canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": LABEL });
  readonly #minimap = el("canvas", { class: "minimap", "aria-hidden": "true" });
  readonly #tip = el("div", { class: "tip", role: "tooltip", hidden: "" });
  #colours: ReturnType<typeof readColours>;

  constructor(store: Store) {
    this.#store = store;
    const { lanes, height } = placeLanes(store.data);
    this.#lanes = lanes;
    this.#height = height;
    this.#colours = readColours(store.data.traffic);
    const button = (text: string, title: string, act: () => void): HTMLButtonElement => {
      const made = el("button", { type: "button", title }, text);
      made.addEventListener("click", act);
      return made;
    };
    const reset = button("whole run", "Show the whole run (0)", () => this.#zoomAll());
    const tools = el(
      "div",
      { class: "tools" },
      button("−", "Farther away (-)", () => this.#zoom(1.6)),
      button("+", "Closer (+)", () => this.#zoom(1 / 1.6)),
      reset,
      el("span", { class: "hint" }, "wheel zooms, drag moves, click jumps; keys: ← → + − 0, n and p for packets"),
    );
    this.element = el(
      "section",
      { class: "timeline", "aria-label": "Time line" },
      this.#canvas,
      this.#minimap,
      tools,
      this.#tip,
    );
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(this.element);
    store.onChange(() => this.draw());
  }

  /** After the theme changed. */
  recolour(): void {
    this.#colours = readColours(this.#store.data.traffic);
    this.draw();
  }

  draw(): void {
    paintLanes(this.#prepare(this.#canvas, this.#height), this.#store, this.#lanes);
    paintMinimap(this.#prepare(this.#minimap, MINIMAP_HEIGHT), this.#store);
  }

  #prepare(canvas: HTMLCanvasElement, height: number): Canvas {
    const width = this.#width();
    const ratio = devicePixelRatio;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("this browser has no 2D canvas");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { context, width, height, colours: this.#colours };
  }

  #width(): number {
    return Math.max(GUTTER + 100, Math.floor(this.#canvas.clientWidth));
  }

  #zoom(factor: number, around?: number): void {
    const { view, cursor, data } = this.#store;
    const inSight = cursor !== undefined && cursor >= view.from && cursor <= view.to;
    this.#store.look(zoomView(view, factor, around ?? (inSight ? cursor : (view.from + view.to) / 2), data.length));
  }

  #zoomAll(): void {
    this.#store.look({ from: 0, to: this.#store.data.length });
  }

  #pan(share: number): void {
    this.#store.look(panView(this.#store.view, share, this.#store.data.length));
  }

  #listen(): void {
    const canvas = this.#canvas;
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const sideways = event.shiftKey ? event.deltaY : event.deltaX;
        if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) this.#pan(sideways / 800);
        else this.#zoom(1.0016 ** event.deltaY, timeAt(event.offsetX, this.#store.view, this.#width()));
      },
      { passive: false },
    );
    let grip: { readonly x: number; readonly view: { from: number; to: number }; moved: boolean } | undefined;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      grip = { x: event.offsetX, view: this.#store.view, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (grip === undefined) return this.#hover(event);
      if (Math.abs(event.offsetX - grip.x) >= CLICK_PIXELS) grip.moved = true;
      if (!grip.moved) return;
      this.#tip.hidden = true;
      const { from, to } = grip.view;
      const by = ((grip.x - event.offsetX) / (this.#width() - GUTTER)) * (to - from);
      this.#store.look({ from: from + by, to: to + by });
    });
    canvas.addEventListener("pointerup", (event) => {
      if (grip !== undefined && !grip.moved) this.#click(event);
      grip = undefined;
    });
    canvas.addEventListener("pointercancel", () => (grip = undefined));
    canvas.addEventListener("pointerleave", () => (this.#tip.hidden = true));
    canvas.addEventListener("dblclick", (event) => this.#zoomInto(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    const drag = (event: PointerEvent): void => {
      if (event.buttons !== 1) return;
      const { view, data } = this.#store;
      const middle = timeAt(event.offsetX, { from: 0, to: data.length }, this.#width());
      const half = (view.to - view.from) / 2;
      this.#store.look({ from: middle - half, to: middle + half });
    };
    this.#minimap.addEventListener("pointerdown", (event) => {
      this.#minimap.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.#minimap.addEventListener("pointermove", drag);
  }

  #key(event: KeyboardEvent): void {
    const keys: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => this.#pan(-0.2),
      ArrowRight: () => this.#pan(0.2),
      "+": () => this.#zoom(1 / 1.6),
      "=": () => this.#zoom(1 / 1.6),
      "-": () => this.#zoom(1.6),
      "0": () => this.#zoomAll(),
    };
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  #laneAt(y: number): PlacedLane | undefined {
    return this.#lanes.find(({ top, height }) => y >= top && y < top + height + 3);
  }

  /** What lies under the pointer: in words, when it is, and what to select. */
  #under(event: MouseEvent): { text: string; at: number; selection?: Selection; span?: { from: number; to: number } } {
    const { view, data } = this.#store;
    const width = this.#width();
    const at = timeAt(event.offsetX, view, width);
    const near = (time: number): number => Math.abs(xOf(time, view, width) - event.offsetX);
    const placed = this.#laneAt(event.offsetY);
    const lane = placed?.lane;
    if (lane?.kind === "scenarios" || lane?.kind === "steps") {
      for (const [scenario, { name, claim, attempts }] of data.scenarios.entries()) {
        for (const [attempt, { from, to, steps }] of attempts.entries()) {
          if (at < from || at > to) continue;
          if (lane.kind === "scenarios") return { text: `${name}: ${claim}`, at: from, span: { from, to } };
          const step = steps.findIndex((each) => at >= each.from && at <= each.to);
          const found = steps[step];
          if (found !== undefined) {
            const selection = { kind: "step", scenario, attempt, step } as const;
            return { text: found.name, at: found.from, selection, span: { from: found.from, to: found.to } };
          }
        }
      }
    }
    if (lane?.kind === "marks") {
      const mark = nearest(data.marks, near);
      const found = mark === undefined ? undefined : data.marks[mark];
      if (found !== undefined && mark !== undefined) {
        return { text: `${found.where}: ${found.text}`, at: found.at, selection: { kind: "mark", mark } };
      }
    }
    if (lane?.kind === "node") {
      const lines = data.nodes[lane.index]?.lines ?? [];
      const line = Math.max(0, firstNotBefore(lines.length, (n) => lines[n]?.[0] ?? 0, at) - 1);
      const text = lines[line]?.[2] ?? "silent";
      return { text: `${placed?.name}: ${text}`, at };
    }
    if (lane?.kind === "link") {
      const rows = data.rows.map((row, index) => ({ at: row.at, row, index }));
      const ofLink = rows.filter(({ row }) => row.link === lane.index && this.#store.isRowShown(row));
      const inside = ofLink.find(({ row }) => row.to !== undefined && at >= row.at && at <= row.to);
      const index = nearest(ofLink, near);
      const found = (index === undefined ? undefined : ofLink[index]) ?? inside;
      if (found !== undefined)
        return { text: found.row.label, at: found.row.at, selection: { kind: "row", row: found.index } };
    }
    return { text: placed?.name ?? "", at };
  }

  #click(event: PointerEvent): void {
    if (event.offsetX < GUTTER) return;
    const { at, selection } = this.#under(event);
    this.#store.go(at, selection);
  }

  #zoomInto(event: MouseEvent): void {
    const { span } = this.#under(event);
    if (span === undefined) this.#zoom(0.25, timeAt(event.offsetX, this.#store.view, this.#width()));
    else {
      const margin = Math.max(0.01, (span.to - span.from) * 0.05);
      this.#store.look({ from: span.from - margin, to: span.to + margin });
    }
  }

  #hover(event: PointerEvent): void {
    this.#tip.hidden = event.offsetX < GUTTER;
    if (this.#tip.hidden) return;
    const { view } = this.#store;
    const { text, at } = this.#under(event);
    this.#tip.textContent = `${timeText(at, view.to - view.from)}  ${text}`;
    const left = Math.min(event.offsetX + 14, this.#width() - this.#tip.offsetWidth - 8);
    this.#tip.style.transform = `translate(${Math.max(0, left)}px, ${event.offsetY + 18}px)`;
  }
}

const LABEL =
  "Scenarios, steps, faults, consoles and links of the run on one clock. Arrow keys move, plus and minus zoom, 0 shows all.";

/** The index of the nearest that is near enough. */
function nearest(items: readonly { readonly at: number }[], distance: (at: number) => number): number | undefined {
  let best: number | undefined;
  let least = NEAR_PIXELS;
  for (const [index, { at }] of items.entries()) {
    const away = distance(at);
    if (away < least) {
      least = away;
      best = index;
    }
  }
  return best;
}
