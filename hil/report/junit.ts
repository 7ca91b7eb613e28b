/**
 * JUnit XML, as CI servers read it: a suite per run, a case per scenario. A failed expectation is a `failure`, a fault of the
 * lab or the end of the run an `error`; what passed after a fault of the lab has a `flakyFailure` (Maven Surefire's schema).
 */
import { elapsedMs } from "../clock.ts";
import type { Failure } from "../journal/event.ts";
import { type AttemptResult, failedStep, type RunReport, type ScenarioResult, type StepResult } from "./run-report.ts";

/** Of one run, or of several side by side. */
export function emitJunit(...reports: readonly RunReport[]): string {
  const suites = reports.map(emitSuite);
  const sum = (pick: (suite: Suite) => number): number => suites.reduce((all, suite) => all + pick(suite), 0);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${countsOf({ outcomes: suites.flatMap(({ outcomes }) => outcomes), ms: sum(({ ms }) => ms) })}>`,
    ...suites.flatMap(({ lines }) => lines),
    "</testsuites>",
    "",
  ].join("\n");
}

type Outcome = "passed" | "failure" | "error" | "skipped";
interface Suite {
  readonly outcomes: readonly Outcome[];
  readonly ms: number;
  readonly lines: readonly string[];
}

function countsOf({ outcomes, ms }: Pick<Suite, "outcomes" | "ms">): string {
  const count = (outcome: Outcome): number => outcomes.filter((each) => each === outcome).length;
  return `tests="${outcomes.length}" failures="${count("failure")}" errors="${count("error")}" skipped="${count("skipped")}" time="${seconds(ms)}"`;
}

function emitSuite(report: RunReport): Suite {
  const outcomes = report.scenarios.map(outcomeOf);
  const ms = elapsedMs(report.startedNs, report.endedNs);
  const stamp = new Date(Number(report.startedNs / 1_000_000n)).toISOString();
  const properties = [
    ...report.facts,
    ...(report.command.length === 0 ? [] : [{ name: "command", value: report.command.join(" ") }]),
    ...report.nodes.map(({ node, what }) => ({ name: `node.${node}`, value: what })),
  ];
  const lines = [
    `  <testsuite name="${escapeXml(report.suite)}" ${countsOf({ outcomes, ms })} timestamp="${stamp}">`,
    ...emitProperties(properties, "    "),
    ...report.scenarios.flatMap((scenario) => emitCase(report, scenario)),
    "  </testsuite>",
  ];
  return { outcomes, ms, lines };
}

function outcomeOf(scenario: ScenarioResult): Outcome {
  switch (scenario.verdict) {
    case "pass":
    case "flaky":
      return "passed";
    case "interrupted":
      return "error";
    case "fail":
      return tagOf(failedStep(scenario)?.failure);
    case "blocked":
    case "impossible":
    case "quarantined":
      return "skipped";
  }
}

function tagOf(failure: Failure | undefined): "failure" | "error" {
  const isOfLab = failure !== undefined && ["bench", "host", "harness"].includes(failure.faultClass);
  return isOfLab ? "error" : "failure";
}

function emitCase(report: RunReport, scenario: ScenarioResult): string[] {
  const { attempts, steps, verdict, because } = scenario;
  const ms = attempts.reduce((sum, each) => sum + elapsedMs(each.startedNs, each.endedNs), 0);
  const open = `    <testcase classname="${escapeXml(report.suite)}" name="${escapeXml(scenario.name)}" time="${seconds(ms)}">`;
  const lines = emitProperties(
    [
      { name: "verdict", value: verdict },
      { name: "claim", value: scenario.claim },
      ...(attempts.length > 1 ? [{ name: "attempts", value: String(attempts.length) }] : []),
    ],
    "      ",
  );
  const outcome = outcomeOf(scenario);
  const failed = failedStep(scenario);
  if (outcome === "skipped") lines.push(`      <skipped message="${escapeXml(because ?? verdict)}"/>`);
  else if (outcome !== "passed") lines.push(emitFailure(outcome, failed, because ?? "it failed without a failed step"));
  const tag = outcome === "passed" ? "flakyFailure" : "rerunFailure";
  lines.push(...attempts.slice(0, -1).flatMap((attempt) => emitEarlier(tag, attempt)));
  if (steps.length > 0) lines.push(`      <system-out>${escapeXml(attachments(report))}</system-out>`);
  return [open, ...lines, "    </testcase>"];
}

function emitFailure(tag: "failure" | "error", step: StepResult | undefined, because: string): string {
  if (step?.failure === undefined) return `      <${tag} message="${escapeXml(because)}" type="interrupted"/>`;
  const { faultClass, text } = step.failure;
  return `      <${tag} message="${escapeXml(`failed at: ${step.name}`)}" type="${faultClass}">${escapeXml(text)}</${tag}>`;
}

function emitEarlier(tag: string, attempt: AttemptResult): string[] {
  const step = attempt.steps.find(({ failure }) => failure !== undefined);
  if (step?.failure === undefined) return [];
  const message = `attempt ${attempt.number} failed at: ${step.name}`;
  return [
    `      <${tag} message="${escapeXml(message)}" type="${step.failure.faultClass}">${escapeXml(step.failure.text)}</${tag}>`,
  ];
}

/** As GitLab and Jenkins look for them; relative to the run's folder. */
function attachments({ links, nodes }: RunReport): string {
  const files = ["report.html", ...links.map(({ capture }) => capture), ...nodes.map(({ node }) => `${node}.log`)];
  return files.map((file) => `[[ATTACHMENT|${file}]]`).join("\n");
}

function emitProperties(properties: readonly { name: string; value: string }[], indent: string): string[] {
  if (properties.length === 0) return [];
  return [
    `${indent}<properties>`,
    ...properties.map(
      ({ name, value }) => `${indent}  <property name="${escapeXml(name)}" value="${escapeXml(value)}"/>`,
    ),
    `${indent}</properties>`,
  ];
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** XML 1.0 has no way to write most control characters, so they are replaced; lone surrogates too. */
export function escapeXml(text: string): string {
  return (
    text
      .replace(/\p{Surrogate}/gu, "\ufffd")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters XML 1.0 forbids
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;")
  );
}
