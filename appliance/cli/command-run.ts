/** One command without a prompt, as `ssh admin@HOST show vpn` brings it: plain output, errors apart from it, an exit status. */
import type { Appliance } from "../service/appliance.ts";
import type { Edit } from "../service/edit.ts";
import type { LoadMode } from "../service/loading.ts";
import { type CommandOutcome, committedLines, type Receive, runCommand, type Shell } from "./command.ts";
import { type Understood, understand } from "./grammar.ts";
import { InputError, InputStream, linesOf } from "./input-stream.ts";
import { nothingTaken, takeLine } from "./load-lines.ts";

/** Longer than any setting. */
const LONGEST_LINE_BYTES = 4096;
const INTERRUPT = 0x03;

export interface CommandChannel {
  output(bytes: Buffer): void;
  error(text: string): void;
  /** The input that came is taken: more may come. */
  wanted(): void;
  /** Once: it is over, and how. */
  exit(status: 0 | 1): void;
}

type Command = Extract<Understood, { ok: true }>;

export class CommandRun {
  readonly #appliance: Appliance;
  readonly #channel: CommandChannel;
  readonly #who: string;
  readonly #input: InputStream;
  #stop: (() => void) | undefined;
  #isOver = false;

  /** `who` runs it, in the words of the log. */
  constructor(appliance: Appliance, channel: CommandChannel, who: string) {
    this.#appliance = appliance;
    this.#channel = channel;
    this.#who = who;
    this.#input = new InputStream(() => channel.wanted());
  }

  start(line: string): void {
    const command = understand(line, "exec");
    if (command === undefined) this.#refuse("the command is empty", "ssh without a command gives a prompt");
    else if (!command.ok) this.#refuse(command.problem, hintFor(line) ?? command.hint);
    else {
      const work = this.#work(command);
      work.then(
        (isDone) => this.#exit(isDone),
        (error: unknown) => this.#failed(error),
      );
    }
  }

  feed(bytes: Buffer): void {
    if (this.#stop !== undefined && bytes.includes(INTERRUPT)) this.#stop();
    else this.#input.push(bytes);
  }
  endOfInput(): void {
    this.#input.end();
  }
  /** Nobody is there any more. */
  hangUp(): void {
    this.#isOver = true;
    this.#stop?.();
    this.#input.cut();
  }

  #work(command: Command): Promise<boolean> {
    const { number } = command;
    switch (command.command) {
      case "load-merge":
        return this.#load("merge", number);
      case "load-replace":
        return this.#load("replace", number);
      case "commit": {
        const edit = this.#appliance.beginEdit(this.#who);
        return Promise.resolve(this.#say(committedLines(edit.commit(), edit)));
      }
      default: {
        const shell: Shell = { length: 0, hasOwnLength: true, edit: undefined, who: this.#who, way: "ssh" };
        return this.#finish(runCommand(command, this.#appliance, shell));
      }
    }
  }

  async #finish(outcome: CommandOutcome): Promise<boolean> {
    switch (outcome.result) {
      case "show":
        return this.#say(outcome.lines);
      case "refuse":
        return this.#say([`% ${outcome.problem}`, `  ${outcome.hint}`]);
      case "wait":
        return this.#say(await outcome.lines);
      case "file":
        this.#channel.output(outcome.bytes);
        return true;
      case "receive":
        return await this.#receive(outcome.run);
      case "ask":
        return await this.#ask(outcome.question, outcome.run);
      case "stream":
        return await this.#stream(outcome.start);
      case "load":
      case "log-out":
        throw new Error(`${outcome.result}: no command of this kind is in the grammar`);
    }
  }

  #receive(run: Receive): Promise<boolean> {
    return run(this.#input, (line) => this.#say([line]));
  }

  async #ask(question: string, run: () => readonly string[]): Promise<boolean> {
    this.#channel.error(question);
    for await (const line of linesOf(this.#input, LONGEST_LINE_BYTES)) {
      if (line.trim() === "yes") return this.#say(run());
      break;
    }
    return this.#say(["% Nothing was done."]);
  }

  #stream(start: Extract<CommandOutcome, { result: "stream" }>["start"]): Promise<boolean> {
    return new Promise((resolve) => {
      let isWell = true;
      const running = start({
        line: (text) => {
          isWell = this.#say([text.replace(/\p{Cc}/gu, "?")]) && isWell;
        },
        end: () => resolve(isWell),
      });
      this.#stop = () => running.stop();
      // Keys come only where there is a terminal; Ctrl-C is one of them.
      this.#channel.wanted();
    });
  }

  /** All lines of the input or none, and a commit. */
  async #load(mode: LoadMode, trialMinutes: number | undefined): Promise<boolean> {
    const edit = this.#appliance.beginEdit(this.#who);
    const loading = edit.load(mode);
    for await (const line of linesOf(this.#input, LONGEST_LINE_BYTES)) {
      const said = takeLine(loading, line);
      if (said === "end") break;
      if (said.length > 0) this.#say(said);
    }
    if (!edit.finish(loading)) return this.#say(nothingTaken(loading));
    return this.#commit(edit, trialMinutes);
  }

  /** Without a change there is nothing to store, and what is on trial for somebody else stays on trial. */
  #commit(edit: Edit, trialMinutes: number | undefined): boolean {
    if (!edit.changed) return this.#say(["No changes."]);
    const changes = edit.compare();
    return this.#say([...changes, ...committedLines(edit.commit(trialMinutes), edit)]);
  }

  #refuse(problem: string, hint: string): void {
    this.#exit(this.#say([`% ${problem}`, `  ${hint}`]));
  }

  /** Lines from the first that begins with `% ` on are about an error; false when there is one. */
  #say(lines: readonly string[]): boolean {
    if (this.#isOver) return false;
    const error = lines.findIndex((line) => line.startsWith("% "));
    const good = error < 0 ? lines : lines.slice(0, error);
    if (good.length > 0) this.#channel.output(Buffer.from(good.map((line) => `${line}\n`).join("")));
    if (error < 0) return true;
    const bad = lines.slice(error).map((line) => `${line}\n`);
    this.#channel.error(bad.join(""));
    return false;
  }

  #failed(error: unknown): void {
    if (!(error instanceof InputError)) {
      // Not awaited by anybody: it must end the process as any other error does.
      setImmediate(() => {
        throw error;
      });
      return;
    }
    this.#exit(this.#say([`% ${error.message}`]));
  }

  #exit(isDone: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#channel.exit(isDone ? 0 : 1);
  }
}

/** For those who try what other devices can. */
function hintFor(line: string): string | undefined {
  if (/^(\/\S*\/)?(sftp-server|scp)\b/.test(line))
    return "there are no files here: ssh HOST show configuration >FILE, ssh HOST load merge <FILE";
  if (/^(set|delete)\b/.test(line)) return 'settings come as lines of the input: echo "set ..." | ssh HOST load merge';
  return undefined;
}
