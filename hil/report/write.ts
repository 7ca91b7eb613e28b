/** Writes every report of a run into its folder: `report.html`, `junit.xml`, `results.ndjson` and a `NODE.log` per console. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { renderLines } from "../console/transcript.ts";
import { emitHtml } from "./html.ts";
import { emitJunit } from "./junit.ts";
import { type MergedReports, mergeReports } from "./merge.ts";
import { emitResults } from "./ndjson.ts";
import { readReport } from "./run-fold.ts";
import type { RunReport } from "./run-report.ts";

/** Rejects with a file system error when the folder cannot be written to. */
export async function writeReports(report: RunReport): Promise<void> {
  const { folder, nodes, startedNs } = report;
  await writeFile(join(folder, "report.html"), emitHtml(report));
  await writeFile(join(folder, "junit.xml"), emitJunit(report));
  await writeFile(join(folder, "results.ndjson"), emitResults(report));
  for (const { node, lines } of nodes) {
    if (lines.length > 0) await writeFile(join(folder, `${node}.log`), renderLines(lines, startedNs));
  }
}

/**
 * What `culvert lab report DIR...` does: makes the reports of every run folder anew, also of a run that was killed. Of several,
 * `into` then gets an `index.html`, one `junit.xml` and one `results.ndjson`. Rejects with a JournalError for a folder without a
 * journal.
 */
export async function reportFolders(folders: readonly string[], into: string): Promise<MergedReports> {
  const reports = folders.map(readReport);
  for (const report of reports) await writeReports(report);
  const merged = mergeReports(reports, into);
  if (reports.length > 1) {
    await mkdir(into, { recursive: true });
    await writeFile(join(into, "index.html"), merged.html);
    await writeFile(join(into, "junit.xml"), merged.junit);
    await writeFile(join(into, "results.ndjson"), merged.results);
  }
  return merged;
}
