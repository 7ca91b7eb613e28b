/**
 * `culvert lab replay RUN`: the consoles and steps of a run once more, in their time, without any machine. With `--expect` the
 * recorded bytes go through the real matcher, in the pieces in which they came: it tells when a wait would have ended, or how near it
 * came. So a console that was not understood is a file that can be sent.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { elapsedMs, type LabClock, systemClock } from "../clock.ts";
import { Matcher, nearestPartial } from "../console/matcher.ts";
import { type Pattern, PatternError, readPattern } from "../console/pattern.ts";
import { plain } from "../console/transcript.ts";
import type { Event } from "../journal/event.ts";
import { type RecordedRun, readJournal } from "../journal/journal.ts";
import { JOURNAL_FILE } from "../report/run-fold.ts";
import { UsageError } from "../usage-error.ts";

export interface ReplayOptions {
  readonly node?: string | undefined;
  /** Times as fast as it was; undefined waits for nothing. */
  readonly speed?: number | undefined;
  readonly expect?: string | undefined;
}

/** The command line's words, as they were typed. */
export async function replayRun(words: {
  readonly place?: string | undefined;
  readonly node?: string | undefined;
  readonly speed?: string | undefined;
  readonly expect?: string | undefined;
}): Promise<number> {
  const run = openRun(words.place);
  const speed = words.speed === undefined ? 1 : Number(words.speed);
  if (!(speed >= 0 && speed < Number.POSITIVE_INFINITY))
    throw new UsageError(`--speed ${words.speed}: give a number, such as 10, or 0 for at once`);
  const { node, expect } = words;
  const options = { node, expect, speed: speed === 0 ? undefined : speed };
  return await replay(run, options, systemClock(), (text) => void process.stdout.write(Buffer.from(text, "latin1")));
}

function openRun(folder: string | undefined): RecordedRun {
  if (folder === undefined) throw new UsageError("lab replay needs a run: a folder of .culvert/runs");
  const path = join(resolve(folder), JOURNAL_FILE);
  if (!existsSync(path)) throw new UsageError(`${folder} is no run: it has no ${JOURNAL_FILE}`);
  return readJournal(path);
}

/** 0; with `expect` 1 when the pattern never came. */
export async function replay(
  run: RecordedRun,
  { node, speed, expect }: ReplayOptions,
  clock: LabClock,
  write: (text: string) => void,
): Promise<number> {
  rejectStranger(run, node);
  if (expect !== undefined) return replayExpect(run, node, expect, write);
  let atNs = run.startNs;
  for (const event of run.events) {
    const text = node === undefined ? lineOf(event, run.startNs) : bytesOf(event, node);
    if (text === undefined) continue;
    if (speed !== undefined && event.atNs > atNs) {
      const waitMs = elapsedMs(atNs, event.atNs) / speed;
      await new Promise<void>((done) => void clock.after(waitMs, done));
    }
    atNs = event.atNs;
    write(text);
  }
  return 0;
}

function replayExpect(run: RecordedRun, node: string | undefined, text: string, write: (text: string) => void): number {
  if (node === undefined) throw new UsageError("lab replay --expect needs --node: whose console is it?");
  const pattern = patternOf(text);
  let matcher = new Matcher({ it: pattern });
  let seen = "";
  let hits = 0;
  for (const event of run.events) {
    if (event.kind !== "console" || event.node !== node || event.direction !== "rx") continue;
    seen = (seen + event.text).slice(-64 * 1024);
    for (let match = matcher.push(event.text); match !== undefined; ) {
      hits++;
      write(`${secondsOf(event, run.startNs)} ${node}: ${JSON.stringify(plain(match.text))}\n`);
      matcher = new Matcher({ it: pattern });
      match = match.rest === "" ? undefined : matcher.push(match.rest);
    }
  }
  if (hits > 0) return 0;
  const near = nearestPartial([pattern], plain(seen));
  write(
    `${text} never came on the console of ${node}${near === undefined ? "" : `; the nearest was ${JSON.stringify(near)}`}\n`,
  );
  return 1;
}

function patternOf(text: string): Pattern {
  try {
    return readPattern(text);
  } catch (error) {
    if (error instanceof PatternError) throw new UsageError(`--expect ${text}: ${error.message}`);
    throw error;
  }
}

/** One line for the terminal; undefined for what is not told. */
function lineOf(event: Event, startNs: bigint): string | undefined {
  const at = secondsOf(event, startNs);
  switch (event.kind) {
    case "console":
      if (event.direction === "tx") return undefined;
      return plain(event.text)
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => `${at} ${event.node.padEnd(10)} | ${line}\n`)
        .join("");
    case "note":
      return `${at} ${event.node.padEnd(10)} > ${event.text.replaceAll("\n", "\n                       ")}\n`;
    case "step-begin":
      return `${at} === ${event.scenario}: ${event.name}\n`;
    case "step-end":
      return event.failure === undefined ? undefined : `${at} === FAILED (${event.failure.faultClass})\n`;
    case "power":
      return `${at} ${event.node.padEnd(10)} power ${event.to}, by ${event.by}\n`;
    case "state":
      return `${at} ${event.node.padEnd(10)} ${event.from} -> ${event.to}\n`;
    case "trap":
      return `${at} ${event.link.padEnd(10)} trap: ${event.rule} (frame ${event.frame})\n`;
    case "line":
      return `${at} ${event.link.padEnd(10)} ${event.text}\n`;
    case "message":
      return `${at} ${event.text}\n`;
    case "snapshot":
      return `${at} stage ${event.stage} ${event.did}\n`;
    case "fault":
      return `${at} fault (${event.failure.faultClass}): ${event.failure.text}\n`;
    case "scenario-end":
      return `${at} === ${event.scenario}: ${event.verdict}\n`;
    case "run":
    case "fact":
    case "node":
    case "link":
    case "frame":
    case "scenario-begin":
      return undefined;
  }
}

/** The very bytes that a person on that console saw. */
function bytesOf(event: Event, node: string): string | undefined {
  return event.kind === "console" && event.node === node && event.direction === "rx" ? event.text : undefined;
}

function rejectStranger({ events }: RecordedRun, node: string | undefined): void {
  if (node === undefined) return;
  const nodes = [...new Set(events.flatMap((event) => (event.kind === "console" ? [event.node] : [])))];
  if (!nodes.includes(node))
    throw new UsageError(`--node ${node}: consoles of this run are ${nodes.join(", ") || "none"}`);
}

function secondsOf(event: Event, startNs: bigint): string {
  return (elapsedMs(startNs, event.atNs) / 1000).toFixed(3).padStart(9);
}
