/** JUnit XML, as CI servers read it: one test case per scenario; what did not run is skipped. */
import { elapsedMs } from "../clock.ts";
import { countVerdicts, failedStep, type RunReport, type ScenarioResult } from "./run-report.ts";

export function emitJunit(report: RunReport): string {
  const { pass, fail, blocked, impossible } = countVerdicts(report);
  const skipped = blocked + impossible;
  const time = seconds(elapsedMs(report.startedNs, report.endedNs));
  const counts = `tests="${pass + fail + skipped}" failures="${fail}" errors="0" skipped="${skipped}"`;
  const stamp = new Date(Number(report.startedNs / 1_000_000n)).toISOString();
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts} time="${time}">`,
    `  <testsuite name="${escapeXml(report.suite)}" ${counts} time="${time}" timestamp="${stamp}">`,
    ...report.scenarios.flatMap((scenario) => emitCase(report.suite, scenario)),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function emitCase(suite: string, scenario: ScenarioResult): string[] {
  const time = seconds(scenario.steps.reduce((sum, step) => sum + elapsedMs(step.startedNs, step.endedNs), 0));
  const open = `    <testcase classname="${escapeXml(suite)}" name="${escapeXml(scenario.name)}" time="${time}"`;
  const failed = failedStep(scenario);
  if (failed !== undefined) {
    const message = `failed at: ${failed.name}`;
    return [
      `${open}>`,
      `      <failure message="${escapeXml(message)}">${escapeXml(failed.failure ?? "")}</failure>`,
      "    </testcase>",
    ];
  }
  if (scenario.verdict !== "pass") {
    return [`${open}>`, `      <skipped message="${escapeXml(scenario.because ?? "")}"/>`, "    </testcase>"];
  }
  return [`${open}/>`];
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** XML 1.0 has no way to write most control characters, so they are replaced. */
export function escapeXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters XML 1.0 forbids
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;")
  );
}
