/**
 * U-Boot's command line over a console. No prompt is trusted: `crc32` prints `=> `, and so may any other text. Each command is
 * framed by two marks that its own typed line does not contain, and its exit status comes with the second one:
 *
 *     typed:    echo B""N;COMMAND;r=$?;echo E""N:$r:;echo E""N:$r:
 *     printed:  BN <output> EN:0: EN:0:
 *
 * The end comes twice, so that text of others in one of them does no harm. The line must run in hush, U-Boot's usual shell.
 */

import { elapsedMs } from "../clock.ts";
import { type Console, ConsoleError, type Query } from "../console/console.ts";
import type { CommandResult } from "../console/frame.ts";
import { plain } from "../console/transcript.ts";
import { Fault } from "../fault.ts";
import type { Budget } from "./ladder.ts";
import { lateAfter, type ProgressGuard } from "./progress-guard.ts";

export interface UBootOptions {
  /** Such as `=> `; only to see that autoboot was interrupted. */
  readonly prompt: string;
  /** What interrupts autoboot, as it is typed. */
  readonly interrupt: string;
  /** What U-Boot prints while it can be interrupted. */
  readonly autoboot: string;
  /** CONFIG_SYS_CBSIZE less one: longer lines are cut without a word. 255 fits boards of any age. */
  readonly longestLine?: number;
  /** A word that no other text on this console contains. */
  readonly session: string;
  /** Why no answer can come any more, once that is so: power is off. */
  readonly lost?: () => string | undefined;
}

const KEY_EVERY_MS = 200;
/** How soon a command notices that its board has no power. */
const LOOK_EVERY_MS = 500;
const SYNC_WITHIN_MS = 2_000;
const SYNC_ATTEMPTS = 5;
const COMMAND_WITHIN_MS = 30_000;
const CTRL_C = "\x03";
/** Holds a command that is too long to be typed at once. */
const LONG_COMMAND = "culvert_line";

export class UBootLine {
  readonly #console: Console;
  readonly #options: UBootOptions;
  readonly #longestLine: number;
  #run = 0;

  constructor(console: Console, options: UBootOptions) {
    this.#console = console;
    this.#options = options;
    this.#longestLine = options.longestLine ?? 255;
  }

  get console(): Console {
    return this.#console;
  }

  /** From power-on: types the key until the prompt comes, then makes sure that a shell answers. */
  async interrupt(guard: ProgressGuard, budget: Budget): Promise<void> {
    const { autoboot, prompt, interrupt } = this.#options;
    const first = await guard.expect({ autoboot, prompt }, budget);
    if (first.pattern === "autoboot") {
      const attempts = Math.ceil(budget.withinMs / KEY_EVERY_MS);
      for (let attempt = 1; ; attempt++) {
        this.#console.write(interrupt);
        try {
          await this.#console.expect({ prompt }, { withinMs: KEY_EVERY_MS, reason: "U-Boot's prompt" });
          break;
        } catch (error) {
          if (!isTimeout(error) || attempt >= attempts) throw error;
        }
      }
    }
    await this.synchronize();
  }

