/** What the reader looks at: the part of the run in sight, the instant, the filters. Panes draw it and change it, and know nothing of each other. */
import type { PageData, PageRow } from "./data.ts";
import { type Track, unpackFrames } from "./track.ts";
import { clampView, reveal, type View } from "./view.ts";

export type Selection =
  | { readonly kind: "row"; readonly row: number }
  | { readonly kind: "step"; readonly scenario: number; readonly attempt: number; readonly step: number }
  | { readonly kind: "mark"; readonly mark: number }
  | { readonly kind: "line"; readonly node: number; readonly line: number };

export interface Filter {
  readonly hiddenNodes: ReadonlySet<number>;
  readonly hiddenLinks: ReadonlySet<number>;
  readonly hiddenTraffic: ReadonlySet<number>;
  /** Only what happened while it ran. */
  readonly scenario: number | undefined;
  readonly search: string;
}

export type Change = "view" | "cursor" | "filter";

export class Store {
  readonly data: PageData;
  readonly tracks: readonly Track[];
  #view: View;
  #cursor: number | undefined;
  #selection: Selection | undefined;
  #filter: Filter = {
    hiddenNodes: new Set(),
    hiddenLinks: new Set(),
    hiddenTraffic: new Set(),
    scenario: undefined,
    search: "",
  };
  readonly #listeners: ((changes: ReadonlySet<Change>) => void)[] = [];
  #changes = new Set<Change>();

  constructor(data: PageData) {
    this.data = data;
    this.tracks = data.links.map(({ track }) => unpackFrames(track));
    this.#view = { from: 0, to: data.length };
  }

  get view(): View {
    return this.#view;
  }
  /** Seconds. */
  get cursor(): number | undefined {
    return this.#cursor;
  }
  get selection(): Selection | undefined {
    return this.#selection;
  }
  get filter(): Filter {
    return this.#filter;
  }

  /** `listener` hears of changes at most once per picture. */
  onChange(listener: (changes: ReadonlySet<Change>) => void): void {
    this.#listeners.push(listener);
  }

  look(view: View): void {
    this.#view = clampView(view, this.data.length);
    this.#changed("view");
  }

  /** Everything jumps to that instant. */
  go(at: number, selection?: Selection): void {
    this.#cursor = Math.min(Math.max(at, 0), this.data.length);
    this.#selection = selection;
    const view = reveal(this.#view, this.#cursor, this.data.length);
    if (view !== this.#view) this.look(view);
    this.#changed("cursor");
  }

  narrow(filter: Partial<Filter>): void {
    this.#filter = { ...this.#filter, ...filter };
    this.#changed("filter");
  }

  /** The scenario's own window, and nothing else; undefined ends that. */
  only(scenario: number | undefined): void {
    this.narrow({ scenario });
    const span = scenario === undefined ? undefined : this.scenarioSpan(scenario);
    this.look(span ?? { from: 0, to: this.data.length });
  }

  /** From the beginning of its first attempt to the end of its last; undefined for one that did not run. */
  scenarioSpan(scenario: number): View | undefined {
    const attempts = this.data.scenarios[scenario]?.attempts ?? [];
    const [first] = attempts;
    const last = attempts.at(-1);
    return first && last && { from: first.from, to: last.to };
  }

  /** Whether the time is one that the filter shows. */
  isTimeShown(at: number): boolean {
    const span = this.#filter.scenario === undefined ? undefined : this.scenarioSpan(this.#filter.scenario);
    return span === undefined || (at >= span.from && at <= span.to);
  }

  isRowShown(row: PageRow): boolean {
    const { hiddenNodes, hiddenLinks, hiddenTraffic } = this.#filter;
    if (hiddenLinks.has(row.link) || !this.isTimeShown(row.at)) return false;
    if (hiddenNodes.has(row.source) || (row.target >= 0 && hiddenNodes.has(row.target))) return false;
    const kinds = row.flows?.map(({ traffic }) => traffic) ?? [row.traffic];
    return kinds.some((kind) => !hiddenTraffic.has(kind));
  }

  /** Whether a node or link of this name, or something without a place, is shown. */
  isPlaceShown(where: string): boolean {
    const { hiddenNodes, hiddenLinks } = this.#filter;
    const node = this.data.nodes.findIndex(({ name }) => name === where);
    const link = this.data.links.findIndex(({ name }) => name === where);
    return !hiddenNodes.has(node) && !hiddenLinks.has(link);
  }

  #changed(change: Change): void {
    if (this.#changes.size === 0) {
      requestAnimationFrame(() => {
        const changes = this.#changes;
        this.#changes = new Set();
        for (const listener of this.#listeners) listener(changes);
      });
    }
    this.#changes.add(change);
  }
}
