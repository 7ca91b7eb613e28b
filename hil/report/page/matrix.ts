/** The page of the interop matrix: a grid of peers and protections against networks and faults, narrowed by chips; each square is a cell. */
import type { MatrixCell, MatrixReport } from "../../matrix/data.ts";
import { el } from "./dom.ts";

const report = JSON.parse(document.getElementById("data")?.textContent ?? "{}") as MatrixReport;
const main = document.getElementById("matrix");
/** Chosen values by dimension; a dimension without any shows all. */
const chosen = new Map<string, Set<string>>();
const squares = new Map<string, { readonly cell: MatrixCell; readonly element: HTMLElement }>();
const detail = el("section", { class: "detail", "aria-live": "polite", "aria-label": "Cell" });
const list = el("tbody");
const count = el("span", { class: "hint" });

function valueIn({ cell }: MatrixCell, dimension: string): string {
  return (cell as Readonly<Record<string, string>>)[dimension] ?? "";
}

function isShown(cell: MatrixCell): boolean {
  for (const [dimension, values] of chosen)
    if (values.size > 0 && !values.has(dimension === "result" ? cell.verdict : valueIn(cell, dimension))) return false;
  return true;
}

function resultOf({ verdict, expected, stage, code, confidence, message }: MatrixCell): string {
  if (verdict !== "pass") return message === undefined ? verdict : `${verdict}: ${message}`;
  return expected === "pass" ? "works" : `fails by plan: error ${code} (${confidence}), stage ${stage}`;
}

function timeOf({ tookMs }: MatrixCell): string {
  return tookMs === undefined ? "" : `${(tookMs / 1000).toFixed(1)} s`;
}

function linksOf(cell: MatrixCell): (Node | string)[] {
  return [
    cell.recorder === undefined ? "" : el("a", { href: cell.recorder }, "flight recorder"),
    cell.capture === undefined ? "" : " · ",
    cell.capture === undefined ? "" : el("a", { href: cell.capture }, "capture"),
  ];
}

function show(cell: MatrixCell): void {
  for (const { element, cell: each } of squares.values()) element.setAttribute("aria-current", String(each === cell));
  const values = Object.keys(report.dimensions).map((dimension) => {
    const value = valueIn(cell, dimension);
    const meaning = report.meaning[value];
    return `${dimension} ${value}${meaning === undefined ? "" : ` (${meaning})`}`;
  });
  detail.replaceChildren(
    el("p", {}, el("b", {}, cell.name), " ", el("span", { class: "hint" }, timeOf(cell))),
    el("p", {}, resultOf(cell)),
    el("p", { class: "hint" }, values.join(", ")),
    el("p", {}, ...linksOf(cell)),
  );
}

function draw(): void {
  const shown = report.cells.filter(isShown);
  for (const { cell, element } of squares.values()) element.classList.toggle("away", !isShown(cell));
  count.textContent = `${shown.length} of ${report.cells.length} cells`;
  list.replaceChildren(
    ...shown.map((cell) =>
      el(
        "tr",
        { class: `v-${cell.verdict}` },
        el("td", {}, el("span", { class: "badge" }, cell.verdict)),
        el("td", {}, cell.name),
        el("td", {}, resultOf(cell)),
        el("td", { class: "time" }, timeOf(cell)),
        el("td", {}, ...linksOf(cell)),
      ),
    ),
  );
}

function chips(): HTMLElement {
  const verdicts = [...new Set(report.cells.map(({ verdict }) => verdict))];
  const rows = [...Object.entries(report.dimensions), ["result", verdicts] as const];
  const nav = el("nav", { class: "chips", "aria-label": "Filter" });
  for (const [dimension, values] of rows) {
    const row = el("div");
    for (const value of values) {
      const isThere = report.cells.some(
        (cell) => (dimension === "result" ? cell.verdict : valueIn(cell, dimension)) === value,
      );
      if (!isThere) continue;
      const chip = el("button", { type: "button", "aria-pressed": "false", title: report.meaning[value] }, value);
      chip.addEventListener("click", () => {
        const set = chosen.get(dimension) ?? new Set<string>();
        chosen.set(dimension, set);
        if (!set.delete(value)) set.add(value);
        chip.setAttribute("aria-pressed", String(set.has(value)));
        draw();
      });
      row.append(chip);
    }
    nav.append(el("span", {}, dimension), row);
  }
  return nav;
}

