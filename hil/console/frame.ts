/**
 * Commands for a POSIX shell at the other end of a serial line that loses and mixes bytes in both directions: each command runs
 * exactly once, and its result is right or asked for again.
 *
 * Whatever is typed has no quotes and no brackets, so that a line which lost bytes is still a whole line for the shell. The
 * script of frame-script.ts is put on the machine that way; then `sh /tmp/.frame SESSION RUN ATTEMPT SUM COMMAND` runs a
 * command if the sum over all of it is right and this run has not begun yet. It says `go` at once, so a lost line is noticed
 * and typed again; typed twice, it only prints the result twice. How results are framed: see frame-reader.ts.
 */
import type { LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import type { Console, Query } from "./console.ts";
import { FrameReader } from "./frame-reader.ts";
import { FRAME_FILE, FrameScript } from "./frame-script.ts";

export interface CommandResult {
  readonly status: number;
  /** Standard output and standard error, as UTF-8. */
  readonly output: string;
}

/** A command that had to succeed did not. */
export class CommandError extends Error {
  readonly node: string;
  readonly result: CommandResult;
  constructor(node: string, command: string, result: CommandResult) {
    const said = result.output.trim() === "" ? "it said nothing" : result.output.trim();
    super(`${node}: \`${command}\` ended with status ${result.status}:\n${said}`);
    this.name = "CommandError";
    this.node = node;
    this.result = result;
  }
}

/** All of it is typed, and kept by the shell as one word. */
const LONGEST_COMMAND = 64 * 1024;
/** So many copies of a result, or of a typed line, may be spoilt. */
const ATTEMPTS = 8;
/** After so long without a sign of an answer something is lost, or the machine is busy: asking twice does no harm. */
const QUIET_MS = 2000;
/** Status of a command that ended the shell it ran in, as of one that was killed. */
const ENDED_ITS_SHELL = 137;

/** A POSIX shell behind a console. It needs `base64`, `md5sum`, `wc`, `tr` and `cut`; each command has its own shell. */
export class FramedShell {
  readonly #console: Console;
  readonly #session: string;
  readonly #script: FrameScript;
  #run = 0;
  #isReady = false;

  /** `session` is a word of letters, digits and dashes; `folder` one on the machine that can be written to. */
  constructor(console: Console, session: string, folder = "/tmp") {
    if (!/^[\w-]{1,64}$/.test(session)) throw new Error(`'${session}' is no name of a session`);
    this.#console = console;
    // The machine remembers runs, and may have been saved and restored: no two lives of a session are the same.
    this.#session = `${session}-${console.clock.nowNs().toString(36)}`;
    this.#script = new FrameScript(this.#session, folder);
  }

  /** Runs the command and returns its status and output, whatever the status. */
  async try(command: string, withinMs = 30_000): Promise<CommandResult> {
    const name = this.#console.name;
    if (Buffer.byteLength(command) > LONGEST_COMMAND) {
      throw new Fault(
        "harness",
        `${name}: command of more than ${LONGEST_COMMAND} bytes; put it into a file of the machine`,
      );
    }
    await this.#prepare(withinMs);
    const run = this.#run++;
    const result = await this.#exchange(
      new RunQuery(this.#console, this.#script, new FrameReader(this.#session, run), run, command),
      withinMs,
    );
    if (typeof result === "string") {
      const what = {
        spoilt: `${ATTEMPTS} copies of the result of \`${command}\` were all spoilt by other text`,
        refused: `\`${command}\` was typed ${ATTEMPTS} times and never arrived whole: let the console type slower`,
      };
      throw new Fault("bench", `${name}: ${what[result]}`, { node: name });
    }
    this.#note(command, result);
    return result;
  }

  /** Runs the command and returns its output; throws `CommandError` unless its status is 0. */
  async run(command: string, withinMs?: number): Promise<string> {
    const result = await this.try(command, withinMs);
    if (result.status !== 0) throw new CommandError(this.#console.name, command, result);
    return result.output;
  }

  async #prepare(withinMs: number): Promise<void> {
    if (this.#isReady) return;
    await this.#exchange(new ScriptQuery(this.#console, this.#script), withinMs);
    this.#isReady = true;
  }

  async #exchange<T>(query: Exchange<T>, withinMs: number): Promise<T> {
    const stop = every(this.#console.clock, QUIET_MS / 4, () => query.tick());
    try {
      query.begin();
      return await this.#console.ask(query, { withinMs, reason: query.reason });
    } finally {
      stop();
    }
  }

  #note(command: string, result: CommandResult): void {
    const output = result.output.trimEnd();
    this.#console.note(
      `$ ${command}${output === "" ? "" : `\n${output}`}${result.status === 0 ? "" : `\n[status ${result.status}]`}`,
    );
  }
}

function every(clock: LabClock, periodMs: number, run: () => void): () => void {
  let cancel = clock.after(periodMs, function again() {
    cancel = clock.after(periodMs, again);
    run();
  });
  return () => cancel();
}

interface Exchange<T> extends Query<T> {
  readonly reason: string;
  /** Types what is asked. */
  begin(): void;
  /** Called some times a second. */
  tick(): void;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the delimiters of marks
const MARK = /[\x1e\x1f]/;
/** Kernel messages, and echoes of what was typed. */
const NO_SIGN = new RegExp(`\\[ *\\d+\\.\\d+\\]|${FRAME_FILE.replace(".", "\\.")}`);

/** Silence, apart from kernel messages; each one twice as long as the one before until `restart`. */
class Quiet {
  readonly #console: Console;
  #sinceNs: bigint;
  #rings = 0;
  #openLine = "";

