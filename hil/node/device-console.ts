/** The appliance's command line over a serial console: logs in, edits the configuration, runs operational commands. */
import type { Console, Query } from "../console/console.ts";
import { bounded } from "../console/pattern.ts";
import { plain } from "../console/transcript.ts";
import { Fault } from "../fault.ts";

const BOOT_WITHIN_MS = 240_000;
const ANSWER_WITHIN_MS = 60_000;
const LOGIN_PROMPTS = {
  firstBoot: "New password: ",
  login: "login: ",
} as const;

/** Prompts of someone who is logged in, at the start of a line. */
const AT_WORK = {
  operational: bounded("\\n[\\w.-]{1,64}> "),
  configuring: bounded("\\n[\\w.-]{1,64}# "),
} as const;
const REFUSED = { incorrect: "Login incorrect", tooMany: "Too many wrong passwords" } as const;

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
  /** What the device asks for; undefined when it was restored and nobody here saw it ask. */
  #asked: keyof typeof LOGIN_PROMPTS | undefined;

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
    if (this.#asked === undefined) {
      this.#console.write("\r");
      this.#asked = (await this.#console.expect(LOGIN_PROMPTS, wait)).pattern;
    }
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

  /**
   * Takes a console as it is found: asks it with an empty line, and logs in, leaves what another session left open, or goes on. A
   * wrong password and a new device are refused with what to do.
   */
  async enter(user: string, password: string): Promise<void> {
    const console = this.#console;
    const wait = { withinMs: ANSWER_WITHIN_MS, reason: "the device to answer on its console" };
    console.write("\x03\r"); // Ctrl-C gives up a half-typed line or a question
    const { pattern } = await console.expect({ ...LOGIN_PROMPTS, ...AT_WORK }, wait);
    if (pattern === "firstBoot") {
      const what = "the device is new and wants its first password: set it with `culvert console`";
      throw new Fault("device", `${console.name}: ${what}`, { node: console.name });
    }
    if (pattern === "login") {
      console.write(`${user}\r`);
      await console.expect({ password: "Password: " }, wait);
      console.write(`${password}\r`);
      const { pattern: answer } = await console.expect({ ...AT_WORK, ...REFUSED }, wait);
      if (answer === "incorrect" || answer === "tooMany") {
        const why = answer === "tooMany" ? "too many wrong passwords: wait some minutes" : "wrong user or password";
        throw new Fault("device", `${console.name}: the device refuses the login: ${why}`, { node: console.name });
      }
    }
    if (pattern === "configuring") {
      await this.run("discard");
      await this.run("exit");
    }
    await this.run("terminal length 0");
  }

  /** Takes back the login, so that the next one at this console has to give the password. */
  async leave(): Promise<void> {
    this.#console.write("exit\r");
    await this.#console.expect({ login: "login: " }, { withinMs: ANSWER_WITHIN_MS, reason: "the logout" });
  }

  /** Gives a whole configuration to the candidate. Throws `CommandRefused` with every line that the device does not take. */
  async load(mode: "merge" | "replace", lines: readonly string[]): Promise<void> {
    const refused: string[] = [];
    let answer = await this.#loadLine(`load ${mode}`);
    for (const line of lines) {
      answer = await this.#loadLine(line);
      if (/^%/m.test(answer)) refused.push(`${line}\n${answer.trim()}`);
    }
    await this.run("end").catch((error: unknown) => {
      throw refused.length > 0 ? new CommandRefused(this.#console.name, `load ${mode}`, refused.join("\n")) : error;
    });
  }

  async #loadLine(line: string): Promise<string> {
    this.#console.skip();
    this.#console.write(`${line}\r`);
    const { before } = await this.#console.expect(
      { next: ".load# " },
      { withinMs: ANSWER_WITHIN_MS, reason: `the device to take \`${line}\`` },
    );
    return plain(before).split("\n").slice(1, -1).join("\n");
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
