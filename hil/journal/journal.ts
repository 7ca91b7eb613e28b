/**
 * The append-only log of a run. It keeps nothing in memory: whoever wants to look back subscribes, or reads the file.
 *
 * The file is NDJSON. Its first line is `{"culvert-journal":1,"startNs":"..."}`; each other line is an event with `t`, the
 * nanoseconds since `startNs`, in place of `atNs`. A line that a crash cut short is the last one, and is left out when read.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import type { LabClock } from "../clock.ts";
import type { Event, EventBody } from "./event.ts";

const VERSION = 1;
/** What may be lost if this process is killed: steps and states are written at once. */
const CHUNK_CHARACTERS = 64 * 1024;

/** Where events go. */
export interface EventSink {
  append(body: EventBody): void;
}

export class Journal implements EventSink {
  readonly #clock: LabClock;
  readonly #startNs: bigint;
  readonly #descriptor: number | undefined;
  readonly #listeners = new Set<(event: Event) => void>();
  #lastNs: bigint;
  #chunk: string[] = [];
  #chunkCharacters = 0;
  #isClosed = false;

  /** Without a path nothing is written; listeners hear everything all the same. */
  constructor(clock: LabClock, path?: string) {
    this.#clock = clock;
    this.#startNs = clock.nowNs();
    this.#lastNs = this.#startNs;
    this.#descriptor = path === undefined ? undefined : openSync(path, "w");
    this.#write(JSON.stringify({ "culvert-journal": VERSION, startNs: String(this.#startNs) }));
  }

  get startNs(): bigint {
    return this.#startNs;
  }

  /** Stamps the event and hands it on. After `close` it is lost: nothing that ends late may fail for that. */
  append(body: EventBody): void {
    if (this.#isClosed) return;
    const nowNs = this.#clock.nowNs();
    if (nowNs > this.#lastNs) this.#lastNs = nowNs;
    const event: Event = { ...body, atNs: this.#lastNs };
    this.#write(emitEvent(event, this.#startNs));
    if (!FREQUENT.has(body.kind)) this.flush();
    for (const listener of this.#listeners) listener(event);
  }

  /** `listener` hears every event from now on; the returned function ends that. */
  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Everything appended so far is in the file afterwards. */
  flush(): void {
    if (this.#descriptor !== undefined && this.#chunkCharacters > 0) {
      writeSync(this.#descriptor, this.#chunk.join(""));
    }
    this.#chunk = [];
    this.#chunkCharacters = 0;
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }

  #write(line: string): void {
    if (this.#descriptor === undefined) return;
    this.#chunk.push(line, "\n");
    this.#chunkCharacters += line.length + 1;
    if (this.#chunkCharacters >= CHUNK_CHARACTERS) this.flush();
  }
}

const FREQUENT: ReadonlySet<Event["kind"]> = new Set(["console", "note", "frame"]);

function emitEvent({ atNs, ...body }: Event, startNs: bigint): string {
  return JSON.stringify({ t: Number(atNs - startNs), ...body });
}

/** A file that is no journal, or of a version that this program does not know. */
export class JournalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "JournalError";
  }
}

export interface RecordedRun {
  readonly startNs: bigint;
  readonly events: readonly Event[];
}

/** Reads a journal back. Throws a JournalError that names the file and, for a broken line, its number. */
export function readJournal(path: string): RecordedRun {
  const lines = readFileSync(path, "utf8").split("\n");
  const isCutShort = lines.at(-1) !== "";
  const header = parseLine(lines[0] ?? "", path, 1);
  const { "culvert-journal": version, startNs } = header as { "culvert-journal"?: unknown; startNs?: unknown };
  if (version !== VERSION || typeof startNs !== "string" || !/^\d+$/.test(startNs)) {
    throw new JournalError(`${path}: this is not a journal of version ${VERSION}`);
  }
  const start = BigInt(startNs);
  const events: Event[] = [];
  for (const [index, line] of lines.slice(1, -1).entries()) events.push(parseEvent(line, start, path, index + 2));
  if (isCutShort && lines.length > 1) events.push(...tryLast(lines.at(-1) ?? "", start, path, lines.length));
  return { startNs: start, events };
}

function tryLast(line: string, startNs: bigint, path: string, number: number): Event[] {
  try {
    return [parseEvent(line, startNs, path, number)];
  } catch {
    return []; // the run was killed while it wrote this line
  }
}

function parseEvent(line: string, startNs: bigint, path: string, number: number): Event {
  const { t, ...body } = parseLine(line, path, number) as { t?: unknown } & EventBody;
  if (typeof t !== "number" || !Number.isFinite(t) || typeof body.kind !== "string") {
    throw new JournalError(`${path}:${number}: this line is no event`);
  }
  return { ...body, atNs: startNs + BigInt(Math.round(t)) };
}

function parseLine(line: string, path: string, number: number): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new JournalError(`${path}:${number}: this line is not JSON`);
  }
  if (typeof value !== "object" || value === null) throw new JournalError(`${path}:${number}: this line is no event`);
  return value;
}
