/** The appliance's command line over a serial console: logs in, edits the configuration, runs operational commands. */
import type { Console, Query } from "../console/console.ts";
import { plain } from "../console/transcript.ts";

const BOOT_WITHIN_MS = 240_000;
const ANSWER_WITHIN_MS = 60_000;
const LOGIN_PROMPTS = {
  firstBoot: "New password: ",
  login: "login: ",
} as const;

/** The command line refused a command. */
export class CommandRefused extends Error {
  readonly node: string;
  constructor(node: string, command: string, answer: string) {
    super(`${node}: \`${command}\` was refused:\n${answer.trim()}`);
    this.name = "CommandRefused";
    this.node = node;
  }
}

export class DeviceConsole {
  readonly #console: Console;
  #asked: keyof typeof LOGIN_PROMPTS = "login";

  constructor(console: Console) {
    this.#console = console;
  }

  /** Returns once the device asks for a new or the known password. */
  async awaitLogin(): Promise<void> {
    const wait = { withinMs: BOOT_WITHIN_MS, reason: "the device to boot and ask for a login" };
    this.#asked = (await this.#console.expect(LOGIN_PROMPTS, wait)).pattern;
  }

  /** Logs in as `admin`; on a factory-new device this sets the password. */
  async login(password: string): Promise<void> {
    const wait = { withinMs: ANSWER_WITHIN_MS, reason: "the login to be accepted" };
    if (this.#asked === "firstBoot") {
      this.#console.write(`${password}\r`);
      await this.#console.expect({ repeat: "Repeat password: " }, wait);
      this.#console.write(`${password}\r`);
    } else {
      this.#console.write("admin\r");
      await this.#console.expect({ password: "Password: " }, wait);
      this.#console.write(`${password}\r`);
    }
    await this.#console.ask(new PromptQuery(), wait);
    await this.run("terminal length 0");
  }

  /** Runs one command and returns what it printed. Throws `CommandRefused` for an answer with a line that starts with `%`. */
  async run(command: string, withinMs = ANSWER_WITHIN_MS): Promise<string> {
    this.#console.skip();
    this.#console.write(`${command}\r`);
    const answer = await this.#console.ask(new PromptQuery(), { withinMs, reason: `the answer to \`${command}\`` });
    if (/^%/m.test(answer)) throw new CommandRefused(this.#console.name, command, answer);
    return answer;
  }

  /** Enters the configuration mode, gives each line, commits and leaves. */
  async configure(lines: readonly string[]): Promise<void> {
    await this.run("configure");
    for (const line of lines) await this.run(line);
    await this.run("commit");
    await this.run("exit");
  }
}

/**
 * Reads up to the next prompt, `NAME> ` or `NAME# ` at the start of a line with nothing typed behind it. The line that is
 * still open when the question is asked, where the command is echoed, does not count; a kernel message behind the prompt does no harm.
 */
class PromptQuery implements Query<string> {
  readonly sought = ["> ", "# "];
  #text = "";

  push(piece: string): { value: string; rest: string } | undefined {
    this.#text += piece;
    const lines = plain(this.#text).split("\n");
    const at = lines.findIndex((line, index) => index > 0 && PROMPT.test(line));
    if (at < 0) return undefined;
    return { value: lines.slice(1, at).join("\n"), rest: "" };
  }
}

const PROMPT = /^[\w.-]+[>#] (?:$|\[ *\d+\.\d+\])/;