  /** Leaves whatever is half typed and waits until a shell answers to a mark. Throws a ConsoleError when none does. */
  async synchronize(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const mark = this.#nextMark();
      this.#console.write(`${CTRL_C}echo S""${mark}\r`);
      try {
        await this.#console.expect({ mark: `S${mark}` }, { withinMs: SYNC_WITHIN_MS, reason: "U-Boot's command line" });
        return;
      } catch (error) {
        if (!isTimeout(error) || attempt >= SYNC_ATTEMPTS) throw error;
      }
    }
  }

  /** Runs the command and returns its status and what it printed, line ends as `\n`. */
  async try(command: string, withinMs = COMMAND_WITHIN_MS): Promise<CommandResult> {
    await this.#type(command, withinMs);
    const reason = `the result of \`${command}\``;
    const result = await this.#result(false, { withinMs, reason });
    const output = result.output.trimEnd();
    const status = result.status === 0 ? "" : `\n[status ${result.status}]`;
    this.#console.note(`=> ${command}${output === "" ? "" : `\n${output}`}${status}`);
    return result;
  }

  /** Runs the command up to the point where it prints `ready`; `finish` reads its result. Used by transfers over this line. */
  async begin(command: string, ready: string, withinMs: number): Promise<void> {
    await this.#type(command, withinMs);
    const reason = `\`${command}\` to begin`;
    const failed = `E${this.#mark}:`;
    const { pattern } = await this.#console.expect({ ready, failed }, { withinMs, reason });
    if (pattern === "failed") throw new Fault("device", `${this.#console.name}: \`${command}\` ended before it began`);
  }

  async finish(command: string, withinMs: number): Promise<CommandResult> {
    const reason = `the result of \`${command}\``;
    return await this.#result(true, { withinMs, reason });
  }

  /**
   * Runs a command that hands the processor to something else. Returns once one of `signs` came; a command that came back
   * instead has failed: then this throws a Fault with what it printed.
   */
  async leave(command: string, signs: readonly string[], withinMs: number): Promise<void> {
    await this.#type(command, withinMs);
    const query = new LeaveQuery(this.#mark, signs);
    const wait = { withinMs, reason: `\`${command}\` to hand over` };
    const said = await this.#console.ask(query, wait);
    if (said !== undefined) {
      throw new Fault("device", `${this.#console.name}: \`${command}\` came back:\n${said.trim()}`, {
        node: this.#console.name,
      });
    }
    this.#console.note(`=> ${command}`);
  }

  get #mark(): string {
    return `${this.#options.session}${this.#run}`;
  }

  #nextMark(): string {
    this.#run++;
    return this.#mark;
  }

  async #type(command: string, withinMs: number): Promise<void> {
    if (/[\r\n\0]/.test(command)) {
      throw new Error(`${this.#console.name}: a command of U-Boot is one line: ${JSON.stringify(command)}`);
    }
    let body = command;
    if (this.#frame(command).length > this.#longestLine) {
      await this.assign(LONG_COMMAND, command, withinMs);
      body = `run ${LONG_COMMAND}`;
    }
    this.#nextMark();
    this.#console.write(this.#frame(body));
  }

  #frame(command: string): string {
    const mark = this.#mark;
    const [session, run] = [mark.slice(0, 1), mark.slice(1)];
    const end = `echo E${session}""${run}:$r:`;
    return `echo B${session}""${run};${command};r=$?;${end};${end}\r`;
  }

  /** `setenv NAME VALUE` in as many lines as it takes; a value in several pieces is read back. */
  async assign(name: string, value: string, withinMs = COMMAND_WITHIN_MS): Promise<void> {
    const node = this.#console.name;
    const room = this.#longestLine - this.#frame(`setenv ${name} "$\{${name}}"''`).length - 8;
    if (room < 16) throw new Error(`${node}: the name ${name} leaves no room for a value`);
    const whole = quoteForHush(value);
    if (whole.length <= room) return await this.#setVariable(name, whole, withinMs);
    if (/['"\\]/.test(value)) {
      // What was set is expanded to be added to, and hush eats quotes and backslashes of an expansion.
      throw new Fault(
        "test",
        `${node}: a value of more than ${room} bytes with ', " or \\ cannot be typed into ${name}`,
        {
          node,
        },
      );
    }
    for (let at = 0; at < value.length; at += room - 2) {
      const before = at === 0 ? "" : `"$\{${name}}"`;
      await this.#setVariable(name, `${before}'${value.slice(at, at + room - 2)}'`, withinMs);
    }
    const read = await this.variable(name);
    if (read !== value) {
      throw new Fault("device", `${node}: ${name} was set, and reads back as something else:\n${read}`, { node });
    }
  }

  /** The value of a variable; undefined if it is not set. */
  async variable(name: string): Promise<string | undefined> {
    const { status, output } = await this.try(`printenv ${name}`);
    const start = output.indexOf(`${name}=`);
    if (status !== 0 || start < 0) return undefined;
    if (output.endsWith("\n")) return output.slice(start + name.length + 1, -1);
    // One variable is printed through a buffer of CONFIG_SYS_PBSIZE, which cuts it and its line end; all of them are not.
    const all = await this.try("printenv");
    return all.output
      .split("\n")
      .find((line) => line.startsWith(`${name}=`))
      ?.slice(name.length + 1);
  }

  async #setVariable(name: string, words: string, withinMs: number): Promise<void> {
    const { status, output } = await this.try(`setenv ${name} ${words}`, withinMs);
    if (status === 0) return;
    const node = this.#console.name;
    throw new Fault("device", `${node}: \`setenv ${name}\` failed:\n${output.trim()}`, { node });
  }

  /** A result that does not come may hang in a half-typed line: a Ctrl-C frees the shell for what comes next. */
  async #result(hasBegun: boolean, { withinMs, reason }: Budget): Promise<CommandResult> {
    const { clock, name } = this.#console;
    const beganNs = clock.nowNs();
    for (;;) {
      const leftMs = withinMs - elapsedMs(beganNs, clock.nowNs());
      try {
        // A new query each time: what the last one read is read again.
        const wait = { withinMs: Math.min(leftMs, LOOK_EVERY_MS), reason };
        return await this.#console.ask(new ResultQuery(this.#mark, hasBegun), wait);
      } catch (error) {
        if (!isTimeout(error)) throw error;
        const lost = this.#options.lost?.();
        if (lost !== undefined)
          throw new Fault("bench", `${name}: while waiting for ${reason}: ${lost}`, { node: name });
        if (leftMs > LOOK_EVERY_MS) continue;
        this.#console.write(CTRL_C);
        throw lateAfter(error as ConsoleError, { withinMs, reason });
      }
    }
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof ConsoleError && error.kind === "timeout";
}

