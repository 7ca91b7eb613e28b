/**
 * The Special Administration Console of Windows' Emergency Management Services, on a serial line: slow, and in cells of a
 * screen, but it needs neither network nor agent. `cmd` makes a channel, a login opens it, then commands are typed.
 */
import type { Console } from "../../console/console.ts";
import { plain } from "../../console/transcript.ts";
import { Fault } from "../../fault.ts";
import type { CommandResult, WindowsChannel } from "./powershell.ts";

export interface SacLogin {
  readonly user: string;
  readonly password: string;
  /** The computer's own accounts have `.`. */
  readonly domain?: string;
}

const ANSWER_WITHIN_MS = 30_000;
/** Windows' command lines end here, so a longer script goes in pieces. */
const PIECE = 1_000;
const PROMPTS = { prompt: "SAC>" } as const;

export class Sac implements WindowsChannel {
  readonly how = "serial SAC";
  readonly #console: Console;
  readonly #login: SacLogin;
  #isOpen = false;
  #count = 0;

  constructor(console: Console, login: SacLogin) {
    this.#console = console;
    this.#login = login;
  }

  /** Whether SAC answers now. */
  async isThere(): Promise<boolean> {
    this.#console.skip();
    this.#console.write("\r");
    return await this.#console.expect(PROMPTS, { withinMs: 5_000, reason: "SAC to answer" }).then(
      () => true,
      () => false,
    );
  }

  /**
   * Runs a program in the channel's `cmd`. Its output is read between two marks, free of escape sequences; a cell screen
   * breaks lines at 80 columns, so only what is between the marks and has no blanks of its own is reliable.
   */
  async run(program: string, args: readonly string[], withinMs: number): Promise<CommandResult> {
    await this.#open();
    const file = `%TEMP%\\culvert${++this.#count}`;
    const line = [program, ...args].join(" ");
    // What is longer than a line of the screen is first written to a file, piece by piece.
    for (const [index, piece] of pieces(line).entries())
      await this.#type(`<nul set /p x=${piece}${index === 0 ? ">" : ">>"}${file}.cmd`, ANSWER_WITHIN_MS);
    // The marks are not in what is typed, which the screen repeats.
    const begin = `CULVERT-BEGIN-${this.#count}.`;
    const end = `CULVERT-END-${this.#count}.`;
    this.#console.skip();
    this.#console.write(
      `echo CULVERT-^BEGIN-${this.#count}.&call ${file}.cmd 2^>^&1&call echo CULVERT-^END-${this.#count}.^%errorlevel^%.\r`.replaceAll(
        "^>^&",
        ">&",
      ),
    );
    const wait = { withinMs, reason: `${program} to end` };
    await this.#console.expect({ begin }, wait);
    const { before } = await this.#console.expect({ end }, wait);
    const { before: code } = await this.#console.expect({ dot: "." }, { ...wait, withinMs: ANSWER_WITHIN_MS });
    return { exitCode: Number(plain(code)) || 0, output: plain(before).replace(/^\n/, "") };
  }

  close(): void {
    if (this.#isOpen) this.#console.write("exit\r");
    this.#isOpen = false;
  }

  async #open(): Promise<void> {
    if (this.#isOpen) return;
    const console = this.#console;
    if (!(await this.isThere()))
      throw new Fault("peer", `${console.name}: SAC does not answer on the serial line`, { node: console.name });
    const wait = { withinMs: ANSWER_WITHIN_MS, reason: "SAC to make a command channel" };
    console.write("cmd\r");
    await console.expect({ made: "Cmd0001" }, wait);
    console.write("ch -sn Cmd0001\r");
    await console.expect({ any: "any other key" }, wait);
    console.write("\r");
    await console.expect({ user: "Username:" }, wait);
    console.write(`${this.#login.user}\r`);
    await console.expect({ domain: "Domain" }, wait);
    console.write(`${this.#login.domain ?? "."}\r`);
    await console.expect({ password: "Password:" }, wait);
    console.write(`${this.#login.password}\r`);
    const { pattern } = await console.expect({ prompt: "system32>", refused: "failed" }, wait);
    if (pattern === "refused")
      throw new Fault("peer", `${console.name}: SAC refuses user ${this.#login.user}`, { node: console.name });
    this.#isOpen = true;
  }

  async #type(line: string, withinMs: number): Promise<void> {
    this.#console.skip();
    this.#console.write(`${line}\r`);
    await this.#console.expect({ prompt: "system32>" }, { withinMs, reason: "the command channel's prompt" });
  }
}

/** What `set /p` writes unharmed, and can be typed: it loses blanks and `=` at the beginning. Throws a RangeError for what cmd would read as its own. */
export function pieces(line: string): readonly string[] {
  if (/[%^&|<>"!\r\n]/.test(line)) throw new RangeError('a command over SAC cannot have any of %^&|<>"!');
  const cut: string[] = [];
  for (let at = 0; at < line.length; ) {
    let end = Math.min(line.length, at + PIECE);
    while (end < line.length && /[\s=]/.test(line.charAt(end))) end--;
    cut.push(line.slice(at, Math.max(end, at + 1)));
    at = Math.max(end, at + 1);
  }
  return cut;
}
