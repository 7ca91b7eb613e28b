/**
 * How the app and the machine came to run now, and how they ended before: told in the log and on the console, and kept for
 * `show system`. run-app starts the app again when it ends, feed-watchdog has the machine reset when the app hangs.
 */
import { type Disk, replaceFile } from "../config/disk.ts";
import type { Machine, Watchdog } from "../ports.ts";
import { type CrashReport, CrashReports } from "./crash-reports.ts";
import type { Journal, JournalLine } from "./journal.ts";

/** What run-app says of the app's lives since the machine started. */
export interface Lives {
  /** How often it was started again. */
  readonly restarts: number;
  /** How the last life ended; undefined in the first. */
  readonly lastEnd: { readonly status: number; readonly livedS: number; readonly outOfMemory: boolean } | undefined;
}

export interface SystemView {
  readonly machineUpMs: number;
  readonly appUpMs: number;
  readonly restarts: number;
  /** How the app ended before; undefined when it has run since the machine started. */
  readonly lastEnd: string | undefined;
  /** How the machine ended before this start; undefined after an orderly stop, and on a new device. */
  readonly lastBoot: string | undefined;
  readonly watchdog: Watchdog | undefined;
  readonly memory: ReturnType<Machine["memory"]>;
  readonly reports: readonly CrashReport[];
}

export interface SupervisionParts {
  /** Outlives a restart of the machine. */
  readonly disk: Disk;
  readonly machine: Machine;
  readonly journal: Journal;
  readonly wallClock: () => Date;
  readonly version: string;
  readonly lives: Lives;
}

/** Exit status of an app that ended because of an error of its own: sysexits' EX_SOFTWARE. */
export const CRASHED = 70;
/** There while the machine runs; stop-system removes it at an orderly stop. Its text is the machine's boot id. */
const RUNNING_FILE = "running";
/** What feed-watchdog wrote before it stopped feeding. */
const HUNG_FILE = "watchdog";
/** Messages in a crash report. */
const LAST_MESSAGES = 50;
const STACK_LINES_IN_LOG = 6;
const FIRST_SIGNAL = 128;
const SIGNALS: Readonly<Record<number, string>> = {
  6: "SIGABRT",
  7: "SIGBUS",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

export class Supervision {
  readonly #parts: SupervisionParts;
  readonly #reports: CrashReports;
  readonly #startedMs: number;
  #notices: readonly string[] = [];
  #lastBoot: string | undefined;

  constructor(parts: SupervisionParts) {
    this.#parts = parts;
    this.#reports = new CrashReports(parts.disk);
    this.#startedMs = parts.machine.uptimeMs();
  }

  /** Tells how the last life ended, and remembers that this one runs. */
  start(): void {
    const { journal } = this.#parts;
    const notices: string[] = [];
    this.#attempt("the last stop of the machine is not known", () => {
      this.#lastBoot = this.#readLastBoot();
      if (this.#lastBoot !== undefined) notices.push(`the machine ${this.#lastBoot}`);
    });
    const { restarts, lastEnd } = this.#parts.lives;
    if (lastEnd !== undefined) {
      const count = restarts === 1 ? "once" : `${restarts} times`;
      notices.push(`the app was started again, ${count} since the machine started: it ${endText(lastEnd)}`);
    }
    for (const notice of notices) journal.write("error", "system", notice);
    if (lastEnd?.status === CRASHED) {
      const [newest] = this.#list();
      for (const line of (newest?.lines ?? []).slice(0, STACK_LINES_IN_LOG)) journal.write("error", "system", line);
    }
    this.#notices = notices;
  }

  get notices(): readonly string[] {
    return this.#notices;
  }

  status(): SystemView {
    const { machine, lives } = this.#parts;
    return {
      machineUpMs: machine.uptimeMs(),
      appUpMs: machine.uptimeMs() - this.#startedMs,
      restarts: lives.restarts,
      lastEnd: lives.lastEnd && endText(lives.lastEnd),
      lastBoot: this.#lastBoot,
      watchdog: machine.watchdog(),
      memory: machine.memory(),
      reports: this.#list(),
    };
  }

  /** The app is about to end because of an error of its own: logs it and stores a report. Never throws. */
  crashed(error: unknown): void {
    const { journal, machine, wallClock, version } = this.#parts;
    const [reason = "", ...stack] = stackOf(error);
    const messages = journal.last(LAST_MESSAGES).map(messageText);
    journal.write("error", "system", `the app ends because of an error of its own: ${reason}`);
    const lived = ((machine.uptimeMs() - this.#startedMs) / 1000).toFixed(0);
    const head = `Culvert ${version}, ${wallClock().toISOString()}, after ${lived} s`;
    this.#attempt("the crash report could not be stored", () =>
      this.#reports.save([reason, ...stack, head, "The last messages:", ...messages]),
    );
  }

  #readLastBoot(): string | undefined {
    const { disk, machine } = this.#parts;
    const before = disk.read(RUNNING_FILE)?.toString();
    if (before === machine.bootId) return undefined; // the same machine, another life of the app
    replaceFile(disk, RUNNING_FILE, Buffer.from(machine.bootId));
    const hung = disk.read(HUNG_FILE)?.toString().trim();
    if (hung !== undefined) disk.remove(HUNG_FILE);
    if (hung !== undefined || machine.watchdog()?.causedReset === true)
      return `was reset by its watchdog${hung === undefined ? "" : `: ${hung}`}`;
    return before === undefined ? undefined : "was not stopped in order: its power was cut, or it was reset";
  }

  #list(): readonly CrashReport[] {
    try {
      return this.#reports.list();
    } catch {
      return []; // nobody can be helped with reports that cannot be read
    }
  }

  #attempt(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#parts.journal.write("error", "system", `${what}: ${why}`);
    }
  }
}

/** `text`: status, seconds, and `oom` if the kernel killed it for its memory, as run-app writes them; empty in the first life. */
export function parseLives(restarts: string | undefined, text: string | undefined): Lives {
  const [, status, livedS, oom] = /^(\d{1,3}) (\d{1,9})( oom)?$/.exec(text ?? "") ?? [];
  if (status === undefined) return { restarts: 0, lastEnd: undefined };
  const lastEnd = { status: Number(status), livedS: Number(livedS), outOfMemory: oom !== undefined };
  return { restarts: Math.max(1, Number(restarts) || 0), lastEnd };
}

function endText({ status, livedS, outOfMemory }: NonNullable<Lives["lastEnd"]>): string {
  const after = `after ${livedS} s`;
  if (outOfMemory) return `was killed by the kernel ${after}: the memory was used up`;
  if (status === CRASHED) return `ended ${after} because of an error of its own`;
  if (status <= FIRST_SIGNAL) return `ended ${after} with status ${status}`;
  return `was killed ${after} by ${SIGNALS[status - FIRST_SIGNAL] ?? `signal ${status - FIRST_SIGNAL}`}`;
}

function stackOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  return (error.stack ?? `${error.name}: ${error.message}`).split("\n").map((line) => line.trimEnd());
}

function messageText({ time, level, area, text }: JournalLine): string {
  return `${time.toISOString()} ${level} ${area}: ${text}`;
}
