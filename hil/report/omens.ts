/** What is out of the ordinary in a run, on whichever stream it shows: what the lab did to frames, what died, what packets complain of. */
import { isTakenDown, keyOf } from "./ordinary.ts";
import type { RunReport } from "./run-report.ts";
import type { Packet } from "./wire/packets.ts";

export type Stream = "trap" | "frame" | "line" | "power" | "state" | "console" | "packet" | "fault" | "snapshot";

export interface Omen {
  readonly atNs: bigint;
  readonly stream: Stream;
  /** The node or link. */
  readonly where: string;
  readonly text: string;
  /** How often the same happened from then on. */
  readonly count: number;
  /** The frame it happened to, if it happened to one. */
  readonly frame?: number;
}

/** What a kernel, its init or a program says when it dies or is about to. */
const DEATH = [
  /kernel panic/i,
  /\bOops\b/,
  /\bBUG: /,
  /unable to handle/i,
  /general protection fault/i,
  /\bsegfault\b|Segmentation fault/i,
  /out of memory|oom-kill|Killed process/i,
  /Call Trace:/,
  /blocked for more than \d+ seconds/,
  /rcu.*stall|soft lockup|hard LOCKUP/i,
  /I\/O error|EXT4-fs error|SQUASHFS error/i,
  /watchdog.*(?:reset|did not stop|timeout)/i,
  /uncaughtException|UnhandledPromiseRejection|JavaScript heap out of memory/,
  /Attempted to kill init/,
];

export function isDeath(line: string): boolean {
  return DEATH.some((pattern) => pattern.test(line));
}

/** A state of this name is one that nobody aims at. */
const BAD_STATE = /dead|died|hung|lost|crash|fail|panic|unknown/i;

/** Everything out of the ordinary, in the order of time; what repeats is told once, with its count. */
export function omensOf(report: RunReport, packets: readonly Packet[]): Omen[] {
  const omens: Omen[] = [];
  const add = (stream: Stream, atNs: bigint, where: string, text: string, frame?: number): void => {
    omens.push({ stream, atNs, where, text, count: 1, ...(frame !== undefined && { frame }) });
  };
  const ofLink = new Map(report.links.map(({ link }) => [link, packets.filter((packet) => packet.link === link)]));
  const frameName = (link: string, frame: number): string => {
    const inPlace = ofLink.get(link)?.[frame - 1];
    const packet = inPlace?.number === frame ? inPlace : ofLink.get(link)?.find(({ number }) => number === frame);
    return packet === undefined ? `frame ${frame}` : `${packet.label ?? "a data packet"} from ${packet.from}`;
  };
  for (const { link, traps, changes } of report.links) {
    const trapped = new Set(traps.map(({ frame }) => frame));
    for (const { atNs, rule, frame } of traps)
      add("trap", atNs, link, `the trap "${rule}" took ${frameName(link, frame)}`, frame);
    for (const { atNs, text } of changes) if (!text.startsWith("healed")) add("line", atNs, link, text);
    for (const fault of faultsOf(report, link, ofLink.get(link) ?? [])) {
      if (trapped.has(fault.frame) && fault.text.startsWith("trap:")) continue;
      if (!isHarm(fault.text)) continue;
      add("frame", fault.atNs, link, `${fault.text}: ${frameName(link, fault.frame)}`, fault.frame);
    }
  }
  for (const { node, power, states, lines } of report.nodes) {
    for (const { atNs, to, by } of power)
      if (to === "off" && !isTakenDown(report, atNs)) add("power", atNs, node, `switched off by ${by}`);
    for (const { atNs, from, to } of states) if (BAD_STATE.test(to)) add("state", atNs, node, `${from} → ${to}`);
    for (const { atNs, kind, text } of lines)
      if (kind === "received" && isDeath(text)) add("console", atNs, node, `says "${text.trim()}"`);
  }
  for (const { atNs, link, wrong, number } of packets)
    if (wrong !== undefined) add("packet", atNs, link, wrong, number);
  for (const { atNs, failure } of report.faults) {
    add("fault", atNs, failure.node ?? "lab", `${failure.faultClass}: ${failure.text.split("\n")[0] ?? ""}`);
  }
  for (const { atNs, did, stage, because } of report.snapshots) {
    if (did === "refused") add("snapshot", atNs, "lab", `no snapshot of ${stage}: ${because ?? "no reason given"}`);
  }
  omens.sort((a, b) => (a.atNs < b.atNs ? -1 : a.atNs > b.atNs ? 1 : 0));
  return countRepeats(omens);
}

/** A line with a delay delays every frame, and the change of the line says so already. */
export function isHarm(fault: string): boolean {
  return fault.split("; ").some((each) => !each.startsWith("delayed by "));
}

/** The journal's frame events; where a run's journal has none, the comments of its captures say the same. */
function faultsOf(report: RunReport, link: string, packets: readonly Packet[]) {
  const journaled = report.links.find((each) => each.link === link)?.faults ?? [];
  if (journaled.length > 0) return journaled;
  return packets.flatMap((packet) =>
    packet.fault !== undefined ? [{ atNs: packet.atNs, frame: packet.number, text: packet.fault }] : [],
  );
}

/** The first stands for all of the same within this time. */
const REPEAT_NS = 30_000_000_000n;

function countRepeats(omens: readonly Omen[]): Omen[] {
  const first = new Map<string, Omen & { count: number }>();
  const told: Omen[] = [];
  for (const omen of omens) {
    const key = keyOf(omen);
    const before = first.get(key);
    if (before !== undefined && omen.atNs - before.atNs <= REPEAT_NS) before.count++;
    else {
      const counted = { ...omen };
      first.set(key, counted);
      told.push(counted);
    }
  }
  return told;
}
