/** Programs that do what a test says: it sees what was started, lets them speak, and lets them end. */
import type { Command, ProgramEvents, Programs } from "../../appliance/ports.ts";
import { SystemError } from "../../appliance/ports.ts";

export class FakeProgram {
  readonly command: Command;
  readonly #events: ProgramEvents;
  /** Signals that it was sent; it ends when the test says so. */
  readonly signals: string[] = [];
  isRunning = true;

  constructor(command: Command, events: ProgramEvents) {
    this.command = command;
    this.#events = events;
  }
  print(...lines: readonly string[]): void {
    for (const line of lines) this.#events.line(line);
  }
  end(how?: string): void {
    this.isRunning = false;
    this.#events.ended(how);
  }
}

/** What a program of some name does by itself. */
export interface Behaviour {
  readonly lines: readonly string[];
  readonly ends: "well" | "when stopped" | string;
}

export class FakePrograms implements Programs {
  /** What was run to its end, oldest first. */
  readonly runs: { readonly command: Command; readonly input: string }[] = [];
  readonly started: FakeProgram[] = [];
  /** By name. Others run to their end in silence, or stay until the test ends them. */
  readonly behaviours = new Map<string, Behaviour>();

  run(command: Command, input = ""): string {
    this.runs.push({ command, input });
    const { lines, ends } = this.behaviours.get(command.program) ?? { lines: [], ends: "well" };
    if (ends !== "well") throw new SystemError(command.program, [ends, ...lines.slice(0, 1)].join(", "));
    return lines.map((line) => `${line}\n`).join("");
  }
  start(command: Command, events: ProgramEvents): { stop(signal: "SIGTERM" | "SIGINT"): void } {
    const program = new FakeProgram(command, events);
    this.started.push(program);
    const behaviour = this.behaviours.get(command.program);
    if (behaviour !== undefined)
      queueMicrotask(() => {
        program.print(...behaviour.lines);
        if (behaviour.ends !== "when stopped") program.end(behaviour.ends === "well" ? undefined : behaviour.ends);
      });
    return {
      stop: (signal) => {
        program.signals.push(signal);
        if (behaviour?.ends === "when stopped") program.end(`signal ${signal}`);
      },
    };
  }

  /** The one of this name that runs; the newest if there were several. */
  running(name: string): FakeProgram | undefined {
    return this.started.filter(({ command, isRunning }) => command.program === name && isRunning).at(-1);
  }
}
