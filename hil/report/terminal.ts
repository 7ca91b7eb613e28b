/** What a run says on the terminal while it goes on, and the table at its end. Colours only where a person sees them. */
import { elapsedMs } from "../clock.ts";
import { type Explanation, emitExplanation, explain } from "./explain.ts";
import {
  countsInWords,
  countVerdicts,
  failedStep,
  type ResultVerdict,
  type RunReport,
  type ScenarioResult,
} from "./run-report.ts";

const COLOUR: Readonly<Record<ResultVerdict | "dim" | "bold", string>> = {
  pass: "32",
  fail: "31;1",
  flaky: "33",
  interrupted: "31;1",
  blocked: "33",
  quarantined: "33",
  impossible: "2",
  dim: "2",
  bold: "1",
};
const WORD: Readonly<Record<ResultVerdict, string>> = {
  pass: "pass",
  fail: "FAIL",
  flaky: "flaky",
  interrupted: "CUT OFF",
  blocked: "not run",
  quarantined: "quarant",
  impossible: "-",
};

export class Paint {
  readonly #on: boolean;
  constructor(on: boolean) {
    this.#on = on;
  }
  as(style: keyof typeof COLOUR, text: string): string {
    return this.#on ? `\x1b[${COLOUR[style]}m${text}\x1b[0m` : text;
  }
}

/** The table of scenarios, under it the first cause and every failure with the step it happened at. `folder` is shown as it is. */
export function emitSummary(
  report: RunReport,
  folder: string,
  paint: Paint,
  explanation: Explanation = explain(report),
): string {
  const width = Math.max(0, ...report.scenarios.map((scenario) => scenario.name.length));
  const total = (elapsedMs(report.startedNs, report.endedNs) / 1000).toFixed(1);
  const others = report.scenarios.filter((each) => each !== explanation.scenario);
  return [
    "",
    paint.as("bold", report.title),
    ...report.scenarios.map((scenario) => emitRow(scenario, width, paint)),
    "",
    ...(explanation.verdict === "pass" ? [] : [emitExplanation(explanation, report.startedNs), ""]),
    ...others.flatMap((scenario) => emitFailure(scenario, paint)),
    `report:   ${folder}/report.html`,
    `captures: ${report.links.map(({ link, frames }) => `${link} ${frames} frames`).join(", ") || "none"}, in ${folder}`,
    `lab: ${countsInWords(countVerdicts(report))} in ${total} s`,
  ].join("\n");
}

function emitRow(scenario: ScenarioResult, width: number, paint: Paint): string {
  const took = scenario.attempts.reduce((sum, each) => sum + elapsedMs(each.startedNs, each.endedNs), 0);
  const time = scenario.attempts.length === 0 ? "" : `${(took / 1000).toFixed(1)} s`;
  const verdict = paint.as(scenario.verdict, WORD[scenario.verdict].padEnd(7));
  return `  ${verdict}  ${scenario.name.padEnd(width)}  ${time.padStart(8)}  ${paint.as("dim", scenario.because ?? scenario.claim)}`;
}

function emitFailure(scenario: ScenarioResult, paint: Paint): string[] {
  const step = failedStep(scenario);
  if (step?.failure === undefined) return [];
  return [
    `${paint.as("fail", scenario.name)} failed at: ${paint.as("bold", step.name)} (${step.failure.faultClass})`,
    ...step.failure.text.split("\n").map((line) => `    ${line}`),
    "",
  ];
}
