/** `matrix.html`: the interop matrix as one page that needs nothing else, in the style of the flight recorder. */
import type { MatrixReport } from "../matrix/data.ts";
import { escapeHtml, pagePart } from "./html.ts";

export function emitMatrixPage(report: MatrixReport): string {
  const failed = report.cells.filter(({ verdict }) => verdict === "fail" || verdict === "interrupted");
  const missing = report.cells.filter(({ verdict }) => verdict === "not-run" || verdict === "blocked");
  const verdict = failed.length + missing.length === 0 ? "pass" : "fail";
  const planned = report.cells.filter(({ expected }) => expected === "fail").length;
  const headline =
    failed.length + missing.length === 0
      ? `${report.cells.length} cells came out as they must, ${planned} of them as calls that fail by plan`
      : `${failed.length} of ${report.cells.length} cells did not come out as they must${missing.length === 0 ? "" : `, ${missing.length} were not run`}`;
  const data = JSON.stringify(report).replace(/</g, "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${verdict === "pass" ? "passed" : "failed"}: interop matrix</title>
<style>${pagePart("page.css")}${pagePart("matrix.css")}</style>
</head>
<body class="index matrix">
<header class="head ${verdict}">
<section class="verdict" aria-label="Verdict">
<p class="title"><span class="badge">${verdict === "pass" ? "passed" : "failed"}</span> Interop matrix <span class="counts">set ${escapeHtml(report.set)}, seed ${report.seed}, ${escapeHtml(report.started.replace("T", " ").slice(0, 19))} UTC, ${(report.tookMs / 60_000).toFixed(1)} min</span></p>
<h1>${escapeHtml(headline)}</h1>
<p class="hint">Codes are those that Windows shows. All of them are predicted from what happens on the wire: no Windows has confirmed them.</p>
</section>
</header>
<noscript><p>The grid needs JavaScript, which this browser does not run. matrix.json has the same.</p></noscript>
<main id="matrix"></main>
<script type="application/json" id="data">${data}</script>
<script>${pagePart("matrix.ts")}</script>
</body>
</html>
`;
}
