/**
 * Commands for a POSIX shell at the other end of a serial line, with results that survive kernel messages in their midst.
 *
 * The command's output goes to a file first. Then the shell prints, for attempt S of session N:
 *     RS N:S:status:length:md5 US   <base64 of the output>   RS ... US   RS ... US
 * The record comes three times: any one piece of foreign text spoils at most one of them, so two equal ones always arrive.
 * Kernel messages are taken out of what stands between them. If the records differ, or the rest does not have that length
 * and sum, the host has the file printed again with a new S; the command itself runs once. The line as typed never contains the record (`N"":S`), so its echo is no answer.
 */
import { createHash } from "node:crypto";
import type { Console, Query } from "./console.ts";

export interface CommandResult {
  readonly status: number;
  /** Standard output and standard error, as UTF-8. */
  readonly output: string;
}

/** A command that had to succeed did not. */
export class CommandError extends Error {
  readonly result: CommandResult;
  constructor(node: string, command: string, result: CommandResult) {
    const said = result.output.trim() === "" ? "it said nothing" : result.output.trim();
    super(`${node}: \`${command}\` ended with status ${result.status}:\n${said}`);
    this.name = "CommandError";
    this.result = result;
  }
}

/** Canonical terminals take lines of 4095 bytes at most; the wrapper needs some of them. */
const LONGEST_COMMAND = 3400;
const ATTEMPTS = 8;
const OUTPUT_FILE = "/tmp/.frame";

/** What printk puts into the midst of a line. Base64 has no brackets, so nothing of ours can look like it; the sum decides in the end. */
const KERNEL_MESSAGE = /\[ *\d+\.\d+\][^\n]*\n/g;

/** The shell line that runs `command` in a subshell, without standard input, and prints attempt 0. */
export function frameCommand(session: string, run: number, command: string): string {
  const quoted = `'${command.replaceAll("'", `'\\''`)}'`;
  return `(eval ${quoted}) </dev/null >${OUTPUT_FILE} 2>&1; echo $? >${OUTPUT_FILE}.s; ${printFrame(session, run, 0)}`;
}

/** The shell line that prints the kept result once more. */
export function printFrame(session: string, run: number, attempt: number): string {
  const record = `$(printf '\\036')${session}"":${run}.${attempt}:$(cat ${OUTPUT_FILE}.s):$(wc -c <${OUTPUT_FILE} | tr -d ' '):$(md5sum <${OUTPUT_FILE} | cut -c1-32)$(printf '\\037')`;
  return `r="${record}"; echo "$r"; base64 ${OUTPUT_FILE}; echo "$r"; echo "$r"\n`;
}

export type Frame = { readonly intact: true; readonly result: CommandResult } | { readonly intact: false };

/** Reads one attempt out of the console's text: intact, or spoilt and to be asked for again. */
export class FrameReader implements Query<Frame> {
  readonly sought: readonly string[];
  readonly #mark: string;
  #text = "";
  #first: { record: string; end: number } | undefined;
  #searched = 0;

  constructor(session: string, run: number, attempt: number) {
    this.#mark = `\x1e${session}:${run}.${attempt}:`;
    this.sought = [`result ${run}.${attempt} of the command`];
  }

  push(piece: string): { value: Frame; rest: string } | undefined {
    this.#text += piece;
    for (;;) {
      const start = this.#text.indexOf(this.#mark, this.#searched);
      if (start < 0) {
        this.#searched = Math.max(this.#searched, this.#text.length - this.#mark.length + 1);
        return undefined;
      }
      this.#searched = start;
      const end = this.#text.indexOf("\x1f", start);
      if (end < 0) return undefined;
      const record = this.#text.slice(start + this.#mark.length, end);
      this.#searched = end + 1;
      if (this.#first === undefined) this.#first = { record, end: end + 1 };
      else {
        const body = this.#text.slice(this.#first.end, start);
        return { value: open(this.#first.record, record, body), rest: this.#text.slice(end + 1) };
      }
    }
  }
}

function open(first: string, second: string, body: string): Frame {
  const fields = /^(\d{1,3}):(\d{1,9}):([0-9a-f]{32})$/.exec(first);
  if (fields === null || first !== second) return { intact: false };
  const [, status, length, sum] = fields;
  const bytes = Buffer.from(body.replace(KERNEL_MESSAGE, "").replace(/\s+/g, ""), "base64");
  if (bytes.length !== Number(length)) return { intact: false };
  if (createHash("md5").update(bytes).digest("hex") !== sum) return { intact: false };
  return { intact: true, result: { status: Number(status), output: bytes.toString("utf8") } };
}

/** A POSIX shell behind a console. It needs `base64`, `md5sum`, `wc`, `cut` and a writable /tmp; each command has its own subshell. */
export class FramedShell {
  readonly #console: Console;
  readonly #session: string;
  #run = 0;

  /** `session` is a word no other text on this console contains. */
  constructor(console: Console, session: string) {
    this.#console = console;
    this.#session = session;
  }

  /** Runs the command and returns its status and output, whatever the status. */
  async try(command: string, withinMs = 30_000): Promise<CommandResult> {
    if (Buffer.byteLength(command) > LONGEST_COMMAND) {
      throw new Error(
        `${this.#console.name}: command of more than ${LONGEST_COMMAND} bytes; put it into a file of the guest`,
      );
    }
    const run = this.#run++;
    // Bytes, as the console writes Latin-1.
    this.#console.write(Buffer.from(frameCommand(this.#session, run, command)).toString("latin1"));
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) this.#console.write(printFrame(this.#session, run, attempt));
      const reason = `the result of \`${command}\``;
      const frame = await this.#console.ask(new FrameReader(this.#session, run, attempt), { withinMs, reason });
      if (frame.intact) {
        this.#note(command, frame.result);
        return frame.result;
      }
    }
    throw new Error(
      `${this.#console.name}: ${ATTEMPTS} copies of the result of \`${command}\` were all spoilt by other text`,
    );
  }

  #note(command: string, result: CommandResult): void {
    const output = result.output.trimEnd();
    this.#console.note(
      `$ ${command}${output === "" ? "" : `\n${output}`}${result.status === 0 ? "" : `\n[status ${result.status}]`}`,
    );
  }

  /** Runs the command and returns its output; throws `CommandError` unless its status is 0. */
  async run(command: string, withinMs?: number): Promise<string> {
    const result = await this.try(command, withinMs);
    if (result.status !== 0) throw new CommandError(this.#console.name, command, result);
    return result.output;
  }
}
