/**
 * The first cause of a failed run in plain language: what failed, whose fault it is, and what was out of the ordinary on any
 * stream before it. The head of the HTML report, the terminal's summary and `culvert lab explain` say the same.
 */
import { elapsedMs } from "../clock.ts";
import type { FaultClass } from "../fault.ts";
import { shellWord } from "../shell-word.ts";
import { type Omen, omensOf } from "./omens.ts";
import { withoutOrdinary } from "./ordinary.ts";
import { readReport } from "./run-fold.ts";
import { countsInWords, countVerdicts, failedStep, isGood, type RunReport, type ScenarioResult } from "./run-report.ts";
import { type Packet, readPackets } from "./wire/packets.ts";

export interface Explanation {
  readonly verdict: "pass" | "fail" | "interrupted";
  /** One sentence: `tunnel failed at: the mobile user dials`. */
  readonly headline: string;
  /** Whose fault, in words; empty when nothing failed. */
  readonly whose: string;
  readonly faultClass: FaultClass | undefined;
  /** What was found instead, as the failure says it; several lines. */
  readonly found: string;
  /** What was out of the ordinary before it, in the order of time; what passed scenarios show too is not. The first is where to look first. */
  readonly omens: readonly Omen[];
  /** The same of the whole run. */
  readonly allOmens: readonly Omen[];
  /** How many more there were than are listed. */
  readonly omitted: number;
  /** The one that failed first. */
  readonly scenario: ScenarioResult | undefined;
  /** When it was noticed. */
  readonly atNs: bigint | undefined;
  readonly commands: readonly { readonly what: string; readonly command: string }[];
}

const WHOSE: Readonly<Record<FaultClass, string>> = {
  bench: "a fault of the bench: serial line, power, flash path or lease",
  host: "a fault of this computer, not of what is tested",
  device: "a fault of the device under test",
  peer: "a fault of a peer of the device",
  test: "everything answered, and what was expected does not hold",
  harness: "a mistake in the lab's own code",
};
const OMENS_SHOWN = 6;

/** Every packet of a run, in the order of time. Captures that cannot be read have none. */
export function packetsOf(report: RunReport): Packet[] {
  const all = report.links.flatMap((link) => readPackets(report.folder, link).packets);
  return all.sort((a, b) => (a.atNs < b.atNs ? -1 : a.atNs > b.atNs ? 1 : 0));
}

/** `packets` in the order of time; what they say about themselves is evidence as well. */
export function explain(report: RunReport, packets: readonly Packet[] = packetsOf(report)): Explanation {
  const counts = countVerdicts(report);
  const culprit = firstCulprit(report);
  const allOmens = omensOf(report, packets);
  const base = {
    allOmens,
    omens: [],
    omitted: 0,
    whose: "",
    faultClass: undefined,
    found: "",
    scenario: undefined,
    atNs: undefined,
  };
  if (culprit === undefined) {
    const [fault] = report.faults;
    if (fault === undefined && isGood(counts)) {
      const nothing = report.scenarios.length === 0;
      const headline = nothing ? "nothing was run" : `nothing failed: ${countsInWords(counts)}`;
      return { ...base, verdict: nothing ? "interrupted" : "pass", headline, commands: commandsFor(report, undefined) };
    }
    if (fault === undefined) {
      const blocked = report.scenarios.find(({ verdict }) => verdict === "blocked");
      const headline = `${blocked?.name ?? "a scenario"} was not run: ${blocked?.because ?? ""}`;
      return { ...base, verdict: "fail", headline, commands: commandsFor(report, undefined) };
    }
    return {
      ...base,
      ...evidence(report, allOmens, report.startedNs, fault.atNs),
      verdict: isGood(counts) ? "pass" : "fail",
      headline: `outside any scenario: ${firstLine(fault.failure.text)}`,
      whose: WHOSE[fault.failure.faultClass],
      faultClass: fault.failure.faultClass,
      found: fault.failure.text,
      atNs: fault.atNs,
      commands: commandsFor(report, undefined),
    };
  }
  const fromNs = culprit.attempts.at(-1)?.startedNs ?? report.startedNs;
  const common = { ...base, scenario: culprit, commands: commandsFor(report, culprit) };
  const step = failedStep(culprit);
  if (step?.failure === undefined) {
    const open = culprit.steps.find(({ isInterrupted }) => isInterrupted) ?? culprit.steps.at(-1);
    const atNs = report.endedNs;
    const where = open === undefined ? "before its first step" : `${open.isInterrupted ? "in" : "after"}: ${open.name}`;
    const isInterrupted = culprit.verdict === "interrupted";
    const headline = isInterrupted ? `${culprit.name} was interrupted ${where}` : `${culprit.name} failed ${where}`;
    const found = isInterrupted
      ? `The run ended here: its last event is ${seconds(report.startedNs, atNs)} after its start.`
      : (culprit.because ?? "");
    const verdict = isInterrupted ? "interrupted" : "fail";
    return { ...common, ...evidence(report, allOmens, fromNs, atNs), verdict, headline, found, atNs };
  }
  const { faultClass, text, node } = step.failure;
  return {
    ...common,
    ...evidence(report, allOmens, fromNs, step.endedNs),
    verdict: "fail",
    headline: `${culprit.name} failed at: ${step.name}`,
    whose: WHOSE[faultClass] + (node === undefined ? "" : `, at ${node}`),
    faultClass,
    found: text,
    atNs: step.endedNs,
  };
}

