/** The report of a run as one HTML file that needs nothing else: the first cause in its head, and below it everything on one clock. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { projectRoot } from "../../image/project.ts";
import { elapsedMs } from "../clock.ts";
import { secondsAfter } from "./bursts.ts";
import { type Explanation, explain, times } from "./explain.ts";
import { flightData } from "./flight-data.ts";
import type { Omen } from "./omens.ts";
import { countsInWords, countVerdicts, type RunReport } from "./run-report.ts";
import { type LinkPackets, readPackets } from "./wire/packets.ts";

const WORD: Readonly<Record<Explanation["verdict"], string>> = {
  pass: "passed",
  fail: "failed",
  interrupted: "interrupted",
};

/** Reads the captures in the report's folder. */
export function emitHtml(report: RunReport): string {
  const captures = new Map<string, LinkPackets>(
    report.links.map((link) => [link.link, readPackets(report.folder, link)]),
  );
  const packets = [...captures.values()].flatMap((each) => each.packets);
  packets.sort((a, b) => (a.atNs < b.atNs ? -1 : a.atNs > b.atNs ? 1 : 0));
  const explanation = explain(report, packets);
  const data = JSON.stringify(flightData(report, captures, explanation));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${WORD[explanation.verdict]}: ${escapeHtml(report.title)}</title>
<style>${pagePart("page.css")}</style>
</head>
<body>
${emitHead(report, explanation)}
<noscript><p>The time line, the packets and the consoles need JavaScript, which this browser does not run. ${captures.size} captures and the consoles lie beside this file.</p></noscript>
<main id="recorder"></main>
<script type="application/json" id="data">${data.replace(/</g, "\\u003c")}</script>
<script>${pagePart("main.ts")}</script>
</body>
</html>
`;
}

function emitHead(report: RunReport, explanation: Explanation): string {
  const { verdict, headline, whose, found, omens, omitted, atNs, commands, faultClass } = explanation;
  const { startedNs } = report;
  const started = new Date(Number(startedNs / 1_000_000n)).toISOString().replace("T", " ").slice(0, 19);
  const took = `${(elapsedMs(startedNs, report.endedNs) / 1000).toFixed(1)} s`;
  const facts = [
    ["suite", report.suite],
    ["started", `${started} UTC`],
    ["took", took],
    ...report.facts.map(({ name, value }) => [name, value]),
    ...(report.command.length === 0 ? [] : [["command", report.command.join(" ")]]),
  ];
  const jump = (ns: bigint, omen?: Omen): string => {
    const at = secondsAfter(startedNs, ns).toFixed(6);
    const frame = omen?.frame === undefined ? "" : `&amp;frame=${encodeURIComponent(omen.where)}:${omen.frame}`;
    return `<a class="at" href="#t=${at}${frame}">${(elapsedMs(startedNs, ns) / 1000).toFixed(3)} s</a>`;
  };
  const [first = "", ...more] = found.split("\n");
  const moreText = more.join("\n").trim();
  const whoseText =
    whose === "" ? "" : `<p class="whose"><b>${escapeHtml(faultClass ?? "")}</b> ${escapeHtml(whose)}</p>`;
  const foundText = first === "" ? "" : `<p class="found">${escapeHtml(first)}</p>`;
  const moreOf =
    moreText === "" ? "" : `<details><summary>all it says</summary><pre>${escapeHtml(found)}</pre></details>`;
  const cause = omens.map(
    (omen, index) =>
      `<li class="${omen.stream}${index === 0 ? " first" : ""}">${jump(omen.atNs, omen)} <b>${escapeHtml(omen.where)}:</b> ${escapeHtml(omen.text)}${times(omen.count)}</li>`,
  );
  if (omitted > 0) cause.splice(-2, 0, `<li class="more">and ${omitted} more</li>`);
  if (atNs !== undefined)
    cause.push(
      `<li class="noticed">${jump(atNs)} ${omens.length === 0 ? "it was noticed; nothing else was out of the ordinary before" : "it was noticed"}</li>`,
    );
  const evidence =
    cause.length === 0
      ? ""
      : `<section class="cause" aria-label="Cause"><h2>${omens.length === 0 ? "When" : omens.length === 1 ? "Likely cause" : "Likely cause first, then what else was out of the ordinary"}</h2><ol>${cause.join("")}</ol></section>`;
  return `<header class="head ${verdict}">
<section class="verdict" aria-label="Verdict">
<p class="title"><span class="badge">${WORD[verdict]}</span> ${escapeHtml(report.title)} <span class="counts">${countsInWords(countVerdicts(report))} in ${took}</span></p>
<h1>${escapeHtml(headline)}</h1>
${whoseText}${foundText}${moreOf}
</section>
${evidence}
<section class="orders" aria-label="Commands and facts">
${commands.map(({ what, command }) => `<p class="order"><span>${escapeHtml(what)}</span><code>${escapeHtml(command)}</code><button type="button" data-copy="${escapeHtml(command)}">copy</button></p>`).join("\n")}
<dl class="facts">${facts.map(([name = "", value = ""]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>
</section>
</header>`;
}

export function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

const made = new Map<string, string>();

/** A file of `page/` with all that it imports, for browsers. It is made once in a process: some 50 ms. */
export function pagePart(name: "main.ts" | "matrix.ts" | "page.css" | "matrix.css"): string {
  const before = made.get(name);
  if (before !== undefined) return before;
  const path = join(projectRoot, "hil/report/page", name);
  const { outputFiles } = buildSync({
    stdin: {
      contents: readFileSync(path, "utf8"),
      resolveDir: join(path, ".."),
      sourcefile: name,
      loader: name.endsWith(".ts") ? "ts" : "css",
    },
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "utf8",
  });
  // A closing tag inside a string would end the script element.
  const text = (outputFiles[0]?.text ?? "").replace(/<\/(script|style)/gi, "<\\/$1");
  made.set(name, text);
  return text;
}