  constructor(console: Console) {
    this.#console = console;
    this.#sinceNs = console.clock.nowNs();
  }

  /** Whether the piece says more than the kernel does. */
  hear(piece: string): boolean {
    const lines = (this.#openLine + piece).split("\n");
    this.#openLine = (lines.at(-1) ?? "").slice(-200);
    const isSign = MARK.test(piece) || lines.some((line) => line.trim() !== "" && !NO_SIGN.test(line));
    if (isSign) this.#sinceNs = this.#console.clock.nowNs();
    return isSign;
  }

  /** Fourteen seconds or more. */
  get isLong(): boolean {
    return this.#rings >= 3;
  }

  restart(): void {
    this.#rings = 0;
    this.#sinceNs = this.#console.clock.nowNs();
  }

  /** Whether it has lasted long enough; then the next one begins. */
  rings(): boolean {
    const nowNs = this.#console.clock.nowNs();
    if (this.#console.isTyping) this.#sinceNs = nowNs;
    if (nowNs - this.#sinceNs < BigInt(QUIET_MS * 1e6) << BigInt(Math.min(this.#rings, 5))) return false;
    this.#rings++;
    this.#sinceNs = nowNs;
    return true;
  }
}

/** Asks whether the script is there, and types it until it is. */
class ScriptQuery implements Exchange<true> {
  readonly reason = "the shell to take the script that frames results";
  readonly sought: readonly string[];
  readonly #console: Console;
  readonly #script: FrameScript;
  readonly #quiet: Quiet;
  #text = "";
  #typed = 0;

  constructor(console: Console, script: FrameScript) {
    this.sought = [script.sum];
    this.#console = console;
    this.#script = script;
    this.#quiet = new Quiet(console);
  }

  begin(): void {
    this.#console.write(`${this.#script.question}\n`);
  }

  tick(): void {
    if (this.#quiet.rings()) this.#type();
  }

  push(piece: string): { value: true; rest: string } | undefined {
    this.#quiet.hear(piece);
    this.#text = (this.#text + piece).slice(-4096);
    const { sum } = this.#script;
    const at = this.#text.indexOf(sum);
    if (at >= 0) return { value: true, rest: this.#text.slice(at + sum.length) };
    // Another sum, or none: what was typed did not arrive as it is.
    if (/[0-9a-f]{32} {2}\/|No such file/.test(this.#text)) this.#type();
    return undefined;
  }

  /** The empty line ends one whose end was lost. */
  #type(): void {
    this.#text = "";
    if (++this.#typed > ATTEMPTS) return; // the time limit says the rest
    this.#quiet.restart();
    for (const line of ["", ...this.#script.lines, this.#script.question]) this.#console.write(`${line}\n`);
  }
}

/** One run of a command: typed until it has begun, its result asked for until it is whole. */
class RunQuery implements Exchange<CommandResult | "spoilt" | "refused"> {
  readonly reason: string;
  readonly sought: readonly string[];
  readonly #console: Console;
  readonly #script: FrameScript;
  readonly #reader: FrameReader;
  readonly #run: number;
  readonly #command: string;
  readonly #quiet: Quiet;
  #attempt = 0;
  #spoilt = 0;
  #hasBegun = false;
  /** Something came that was no kernel message since the result was last asked for. */
  #hasSign = false;

  constructor(console: Console, script: FrameScript, reader: FrameReader, run: number, command: string) {
    this.reason = `the result of \`${command}\``;
    this.sought = [`result ${run} of this session`];
    this.#console = console;
    this.#script = script;
    this.#reader = reader;
    this.#run = run;
    this.#command = command;
    this.#quiet = new Quiet(console);
  }

  begin(): void {
    for (const line of this.#script.run(this.#run, this.#attempt++, this.#command)) this.#console.write(`${line}\n`);
  }

  tick(): void {
    if (!this.#quiet.rings()) return;
    if (!this.#hasBegun) this.#typeAgain();
    else if (this.#hasSign || this.#quiet.isLong) this.#askAgain();
  }

  push(piece: string): { value: CommandResult | "spoilt" | "refused"; rest: string } | undefined {
    let isSign = this.#quiet.hear(piece);
    for (const event of this.#reader.push(piece)) {
      if (event.kind === "result") {
        const { status, output } = event;
        const ended = status === "lost";
        const value = ended
          ? { status: ENDED_ITS_SHELL, output: "it ended the shell that ran it\n" }
          : { status, output: output.toString("utf8") };
        return { value, rest: this.#reader.rest };
      }
      if (event.kind === "begun") {
        this.#hasBegun = true;
        this.#quiet.restart();
        isSign = this.#reader.rest.trim() !== "";
        continue;
      }
      if (++this.#spoilt >= ATTEMPTS) {
        return { value: event.kind === "spoilt" || this.#hasBegun ? "spoilt" : "refused", rest: this.#reader.rest };
      }
      if (event.kind === "spoilt") this.#hasBegun = true;
      if (this.#hasBegun) this.#askAgain();
      else this.#typeAgain();
    }
    this.#hasSign ||= isSign;
    return undefined;
  }

  /** The empty line ends one whose end was lost. */
  #typeAgain(): void {
    this.#console.write("\n");
    this.begin();
  }

  /** Typed while the command still runs, this is read when it has ended. */
  #askAgain(): void {
    this.#hasSign = false;
    this.#console.write(`\n${this.#script.again(this.#run, this.#attempt++)}\n`);
  }
}
