/** What the page of a run shows, made of the run's report and its captures; bounded, however long the run was. */
import { isHarmed, rowsOf, secondsAfter, withDetails } from "./bursts.ts";
import type { Explanation } from "./explain.ts";
import { isDeath, type Omen } from "./omens.ts";
import type { PageData, PageLine, PageLink, PageMark, PageNode, PageScenario } from "./page/data.ts";
import { packFrames } from "./page/track.ts";
import type { LinkResult, NodeResult, RunReport, ScenarioResult } from "./run-report.ts";
import type { LinkPackets, Packet } from "./wire/packets.ts";
import { TRAFFIC, TRAFFIC_NAMES } from "./wire/traffic.ts";

/** Characters of a console that the page carries: the beginning, and three times as much of the end. */
const CONSOLE_ROOM = 240_000;
/** Marks of one kind; the captures' comments have them all. */
const MARKS_KEPT = 2000;

export function flightData(
  report: RunReport,
  captures: ReadonlyMap<string, LinkPackets>,
  explanation: Explanation,
): PageData {
  const nodes = nodesOf(report);
  const index = new Map(nodes.map(({ node }, at) => [node, at]));
  const node = (name: string | undefined): number => (name === undefined ? -1 : (index.get(name) ?? -1));
  const { startedNs } = report;
  const packetsOf = (link: LinkResult): readonly Packet[] => captures.get(link.link)?.packets ?? [];
  const rows = report.links.flatMap((link, at) => rowsOf(packetsOf(link), { startedNs, link: at, node }));
  rows.sort((a, b) => a.row.at - b.row.at);
  const ends = report.links.map((link) => secondsAfter(startedNs, packetsOf(link).at(-1)?.atNs ?? startedNs));
  return {
    title: report.title,
    length: Math.max(0.001, secondsAfter(startedNs, report.endedNs), ...ends),
    traffic: TRAFFIC.map((id) => [id, ...TRAFFIC_NAMES[id]]),
    nodes: nodes.map((each) => pageNode(each, startedNs)),
    links: report.links.map((link) => pageLink(link, captures.get(link.link), startedNs, node)),
    scenarios: report.scenarios.map((scenario) => pageScenario(scenario, startedNs)),
    rows: withDetails(rows),
    marks: marksOf(report, captures, explanation.allOmens),
    ...focusOf(report, explanation),
  };
}

/** The first cause, or else the failure itself; around it, the step that failed. */
function focusOf({ startedNs }: RunReport, { scenario, omens: [first], atNs }: Explanation): Pick<PageData, "focus"> {
  const at = first?.atNs ?? atNs;
  if (at === undefined || scenario === undefined) return {};
  const step = scenario.steps.find(({ failure, isInterrupted }) => failure !== undefined || isInterrupted);
  const from = secondsAfter(startedNs, step?.startedNs ?? scenario.attempts.at(-1)?.startedNs ?? at);
  const to = secondsAfter(startedNs, step?.endedNs ?? atNs ?? at);
  const seconds = secondsAfter(startedNs, at);
  const frame = first?.frame === undefined ? {} : { frame: `${first.where}:${first.frame}` };
  return { focus: { from: Math.min(from, seconds), to: Math.max(to, seconds), at: seconds, ...frame } };
}

/** Neighbours on a link stand beside each other, so that arrows are short: from a node, always on to one it has a link with. */
function nodesOf({ nodes, links }: RunReport): NodeResult[] {
  const onLink = links.map(({ ports }) => ports.map((port) => port.replace(/\..*/, "")));
  const degree = (name: string): number => onLink.filter((members) => members.includes(name)).length;
  const unknown = onLink
    .flat()
    .filter((name, at, all) => all.indexOf(name) === at && !nodes.some(({ node }) => node === name));
  const rest = [...nodes, ...unknown.map(bareNode)].sort((a, b) => degree(a.node) - degree(b.node));
  const ordered: NodeResult[] = [];
  while (rest.length > 0) {
    const last = ordered.at(-1);
    const isNeighbour = ({ node }: NodeResult): boolean =>
      last !== undefined && onLink.some((members) => members.includes(node) && members.includes(last.node));
    const start = rest.findIndex(({ node }) => degree(node) > 0);
    const next = rest.findIndex(isNeighbour);
    ordered.push(...rest.splice(next >= 0 ? next : Math.max(0, start), 1));
  }
  return ordered;
}

function bareNode(node: string): NodeResult {
  return { node, role: "service", what: "", power: [], states: [], lines: [] };
}

