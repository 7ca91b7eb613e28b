/** One daemon that shall run: started, started again when it ends, and replaced when it is to do something else. */
import type { Disk } from "../config/disk.ts";
import { type Clock, type Command, type Log, type Millis, type Programs, SystemError, type Timers } from "../ports.ts";
import { isSameData } from "./same-data.ts";

export interface DaemonSpec extends Command {
  /** Configuration files by name, in the folder for what does not outlive a restart. */
  readonly files: ReadonlyMap<string, string>;
}

export interface DaemonPorts {
  readonly programs: Programs;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the configuration files go. */
  readonly disk: Disk;
}

const FIRST_RESTART_MS = 1000;
const LONGEST_RESTART_MS = 60_000;
/** Who lived that long did not end because of its configuration. */
const LONG_LIFE_MS = 60_000;

interface Running {
  readonly spec: DaemonSpec;
  readonly startedAt: Millis;
  readonly program: { stop(signal: "SIGTERM" | "SIGINT"): void };
  stopped: boolean;
  lastLine: string;
}

export class Daemon {
  readonly #name: string;
  readonly #ports: DaemonPorts;
  readonly #line: (text: string) => void;
  readonly #ended: () => void;
  #wanted: DaemonSpec | undefined;
  #running: Running | undefined;
  #restart: { cancel(): void } | undefined;
  #waitMs = FIRST_RESTART_MS;

  /** `line`: what it prints. `ended`: it runs no more, for whatever reason. */
  constructor(name: string, ports: DaemonPorts, line: (text: string) => void = () => {}, ended: () => void = () => {}) {
    this.#name = name;
    this.#ports = ports;
    this.#line = line;
    this.#ended = ended;
  }

  get isRunning(): boolean {
    return this.#running !== undefined && !this.#running.stopped;
  }

  /** Equal to before, nothing happens. Undefined: it shall not run. */
  want(spec: DaemonSpec | undefined): void {
    if (isSameData(spec, this.#wanted)) return;
    this.#wanted = spec;
    this.#waitMs = FIRST_RESTART_MS;
    this.#restart?.cancel();
    this.#restart = undefined;
    // Its ports and leases are free only once it has ended.
    if (this.#running !== undefined) this.#stop(this.#running);
    else this.#start();
  }

  #stop(running: Running): void {
    if (running.stopped) return;
    running.stopped = true;
    running.program.stop("SIGTERM");
  }

  #start(): void {
    const spec = this.#wanted;
    if (spec === undefined) return;
    const { programs, clock, disk, log } = this.#ports;
    try {
      for (const [name, text] of spec.files) disk.write(name, Buffer.from(text));
    } catch (error) {
      log.write("error", "system", `${this.#name}: ${error instanceof Error ? error.message : String(error)}`);
      this.#startLater();
      return;
    }
    const running: Running = {
      spec,
      startedAt: clock.now(),
      stopped: false,
      lastLine: "",
      program: programs.start(spec, {
        line: (text) => {
          running.lastLine = text;
          if (!running.stopped) this.#line(text);
        },
        ended: (how) => this.#gone(running, how),
      }),
    };
    this.#running = running;
  }

  #gone(running: Running, how: string | undefined): void {
    this.#running = undefined;
    this.#ended();
    if (running.stopped) {
      this.#start();
      return;
    }
    const said = running.lastLine === "" ? "" : `: ${running.lastLine}`;
    this.#ports.log.write("warning", "system", `${this.#name} ended (${how ?? "status 0"})${said}`);
    if (this.#ports.clock.now() - running.startedAt >= LONG_LIFE_MS) this.#waitMs = FIRST_RESTART_MS;
    this.#startLater();
  }

  #startLater(): void {
    this.#restart = this.#ports.timers.after(this.#waitMs, () => {
      this.#restart = undefined;
      this.#start();
    });
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_RESTART_MS);
  }
}

/** Runs a short program; a failure is a sentence. */
export function attemptProgram(programs: Programs, command: Command, input?: string): string | undefined {
  try {
    programs.run(command, input);
    return undefined;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.message;
  }
}
