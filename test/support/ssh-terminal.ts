/** A person whose `ssh` runs in a terminal: script(1) makes the terminal, stty(1) its size. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

export interface TerminalSize {
  readonly columns: number;
  readonly lines: number;
}

export interface TerminalCommand {
  readonly program: string;
  readonly words: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export class SshTerminal {
  readonly #script: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  #text = "";
  #heard: () => void = () => {};

  constructor({ program, words, env }: TerminalCommand, { columns, lines }: TerminalSize) {
    const line = [program, ...words].map((word) => `'${word}'`).join(" ");
    const command = `tty; stty columns ${columns} rows ${lines}; exec ${line}`;
    this.#script = spawn("script", ["--quiet", "--flush", "--return", "--command", command, "/dev/null"], { env });
    this.#script.stdout.on("data", (bytes: Buffer) => {
      this.#text += bytes.toString();
      this.#heard();
    });
    this.#ended = once(this.#script, "close").then(() => this.#heard());
  }

  type(keys: string): void {
    this.#script.stdin.write(keys);
  }

  /** Everything up to and with `end`, once it is there. Throws when the program ends before. */
  async until(end: string): Promise<string> {
    while (!this.#text.includes(end)) {
      if (this.#script.exitCode !== null) throw new Error(`ended without ${JSON.stringify(end)}:\n${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    const at = this.#text.indexOf(end) + end.length;
    const text = this.#text.slice(0, at);
    this.#text = this.#text.slice(at);
    return text;
  }

  /** Its size from now on; `tty` has said in the first line where it is. */
  resize(path: string, { columns, lines }: TerminalSize): void {
    execFileSync("stty", ["-F", path, "columns", String(columns), "rows", String(lines)]);
  }

  /** The status that `ssh` has ended with. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#script.exitCode;
  }
  kill(): void {
    this.#script.kill("SIGKILL");
  }
}