/** `value` as one word for hush, which eats backslashes even between single quotes. */
export function quoteForHush(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", `'\\''`)}'`;
}

/** What stands between the two marks. */
class ResultQuery implements Query<CommandResult> {
  readonly sought: readonly string[];
  readonly #begin: string;
  readonly #end: RegExp;
  readonly #hasBegun: boolean;
  #text = "";

  /** `hasBegun`: the first mark was read by someone else. */
  constructor(mark: string, hasBegun = false) {
    this.#begin = `B${mark}`;
    this.#end = new RegExp(`E${mark}:(\\d{1,10}):`);
    this.#hasBegun = hasBegun;
    this.sought = [`E${mark}:`];
  }

  push(piece: string): { value: CommandResult; rest: string } | undefined {
    const from = Math.max(0, this.#text.length - 64);
    this.#text += piece;
    const end = this.#end.exec(this.#text.slice(from));
    if (end === null) return undefined;
    const at = from + end.index;
    const begin = this.#hasBegun ? -1 : this.#text.indexOf(this.#begin);
    // A first mark that was spoilt costs the exact beginning, not the status.
    const start = begin < 0 ? 0 : begin + this.#begin.length;
    const output = plain(this.#text.slice(start, at)).replace(/^\n/, "");
    return { value: { status: Number(end[1]), output }, rest: this.#text.slice(at + end[0].length) };
  }
}

/** `undefined` once a sign of the next system came; the output if the command came back instead. */
class LeaveQuery implements Query<string | undefined> {
  readonly sought: readonly string[];
  readonly #result: ResultQuery;
  readonly #signs: readonly string[];
  #text = "";

  constructor(mark: string, signs: readonly string[]) {
    this.#result = new ResultQuery(mark);
    this.#signs = signs;
    this.sought = signs;
  }

  push(piece: string): { value: string | undefined; rest: string } | undefined {
    const longest = Math.max(...this.#signs.map((sign) => sign.length));
    const from = Math.max(0, this.#text.length - longest);
    this.#text += piece;
    const back = this.#result.push(piece);
    if (back !== undefined) return { value: back.value.output, rest: back.rest };
    for (const sign of this.#signs) {
      const at = this.#text.indexOf(sign, from);
      if (at >= 0) return { value: undefined, rest: this.#text.slice(at + sign.length) };
    }
    return undefined;
  }
}