function pageNode({ node, role, what, power, states, lines }: NodeResult, startedNs: bigint): PageNode {
  const changes = [
    ...power.map(({ atNs, to }) => ({ atNs, name: to, kind: to })),
    ...states.map(
      ({ atNs, to }) => ({ atNs, name: to, kind: /dead|died|hung|fail|panic/i.test(to) ? "bad" : "state" }) as const,
    ),
  ].sort((a, b) => Number(a.atNs - b.atNs));
  const all = lines.map(
    ({ atNs, kind, text }): PageLine => [
      secondsAfter(startedNs, atNs),
      kind === "note" ? 1 : isDeath(text) ? 2 : 0,
      kind === "note" ? text : Buffer.from(text, "latin1").toString("utf8"),
    ],
  );
  const { kept, before, count } = bounded(all);
  return {
    name: node,
    role,
    what,
    states: changes.map(({ atNs, name, kind }) => [secondsAfter(startedNs, atNs), name, kind]),
    lines: kept,
    left: { before, count, file: `${node}.log` },
  };
}

function bounded(lines: readonly PageLine[]): { kept: readonly PageLine[]; before: number; count: number } {
  const size = ([, , text]: PageLine): number => text.length + 12;
  const total = lines.reduce((sum, line) => sum + size(line), 0);
  if (total <= CONSOLE_ROOM) return { kept: lines, before: 0, count: 0 };
  let before = 0;
  for (let used = 0; before < lines.length; before++) {
    used += size(lines[before] as PageLine);
    if (used > CONSOLE_ROOM / 4) break;
  }
  let after = lines.length;
  for (let used = 0; after > before; after--) {
    used += size(lines[after - 1] as PageLine);
    if (used > (CONSOLE_ROOM * 3) / 4) break;
  }
  return { kept: [...lines.slice(0, before), ...lines.slice(after)], before, count: after - before };
}

function pageLink(
  { link, ports, capture, frames }: LinkResult,
  read: LinkPackets | undefined,
  startedNs: bigint,
  node: (name: string) => number,
): PageLink {
  const packets = read?.packets ?? [];
  return {
    name: link,
    nodes: ports.map((port) => node(port.replace(/\..*/, ""))),
    file: capture,
    frames: Math.max(frames, packets.length),
    problem: read?.problem,
    track: packFrames(
      packets.map(({ atNs, traffic, side }) => ({
        us: Number((atNs - startedNs) / 1000n),
        kind: TRAFFIC.indexOf(traffic),
        side: side & 15,
      })),
    ),
  };
}

function pageScenario({ name, claim, verdict, because, attempts }: ScenarioResult, startedNs: bigint): PageScenario {
  return {
    name,
    claim,
    verdict,
    because,
    attempts: attempts.map((attempt) => ({
      from: secondsAfter(startedNs, attempt.startedNs),
      to: secondsAfter(startedNs, attempt.endedNs),
      steps: attempt.steps.map((step) => ({
        name: step.name,
        from: secondsAfter(startedNs, step.startedNs),
        to: secondsAfter(startedNs, step.endedNs),
        failure: step.failure?.text,
        fault: step.failure?.faultClass,
        open: step.isInterrupted,
      })),
    })),
  };
}

function isHealing(text: string | undefined): boolean {
  return text === undefined || text.startsWith("healed");
}

function marksOf(report: RunReport, captures: ReadonlyMap<string, LinkPackets>, omens: readonly Omen[]): PageMark[] {
  const marks: PageMark[] = [];
  const add = (kind: PageMark["kind"], atNs: bigint, where: string, text: string): void =>
    void marks.push({ kind, at: secondsAfter(report.startedNs, atNs), where, text });
  for (const { link, traps, changes } of report.links) {
    for (const { atNs, rule } of traps.slice(0, MARKS_KEPT)) add("trap", atNs, link, rule);
    // A fresh lab is healed before it is used: that is worth a mark only after something was done to the link.
    const told = changes.filter(({ text }, at) => !isHealing(text) || !isHealing(changes[at - 1]?.text));
    for (const { atNs, text } of told.slice(0, MARKS_KEPT)) add("line", atNs, link, text);
    const harmed = (captures.get(link)?.packets ?? []).filter(isHarmed).slice(0, MARKS_KEPT);
    for (const { atNs, fault } of harmed)
      if (fault !== undefined && !fault.startsWith("trap:")) add("fault", atNs, link, fault);
  }
  for (const { node, power } of report.nodes) {
    for (const { atNs, to, by } of power) add("power", atNs, node, `power ${to}, by ${by}`);
  }
  const found = omens.filter(({ stream }) => ["console", "packet", "state", "fault"].includes(stream));
  for (const { atNs, where, text } of found.slice(0, MARKS_KEPT)) add("omen", atNs, where, text);
  for (const { atNs, did, stage } of report.snapshots) add("snapshot", atNs, "lab", `snapshot of ${stage} ${did}`);
  for (const { atNs, text } of report.messages) add("message", atNs, "lab", text);
  for (const { name, attempts } of report.scenarios) {
    for (const { failure, endedNs, name: step } of attempts.flatMap(({ steps }) => steps)) {
      if (failure !== undefined) add("failure", endedNs, name, `failed at: ${step}`);
    }
  }
  return marks.sort((a, b) => a.at - b.at);
}