function grid(): HTMLElement {
  const columns = [
    ...(report.dimensions["network"] ?? []).map((value) => ({ dimension: "network", value })),
    ...(report.dimensions["fault"] ?? [])
      .filter((value) => value !== "none")
      .map((value) => ({ dimension: "fault", value })),
  ];
  const inColumn = (cell: MatrixCell, { dimension, value }: (typeof columns)[number]): boolean =>
    dimension === "fault" ? cell.cell.fault === value : cell.cell.fault === "none" && cell.cell.network === value;
  const head = el(
    "tr",
    {},
    el("th"),
    el("th"),
    el("th"),
    ...columns.map(({ value }) => el("th", { title: report.meaning[value] }, value)),
  );
  const body = el("tbody");
  let lastWho = "";
  const rows = new Map(
    report.cells.map((cell) => [
      [cell.cell.peer, cell.cell.role, cell.cell.auth, cell.cell.encryption].join("|"),
      cell,
    ]),
  );
  for (const [key, { cell: first }] of rows) {
    const who = `${first.peer}, device is ${first.role}`;
    const row = el("tr", { class: who === lastWho ? "" : "first" });
    row.append(
      el("th", {}, who === lastWho ? "" : who),
      el("th", {}, first.auth),
      el("th", {}, first.encryption === "none" ? "in the clear" : `MPPE-${first.encryption}`),
    );
    lastWho = who;
    for (const column of columns) {
      const data = el("td");
      for (const cell of report.cells) {
        const own = [cell.cell.peer, cell.cell.role, cell.cell.auth, cell.cell.encryption].join("|");
        if (own !== key || !inColumn(cell, column)) continue;
        const planned = cell.expected === "fail" ? " planned" : "";
        const square = el("button", {
          type: "button",
          class: `square v-${cell.verdict}${planned}`,
          title: `${cell.name}: ${resultOf(cell)}`,
          "aria-label": cell.name,
        });
        square.addEventListener("click", () => show(cell));
        squares.set(cell.name, { cell, element: square });
        data.append(square);
      }
      row.append(data);
    }
    body.append(row);
  }
  return el("table", { class: "grid" }, el("thead", {}, head), body);
}

detail.append(
  el("p", { class: "hint" }, "A click on a square shows the cell, with its flight recorder and its capture."),
);
main?.append(
  chips(),
  grid(),
  el(
    "p",
    { class: "key" },
    "Full: a call that works. Ring: a call that fails by plan, and the device names the code. Red: neither. A column of faults has cells of any network.",
  ),
  detail,
  el("h2", {}, "Cells ", count),
  el(
    "table",
    { class: "cells" },
    el("thead", {}, el("tr", {}, ...["", "cell", "what came of it", "time", ""].map((text) => el("th", {}, text)))),
    list,
  ),
  el("h2", {}, "What cannot be"),
  el(
    "p",
    { class: "hint" },
    `${report.impossible.reduce((sum, each) => sum + each.count, 0)} of ${report.combinations} combinations; each is counted for the first reason that forbids it.`,
  ),
  el(
    "table",
    { class: "cells" },
    el(
      "tbody",
      {},
      ...report.impossible.map(({ reason, limit, count: number }) =>
        el("tr", {}, el("td", {}, limit), el("td", {}, reason), el("td", { class: "time" }, String(number))),
      ),
    ),
  ),
);
draw();
