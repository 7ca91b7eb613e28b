/** U-Boot as its console shows it, on a fake line: autoboot, a little hush, and a machine that can be switched off and on. */
import { crc32 } from "node:zlib";
import type { FakeLine } from "./fake-line.ts";

export const BANNER = "\r\n\r\nU-Boot 2023.01 (Jun 22 2026)\r\n\r\nDRAM:  256 MiB\r\n";
const AUTOBOOT = "Hit any key to stop autoboot:  2 ";

const PRINT_BUFFER = 1042;

export class FakeUBoot {
  readonly line: FakeLine;
  readonly env = new Map<string, string>([["kernel_addr_r", "0x40400000"]]);
  readonly memory = new Map<number, number>();
  /** Every line that was entered. */
  readonly entered: string[] = [];
  /** Answers a command in place of this. */
  answer: (command: string) => { status: number; output: string } | undefined = () => undefined;
  /** Whether a key stops autoboot. */
  hears = true;
  /** What the board says after `boot` or when autoboot is not stopped. */
  system = "Starting kernel ...\r\n";
  /** The longest line it takes; the rest is cut without a word. */
  longestLine = 255;
  isOn = false;
  #typed = "";
  #mode: "off" | "autoboot" | "shell" | "system" = "off";
  #status = 0;
  readonly #locals = new Map<string, string>();

  constructor(line: FakeLine) {
    this.line = line;
    this.line.typed = (text) => this.#receive(text);
  }

  get mode(): string {
    return this.#mode;
  }

  powerOn(): void {
    this.isOn = true;
    this.#mode = "autoboot";
    this.#typed = "";
    this.line.say(BANNER + AUTOBOOT);
  }

  powerOff(): void {
    this.isOn = false;
    this.#mode = "off";
  }

  autoboot(): void {
    this.#mode = "system";
    this.line.say(this.system);
  }

  #receive(text: string): void {
    if (this.#mode === "autoboot" && this.hears) {
      this.#mode = "shell";
      this.line.say("\x08\x08 0 \r\n=> ");
      return;
    }
    if (this.#mode !== "shell") return;
    for (const character of text) {
      if (character === "\x03") {
        this.#typed = "";
        this.line.say("<INTERRUPT>\r\n=> ");
      } else if (character === "\r") {
        const line = this.#typed;
        this.#typed = "";
        this.line.say("\r\n");
        this.entered.push(line);
        this.#runLine(line);
        if (this.#mode === "shell") this.line.say("=> ");
      } else if (this.#typed.length < this.longestLine) {
        this.#typed += character;
        this.line.say(character);
      }
    }
  }

  #runLine(line: string): void {
    for (const command of splitCommands(line)) {
      if (this.#mode !== "shell") return;
      const assignment = /^(\w)=(.*)$/.exec(command);
      if (assignment?.[1] !== undefined) this.#locals.set(assignment[1], this.#expand(assignment[2] ?? ""));
      else if (command.trim() !== "") this.#status = this.#command(command);
    }
  }

  #command(command: string): number {
    const other = this.answer(command);
    if (other !== undefined) {
      this.line.say(other.output);
      return other.status;
    }
    const [verb = "", ...args] = words(command, (text) => this.#expand(text));
    switch (verb) {
      case "echo":
        this.line.say(`${args.join(" ")}\r\n`);
        return 0;
      case "true":
        return 0;
      case "false":
        return 1;
      case "setenv":
        if (args.length < 2) this.env.delete(args[0] ?? "");
        else this.env.set(args[0] ?? "", args.slice(1).join(" "));
        return 0;
      case "printenv": {
        if (args.length === 0) {
          for (const [name, value] of this.env) this.line.say(`${name}=${value}\r\n`);
          return 0;
        }
        const value = this.env.get(args[0] ?? "");
        // As U-Boot does it: what does not fit into its buffer is cut, with the end of the line.
        this.line.say(
          value === undefined
            ? `## Error: "${args[0]}" not defined\r\n`
            : `${args[0]}=${value}\r\n`.slice(0, PRINT_BUFFER),
        );
        return value === undefined ? 1 : 0;
      }
      case "run":
        this.#runLine(this.env.get(args[0] ?? "") ?? "false");
        return this.#status;
      case "crc32": {
        const [from = 0, length = 0] = args.map((arg) => Number.parseInt(arg, 16));
        const bytes = Buffer.from(Array.from({ length }, (_, at) => this.memory.get(from + at) ?? 0));
        const sum = crc32(bytes).toString(16).padStart(8, "0");
        this.line.say(`crc32 for ${args[0]} ... ${(from + length - 1).toString(16)} ==> ${sum}\r\n`);
        return 0;
      }
      case "mw.b": {
        const [at = 0, byte = 0] = args.map((arg) => Number.parseInt(arg, 16));
        this.memory.set(at, byte);
        return 0;
      }
      case "md.b": {
        const [from = 0, length = 0] = args.map((arg) => Number.parseInt(arg, 16));
        for (let at = 0; at < length; at += 16) {
          const row = Array.from({ length: Math.min(16, length - at) }, (_, i) => this.memory.get(from + at + i) ?? 0);
          const bytes = row.map((byte) => `${byte.toString(16).padStart(2, "0")} `).join("");
          const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
          this.line.say(`${(from + at).toString(16)}: ${bytes.padEnd(48)} ${text}\r\n`);
        }
        return 0;
      }
      case "boot":
        this.autoboot();
        return 0;
      case "reset":
        this.line.say("resetting ...\r\n");
        this.powerOn();
        return 0;
      default:
        this.line.say(`Unknown command '${verb}' - try 'help'\r\n`);
        return 1;
    }
  }

  #expand(text: string): string {
    return text
      .replace(/\$\?/g, String(this.#status))
      .replace(/\$\{(\w+)\}|\$(\w+)/g, (_, braced?: string, bare?: string) => {
        const name = braced ?? bare ?? "";
        return this.#locals.get(name) ?? this.env.get(name) ?? "";
      });
  }
}

/** At `;` outside quotes. */
function splitCommands(line: string): string[] {
  const commands = [""];
  let quote = "";
  let isEscaped = false;
  for (const character of line) {
    if (isEscaped || character === "\\") {
      isEscaped = !isEscaped;
      commands[commands.length - 1] += character;
    } else if (quote === "" && character === ";") commands.push("");
    else {
      if (quote === character) quote = "";
      else if (quote === "" && (character === "'" || character === '"')) quote = character;
      commands[commands.length - 1] += character;
    }
  }
  return commands;
}

/** As hush does it: backslashes escape even inside single quotes, and expansions stay one word. */
function words(command: string, expand: (text: string) => string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < command.length) {
    const character = command[at] ?? "";
    if (character === "'" || character === '"') {
      let text = "";
      for (at++; at < command.length && command[at] !== character; at++) {
        if (character === "'" && command[at] === "\\") at++;
        text += command[at];
      }
      at++;
      word = (word ?? "") + (character === '"' ? expand(text) : text);
    } else if (character === "\\") {
      word = (word ?? "") + (command[at + 1] ?? "");
      at += 2;
    } else if (/\s/.test(character)) {
      if (word !== undefined) found.push(word);
      word = undefined;
      at++;
    } else {
      const bare = /^[^'"\\\s]+/.exec(command.slice(at))?.[0] ?? character;
      word = (word ?? "") + expand(bare);
      at += bare.length;
    }
  }
  return word === undefined ? found : [...found, word];
}
