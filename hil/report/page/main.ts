/** The flight recorder: puts the panes together, and keeps the address in step with what is shown. */
import { Consoles } from "./consoles.ts";
import type { PageData } from "./data.ts";
import { Detail } from "./detail.ts";
import { el } from "./dom.ts";
import { Filters } from "./filters.ts";
import { Scenarios } from "./scenarios.ts";
import { Sequence } from "./sequence.ts";
import { type Selection, Store } from "./store.ts";
import { Timeline } from "./timeline.ts";

const data = JSON.parse(document.getElementById("data")?.textContent ?? "") as PageData;
const store = new Store(data);
const timeline = new Timeline(store);
const sequence = new Sequence(store);
const consoles = new Consoles(store);
const filters = new Filters(store, (by) => consoles.find(by), switchTheme);
const problems = data.links.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`]));
const middle = el("div", { class: "middle" }, sequence.element, new Detail(store).element);
const panes = el("div", { class: "panes" }, new Scenarios(store).element, middle, consoles.element);
document
  .getElementById("recorder")
  ?.append(timeline.element, filters.element, ...problems.map((text) => el("p", { class: "problem" }, text)), panes);
timeline.draw();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.recolour());
function switchTheme(): void {
  const root = document.documentElement;
  const isDark =
    root.dataset["theme"] === "dark" ||
    (root.dataset["theme"] === undefined && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset["theme"] = isDark ? "light" : "dark";
  timeline.recolour();
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
  button.addEventListener("click", () => {
    void navigator.clipboard.writeText(button.dataset["copy"] ?? "").then(
      () => (button.textContent = "copied"),
      () => (button.textContent = "select it by hand"),
    );
  });
}

/** `#t=12.5`, `#t=12.5&frame=wan:17`, `#scenario=tunnel`. */
function goToAddress(): boolean {
  const parts = new URLSearchParams(location.hash.slice(1));
  const at = Number.parseFloat(parts.get("t") ?? "");
  const scenario = data.scenarios.findIndex(({ name }) => name === parts.get("scenario"));
  if (scenario >= 0) store.only(scenario);
  if (Number.isFinite(at)) store.go(at, rowOf(parts.get("frame") ?? "") ?? nearestTrouble(at));
  return Number.isFinite(at) || scenario >= 0;
}

/** The row of a frame, named as in the address. */
function rowOf(name: string): Selection | undefined {
  const [, linkName, frame] = /^(.*):(\d+)$/.exec(name) ?? [];
  const link = data.links.findIndex((each) => each.name === linkName);
  const row = data.rows.findIndex((each) => each.link === link && each.frame === Number(frame));
  return row < 0 ? undefined : { kind: "row", row };
}

/** A link in the head names an instant at which something happened: that is what the reader wants to see. */
function nearestTrouble(at: number): Selection | undefined {
  const isThen = (each: { at: number }): boolean => Math.abs(each.at - at) < 2e-6;
  const row = data.rows.findIndex((each) => isThen(each) && (each.fault !== undefined || each.wrong !== undefined));
  if (row >= 0) return { kind: "row", row };
  const mark = data.marks.findIndex(isThen);
  return mark >= 0 ? { kind: "mark", mark } : undefined;
}

let written = "";
store.onChange((changes) => {
  if (!changes.has("cursor") && !changes.has("filter")) return;
  const parts = new URLSearchParams();
  if (store.cursor !== undefined) parts.set("t", store.cursor.toFixed(6));
  const row = store.selection?.kind === "row" ? data.rows[store.selection.row] : undefined;
  if (row !== undefined) parts.set("frame", `${data.links[row.link]?.name ?? ""}:${row.frame}`);
  const scenario = store.filter.scenario === undefined ? undefined : data.scenarios[store.filter.scenario];
  if (scenario !== undefined) parts.set("scenario", scenario.name);
  written = `#${parts}`.replaceAll("%3A", ":");
  if (written !== location.hash) history.replaceState(null, "", written);
});
addEventListener("hashchange", () => {
  if (location.hash !== written) goToAddress();
});

addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "n") sequence.step(1);
  else if (event.key === "p") sequence.step(-1);
  else if (event.key === "/") {
    event.preventDefault();
    filters.focus();
  }
});

/** Without an address, a failure is shown first: its step fills the clock, and the cursor is on the first cause. */
if (!goToAddress() && data.focus !== undefined) {
  const { from, to, at, frame } = data.focus;
  const margin = Math.max(0.05, (to - from) * 0.05);
  store.look({ from: from - margin, to: to + margin });
  store.go(at, rowOf(frame ?? "") ?? nearestTrouble(at));
}
