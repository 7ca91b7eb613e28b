/** The table `INTEROP` in hil/README.md: what the last published run of the matrix showed, between two markers. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../image/project.ts";
import { Fault } from "../fault.ts";
import { DIMENSIONS } from "./cell.ts";
import type { MatrixCell, MatrixReport } from "./data.ts";

export const TABLE_BEGINS = "<!-- INTEROP: made by `culvert lab matrix --readme RUN` -->";
export const TABLE_ENDS = "<!-- /INTEROP -->";
const README = join(projectRoot, "hil/README.md");

const AUTHENTICATION = DIMENSIONS.auth;
const ROWS: readonly { readonly title: string; readonly has: (cell: MatrixCell) => boolean }[] = [
  { title: "pptp-linux calls us", has: ({ cell }) => cell.peer === "pptp-linux" },
  { title: "NetworkManager calls us", has: ({ cell }) => cell.peer === "network-manager" },
  { title: "the Windows 10 profile calls us", has: ({ cell }) => cell.peer === "windows-10" },
  { title: "we call Poptop", has: ({ cell }) => cell.peer === "poptop" },
  { title: "a second Culvert calls us", has: ({ cell }) => cell.peer === "culvert" && cell.role === "server" },
  { title: "we call a second Culvert", has: ({ cell }) => cell.peer === "culvert" && cell.role === "client" },
];

/** Several runs as one: shards of a set, or a set and what was added to it. Of a cell that ran twice the later run counts. */
export function joined(reports: readonly MatrixReport[]): MatrixReport {
  const inOrder = [...reports].sort((a, b) => (a.started < b.started ? -1 : 1));
  const [first] = inOrder;
  if (first === undefined) throw new RangeError("no run to join");
  if (inOrder.length === 1) return first;
  const cells = new Map<string, MatrixCell>();
  for (const cell of inOrder.flatMap((report) => report.cells)) {
    const before = cells.get(cell.name);
    if (before === undefined || ranThrough(cell) || !ranThrough(before)) cells.set(cell.name, cell);
  }
  return {
    ...first,
    set: [...new Set(inOrder.map(({ set }) => set))].join(" and "),
    tookMs: inOrder.reduce((sum, { tookMs }) => sum + tookMs, 0),
    cells: [...cells.values()].filter((cell) => ranThrough(cell) || first.cells.some(({ name }) => name === cell.name)),
  };
}

/** Markdown: a row for each peer and role, cells that came out as they must of those that ran. */
export function emitInteropTable(report: MatrixReport): string {
  const head = ["", ...AUTHENTICATION, "networks", "faults", "all"];
  const rows = ROWS.map(({ title, has }) => {
    const cells = report.cells.filter(has);
    const of = (all: readonly MatrixCell[]): string => {
      const some = all.filter(ranThrough);
      const good = some.filter(({ verdict }) => verdict === "pass" || verdict === "flaky").length;
      return some.length === 0 ? "none" : `${good}/${some.length}`;
    };
    return [
      title,
      ...AUTHENTICATION.map((auth) => of(cells.filter(({ cell }) => cell.auth === auth))),
      of(cells.filter(({ cell }) => cell.network !== "clean" && cell.fault === "none")),
      of(cells.filter(({ cell }) => cell.fault !== "none")),
      of(cells),
    ];
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const ran = report.cells.filter(ranThrough).length;
  const took = `${(report.tookMs / 60_000).toFixed(0)} minutes`;
  const when = ran === 0 ? "never run to its end" : `${report.started.slice(0, 10)}, ${took}`;
  return [
    `Set ${report.set}, seed ${report.seed}, ${when}: ${ran} of ${report.cells.length} cells; how many came out as they must, of those that ran.`,
    "",
    line(head),
    line(head.map(() => "---")),
    ...rows.map(line),
  ].join("\n");
}

function ranThrough({ verdict }: MatrixCell): boolean {
  return verdict !== "not-run" && verdict !== "interrupted" && verdict !== "blocked";
}

/** Puts the table between the markers. Throws when a text has them not, or twice. */
export function withTable(text: string, table: string): string {
  const parts = text.split(TABLE_BEGINS);
  const [before, rest] = parts;
  const ends = rest?.indexOf(TABLE_ENDS) ?? -1;
  if (before === undefined || rest === undefined || parts.length !== 2 || ends < 0)
    throw new Fault("harness", `hil/README.md must have one line "${TABLE_BEGINS}" and then one "${TABLE_ENDS}"`);
  return `${before}${TABLE_BEGINS}\n${table}\n${rest.slice(ends)}`;
}

export function writeInteropTable(report: MatrixReport): void {
  writeFileSync(README, withTable(readFileSync(README, "utf8"), emitInteropTable(report)));
}
