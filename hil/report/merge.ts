/** Several runs as one: the shards of a suite, or the suites of a night. */
import { relative } from "node:path";
import { elapsedMs } from "../clock.ts";
import { escapeHtml, pagePart } from "./html.ts";
import { emitJunit } from "./junit.ts";
import { emitResults } from "./ndjson.ts";
import {
  countsInWords,
  countVerdicts,
  failedStep,
  isGood,
  type RunReport,
  type ScenarioResult,
  type VerdictCounts,
} from "./run-report.ts";

export interface MergedReports {
  readonly counts: VerdictCounts;
  /** An index page; its links are relative to `into`. */
  readonly html: string;
  readonly junit: string;
  readonly results: string;
}

/** `into` is the folder that the index page will lie in. Runs are listed by the time at which they began. */
export function mergeReports(runs: readonly RunReport[], into: string): MergedReports {
  const reports = [...runs].sort((a, b) => Number(a.startedNs - b.startedNs));
  const counts = countVerdicts({ scenarios: reports.flatMap(({ scenarios }) => scenarios) });
  return {
    counts,
    html: emitIndex(reports, counts, into),
    junit: emitJunit(...reports),
    results: emitResults(...reports),
  };
}

function emitIndex(reports: readonly RunReport[], counts: VerdictCounts, into: string): string {
  const verdict = isGood(counts) ? "pass" : "fail";
  const failed = reports.flatMap((report) =>
    report.scenarios
      .filter((scenario) => ["fail", "interrupted"].includes(scenario.verdict))
      .map((scenario) => ({ report, scenario })),
  );
  const headline =
    failed.length === 0
      ? `nothing failed in ${reports.length} runs`
      : `${failed.length} of ${reports.flatMap(({ scenarios }) => scenarios).length} scenarios failed, in ${new Set(failed.map(({ report }) => report)).size} of ${reports.length} runs`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${verdict === "pass" ? "passed" : "failed"}: ${reports.length} runs</title>
<style>${pagePart("page.css")}</style>
</head>
<body class="index">
<header class="head ${verdict}">
<section class="verdict">
<p class="title"><span class="badge">${verdict === "pass" ? "passed" : "failed"}</span> <span class="counts">${countsInWords(counts)}</span></p>
<h1>${headline}</h1>
</section>
<section class="cause"><ol>
${failed.map(({ report, scenario }) => `<li><a href="${linkTo(report, into, scenario)}">${escapeHtml(report.suite)}: ${escapeHtml(scenario.name)}</a> ${escapeHtml(troubleOf(scenario))}</li>`).join("\n")}
</ol></section>
</header>
<main>
${reports.map((report) => emitRun(report, into)).join("\n")}
</main>
</body>
</html>
`;
}

function emitRun(report: RunReport, into: string): string {
  const counts = countVerdicts(report);
  const took = (elapsedMs(report.startedNs, report.endedNs) / 1000).toFixed(1);
  const started = new Date(Number(report.startedNs / 1_000_000n)).toISOString().replace("T", " ").slice(0, 19);
  const rows = report.scenarios.map(
    (scenario) => `<tr class="scenario v-${scenario.verdict}"><td><span class="badge">${scenario.verdict}</span></td>
<td><a href="${linkTo(report, into, scenario)}">${escapeHtml(scenario.name)}</a></td>
<td>${escapeHtml(troubleOf(scenario) || scenario.claim)}</td></tr>`,
  );
  return `<section class="run ${isGood(counts) ? "pass" : "fail"}">
<h2><a href="${linkTo(report, into)}">${escapeHtml(report.suite)}: ${escapeHtml(report.title)}</a></h2>
<p class="hint">${countsInWords(counts)} in ${took} s, started ${started} UTC, in ${escapeHtml(relative(into, report.folder) || ".")}</p>
<table>
${rows.join("\n")}
</table>
</section>`;
}

/** What failed, or why it did not run. */
function troubleOf(scenario: ScenarioResult): string {
  const step = failedStep(scenario);
  if (step?.failure === undefined || scenario.verdict === "flaky") return scenario.because ?? "";
  return `failed at: ${step.name} (${step.failure.faultClass}: ${step.failure.text.split("\n")[0] ?? ""})`;
}

function linkTo(report: RunReport, into: string, scenario?: ScenarioResult): string {
  const folder = relative(into, report.folder);
  const page = [...folder.split("/").filter((part) => part !== ""), "report.html"].map(encodeURIComponent).join("/");
  const ran = scenario !== undefined && scenario.attempts.length > 0;
  return escapeHtml(ran ? `${page}#scenario=${encodeURIComponent(scenario.name)}` : page);
}
