/** The report of a run as one HTML file without any outside part: steps on a time line, consoles beside them, captures as links. */
import { elapsedMs } from "../clock.ts";
import type { Verdict } from "../journal/event.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./html-page.ts";
import {
  type ConsoleResult,
  countVerdicts,
  type RunReport,
  type ScenarioResult,
  type StepResult,
} from "./run-report.ts";

const WORD: Readonly<Record<Verdict, string>> = {
  pass: "passed",
  fail: "failed",
  blocked: "not run",
  impossible: "impossible",
  flaky: "passed at a later attempt",
  quarantined: "quarantined",
};

export function emitHtml(report: RunReport): string {
  const { pass, fail, blocked, impossible } = countVerdicts(report);
  const beyond = impossible === 0 ? "" : `, <b>${impossible}</b> impossible here`;
  const verdict = fail > 0 || blocked > 0 ? "fail" : "pass";
  const started = new Date(Number(report.startedNs / 1_000_000n)).toISOString().replace("T", " ").slice(0, 19);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${WORD[verdict]}: ${escapeHtml(report.title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header class="${verdict}">
<h1>${escapeHtml(report.title)}</h1>
<p class="count"><b>${pass}</b> passed, <b>${fail}</b> failed, <b>${blocked}</b> not run${beyond}
in ${seconds(report.startedNs, report.endedNs)} s</p>
<p class="facts">suite ${escapeHtml(report.suite)} · started ${started} UTC · accelerator ${escapeHtml(report.accelerator ?? "not chosen")}</p>
</header>
<main>
<section>
<h2>Scenarios</h2>
${report.scenarios.map((scenario) => emitScenario(scenario, report)).join("\n")}
</section>
<section>
<h2>Captures</h2>
<table>
<tr><th>link</th><th>file</th><th class="number">frames</th><th class="number">dropped</th></tr>
${report.captures
  .map(
    ({ link, file, frames, dropped }) =>
      `<tr><td>${escapeHtml(link)}</td><td><a href="${escapeHtml(file)}">${escapeHtml(file)}</a></td><td class="number">${frames}</td><td class="number">${dropped}</td></tr>`,
  )
  .join("\n")}
</table>
</section>
<section>
<h2>Consoles</h2>
<p class="hint">Seconds since the start of the run. Grey lines are what the lab typed and understood; click a step above to come here at its time.</p>
<div class="consoles">
${report.consoles.map((console) => emitConsole(console, report.startedNs)).join("\n")}
</div>
</section>
</main>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function emitScenario(scenario: ScenarioResult, report: RunReport): string {
  const first = scenario.steps[0];
  const last = scenario.steps.at(-1);
  const time = first && last ? `${seconds(first.startedNs, last.endedNs)} s` : "";
  const steps = scenario.steps.map((step) => emitStep(step, report)).join("\n");
  const because = scenario.because === undefined ? "" : `<p class="because">${escapeHtml(scenario.because)}</p>`;
  return `<details class="scenario ${scenario.verdict}"${scenario.verdict === "fail" ? " open" : ""}>
<summary><span class="badge">${WORD[scenario.verdict]}</span><b>${escapeHtml(scenario.name)}</b>
<span class="claim">${escapeHtml(scenario.claim)}</span><span class="time">${time}</span></summary>
${because}<ol>
${steps}
</ol>
</details>`;
}

function emitStep(step: StepResult, report: RunReport): string {
  const whole = Math.max(1, elapsedMs(report.startedNs, report.endedNs));
  const left = ((elapsedMs(report.startedNs, step.startedNs) / whole) * 100).toFixed(2);
  const width = Math.max(0.3, (elapsedMs(step.startedNs, step.endedNs) / whole) * 100).toFixed(2);
  const at = seconds(report.startedNs, step.startedNs);
  const failure = step.failure === undefined ? "" : `<pre class="failure">${escapeHtml(step.failure)}</pre>`;
  return `<li class="${step.failure === undefined ? "pass" : "fail"}"><a class="step" data-at="${at}" href="#at-${at}">
<span>${escapeHtml(step.name)}</span><span class="bar"><i style="left:${left}%;width:${width}%"></i></span>
<span class="time">${at} s</span><span class="time">+${seconds(step.startedNs, step.endedNs)} s</span></a>${failure}</li>`;
}

function emitConsole(console: ConsoleResult, startedNs: bigint): string {
  const lines = console.lines
    .map(({ atNs, kind, text }) => {
      const at = seconds(startedNs, atNs);
      return `<div class="${kind}" data-at="${at}"><time>${at}</time>${escapeHtml(text)}</div>`;
    })
    .join("");
  const name = escapeHtml(console.node);
  return `<article><h3>${name} <a href="${name}.console">raw</a></h3><div class="screen">${lines}</div></article>`;
}

function seconds(fromNs: bigint, toNs: bigint): string {
  return (elapsedMs(fromNs, toNs) / 1000).toFixed(1);
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
