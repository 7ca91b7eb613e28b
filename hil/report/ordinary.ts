/** What looks like trouble and is none: what a run's scenarios that passed show as well, and a lab that is taken down. */
import type { Omen, Stream } from "./omens.ts";
import type { RunReport } from "./run-report.ts";

/** Streams on which the same may be seen in every run: a protocol refused in each call, a connection reset at its end. */
const REPEATABLE: ReadonlySet<Stream> = new Set<Stream>(["packet", "console", "power", "state", "snapshot"]);

/** Two omens with the same key tell the same; numbers and names that are made anew each time do not count. */
export function keyOf({ stream, where, text }: Omen): string {
  return `${stream} ${where} ${text.replace(/[0-9A-F]{8,}/g, "#").replace(/\d+/g, "#")}`;
}

/** Without those that were also seen in a scenario that passed. */
export function withoutOrdinary(report: RunReport, omens: readonly Omen[]): Omen[] {
  const good = report.scenarios
    .filter(({ verdict }) => verdict === "pass")
    .flatMap(({ attempts }) => attempts)
    .filter(({ startedNs, endedNs }) => !isWithinBad(report, startedNs, endedNs));
  const ordinary = new Set(
    omens.filter(({ stream, atNs }) => REPEATABLE.has(stream) && good.some((each) => isIn(each, atNs))).map(keyOf),
  );
  return omens.filter((omen) => !ordinary.has(keyOf(omen)));
}

/** A stage that was made for a scenario which then failed is part of what failed. */
function isWithinBad({ scenarios }: RunReport, startedNs: bigint, endedNs: bigint): boolean {
  return scenarios
    .filter(({ verdict }) => verdict !== "pass")
    .flatMap(({ attempts }) => attempts)
    .some((bad) => isIn(bad, startedNs) && isIn(bad, endedNs));
}

function isIn({ startedNs, endedNs }: { startedNs: bigint; endedNs: bigint }, atNs: bigint): boolean {
  return atNs >= startedNs && atNs <= endedNs;
}

/** Whether a node that went off at that time did so with all the others, before any step began or ended. */
export function isTakenDown({ nodes, scenarios, endedNs }: RunReport, atNs: bigint): boolean {
  const edges = scenarios
    .flatMap(({ attempts }) => attempts)
    .flatMap(({ steps }) => steps.flatMap((step) => [step.startedNs, step.endedNs]))
    .filter((each) => each > atNs)
    .sort((a, b) => Number(a - b));
  const [edge = endedNs] = edges;
  return nodes.every(({ power }) => {
    const until = power.filter((change) => change.atNs <= edge);
    return until.at(-1)?.to !== "on" || until.some((change) => change.atNs > atNs && change.to === "on");
  });
}
