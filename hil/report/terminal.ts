/** What a run says on the terminal while it goes on, and the table at its end. Colours only where a person sees them. */
import { elapsedMs } from "../clock.ts";
import type { Verdict } from "../journal/event.ts";
import { countVerdicts, failedStep, type RunReport, type ScenarioResult } from "./run-report.ts";

const COLOUR: Readonly<Record<Verdict | "dim" | "bold", string>> = {
  pass: "32",
  fail: "31;1",
  blocked: "33",
  impossible: "2",
  flaky: "33",
  quarantined: "33",
  dim: "2",
  bold: "1",
};
const WORD: Readonly<Record<Verdict, string>> = {
  pass: "pass",
  fail: "FAIL",
  blocked: "not run",
  impossible: "-",
  flaky: "flaky",
  quarantined: "aside",
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

/** The table of scenarios, and under it each failure with the step it happened at. */
export function emitSummary(report: RunReport, folder: string, paint: Paint): string {
  const width = Math.max(...report.scenarios.map((scenario) => scenario.name.length));
  const { pass, fail, blocked, impossible } = countVerdicts(report);
  const beyond = impossible === 0 ? "" : `, ${impossible} impossible here`;
  const total = (elapsedMs(report.startedNs, report.endedNs) / 1000).toFixed(1);
  return [
    "",
    paint.as("bold", report.title),
    ...report.scenarios.map((scenario) => emitRow(scenario, width, paint)),
    "",
    ...report.scenarios.flatMap((scenario) => emitFailure(scenario, paint)),
    `report:   ${folder}/report.html`,
    `captures: ${report.captures.map((capture) => `${capture.link} ${capture.frames} frames`).join(", ") || "none"}, in ${folder}`,
    `lab: ${pass} passed, ${fail} failed, ${blocked} not run${beyond} in ${total} s`,
  ].join("\n");
}

function emitRow(scenario: ScenarioResult, width: number, paint: Paint): string {
  const took = scenario.steps.reduce((sum, step) => sum + elapsedMs(step.startedNs, step.endedNs), 0);
  const time = scenario.steps.length === 0 ? "" : `${(took / 1000).toFixed(1)} s`;
  const verdict = paint.as(scenario.verdict, WORD[scenario.verdict].padEnd(7));
  return `  ${verdict}  ${scenario.name.padEnd(width)}  ${time.padStart(8)}  ${paint.as("dim", scenario.because ?? scenario.claim)}`;
}

function emitFailure(scenario: ScenarioResult, paint: Paint): string[] {
  const step = failedStep(scenario);
  if (step === undefined) return [];
  return [
    `${paint.as("fail", scenario.name)} failed at: ${paint.as("bold", step.name)}`,
    indent(step.failure ?? ""),
    "",
  ];
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