/** The scenario that failed first; of none, the one the run ended in. */
function firstCulprit({ scenarios }: RunReport): ScenarioResult | undefined {
  const firstOf = (verdict: ScenarioResult["verdict"]): ScenarioResult | undefined =>
    scenarios
      .filter((scenario) => scenario.verdict === verdict)
      .sort((a, b) => Number((failedStep(a)?.endedNs ?? 0n) - (failedStep(b)?.endedNs ?? 0n)))[0];
  return firstOf("fail") ?? firstOf("interrupted");
}

function evidence(report: RunReport, allOmens: readonly Omen[], fromNs: bigint, toNs: bigint) {
  const all = withoutOrdinary(report, allOmens).filter(({ atNs }) => atNs >= fromNs && atNs <= toNs);
  // The first shows the cause, the last what it came to.
  const shown = all.length <= OMENS_SHOWN ? all : [...all.slice(0, OMENS_SHOWN - 2), ...all.slice(-2)];
  return { omens: shown, omitted: all.length - shown.length };
}

/** Facts named `attach` and `rerun` are commands, and more exact than what is made up here. */
function commandsFor(report: RunReport, culprit: ScenarioResult | undefined): Explanation["commands"] {
  const fact = (name: string): string | undefined => report.facts.find((each) => each.name === name)?.value;
  const again = ["culvert", "lab", "run", "--suite", report.suite];
  const filter = culprit === undefined ? [] : ["--filter", culprit.name];
  const attach = fact("attach");
  return [
    { what: "run it again", command: fact("rerun") ?? [...again, ...filter].map(shellWord).join(" ") },
    ...(attach === undefined ? [] : [{ what: "get onto it", command: attach }]),
    { what: "this, as text", command: `culvert lab explain ${shellWord(report.folder)}` },
  ];
}

/** For the terminal: the explanation as a few lines of text. `startedNs` is the zero of its times. */
export function emitExplanation(explanation: Explanation, startedNs: bigint): string {
  const { headline, whose, found, omens, omitted, atNs, commands } = explanation;
  const at = (ns: bigint): string => seconds(startedNs, ns).padStart(9);
  const lines = [headline];
  if (whose !== "") lines.push(`  ${whose}`);
  if (found !== "") lines.push(...found.split("\n").map((line) => `    ${line}`));
  if (omens.length > 0) {
    lines.push("  likely cause, and what else was out of the ordinary before that:");
    for (const omen of omens) lines.push(`  ${at(omen.atNs)}  ${omen.where}: ${omen.text}${times(omen.count)}`);
    if (omitted > 0) lines.push(`             and ${omitted} more`);
  } else if (atNs !== undefined) lines.push("  nothing else was out of the ordinary before that");
  if (atNs !== undefined) lines.push(`  ${at(atNs)}  it was noticed`);
  for (const { what, command } of commands) lines.push(`  ${`${what}:`.padEnd(15)} ${command}`);
  return lines.join("\n");
}

export function times(count: number): string {
  return count === 1 ? "" : ` (${count} times)`;
}

/** What `culvert lab explain DIR` prints. Throws a JournalError when the folder holds no journal. */
export function explainFolder(folder: string): string {
  const report = readReport(folder);
  return emitExplanation(explain(report), report.startedNs);
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}

function seconds(fromNs: bigint, toNs: bigint): string {
  return `${(elapsedMs(fromNs, toNs) / 1000).toFixed(3)} s`;
}
