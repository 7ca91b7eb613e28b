/** What a board is, from what it printed: pure functions from console bytes and times to findings. */
import { plain } from "../console/transcript.ts";

/** A piece of console output; milliseconds since power came on. */
export interface TimedText {
  readonly atMs: number;
  /** One character a byte. */
  readonly text: string;
}

export type Key = "esc" | "space" | "enter" | "ctrl-c";

export interface Bootloader {
  /** The field's own name: `U-Boot`, `GRUB`. Bench files know how to drive `U-Boot` only. */
  readonly name: string;
  readonly version: string | undefined;
  /** What it prints while it can be stopped, without its counter. */
  readonly autoboot: string | undefined;
  /** The key that this text names. */
  readonly key: Key | undefined;
}

export interface Phase {
  readonly name: "first byte" | "boot loader" | "kernel" | "user space" | "ready";
  readonly atMs: number;
}

/** How a board that has booted greets a person. */
export type Greeting =
  | { readonly kind: "culvert" }
  | { readonly kind: "login"; readonly prompt: string }
  | { readonly kind: "activate"; readonly text: string }
  | { readonly kind: "shell"; readonly prompt: string };

/** Share of bytes that a person could have meant, 0 to 1. What is read at a wrong rate is mostly no text. */
export function textScore(bytes: Buffer): number {
  if (bytes.length === 0) return 0;
  let good = 0;
  for (const byte of bytes)
    if ((byte >= 0x20 && byte <= 0x7e) || (byte >= 0x08 && byte <= 0x0d) || byte === 0x1b) good++;
  return good / bytes.length;
}

/** As much as this must be read before a rate is believed, and so much of it must be text. */
export const SAMPLE_BYTES = 40;
export const SURE_SCORE = 0.9;

/** Whether the sample was read at the rate at which it was sent. Text has spaces and more letters than anything else; a repeated byte has not. */
export function isText(bytes: Buffer): boolean {
  if (bytes.length < SAMPLE_BYTES || textScore(bytes) < SURE_SCORE) return false;
  const text = bytes.toString("latin1");
  const letters = text.match(/[A-Za-z0-9 ]/g)?.length ?? 0;
  const kinds = new Set(text.replace(/[^A-Za-z]/g, "").toLowerCase()).size;
  return letters / text.length > 0.5 && kinds >= 6 && /[ \r\n]/.test(text);
}

const LOADERS: readonly { readonly name: string; readonly banner: RegExp }[] = [
  { name: "U-Boot", banner: /^U-Boot (?:SPL |TPL )?(\d{4}\.\d\d\S*|\d+\.\d+\S*)/m },
  { name: "barebox", banner: /^barebox (\d{4}\.\d\d\S*)/m },
  { name: "GRUB", banner: /GNU GRUB +version +(\S+)|Welcome to GRUB!/ },
  { name: "CFE", banner: /^CFE (?:version )?(\S+)/m },
  { name: "RedBoot", banner: /RedBoot\(tm\)(?: .*version (\S+))?/ },
  { name: "coreboot", banner: /^coreboot-(\S+)/m },
];

/** What boot loaders print while they wait: the part before the counter, and the key that it names. */
const AUTOBOOT: readonly RegExp[] = [
  /(?:Hit|Press) any key to (?:stop|interrupt|abort)(?: auto ?(?:boot|run))?/i,
  /(?:Hit|Press) (?:the )?'?<?(?:ESC|ESCAPE|SPACE|ENTER|CTRL-?C|\^C)>?'?(?: key)? to (?:stop|abort|interrupt|enter)[^\n:]{0,40}/i,
  /== Executing boot script in \d+\.\d+ seconds - enter \^C to abort/,
  /Autoboot in \d+ seconds?/i,
];

/** The boot loader that a boot log shows, if there is one. */
export function findBootloader(log: readonly TimedText[]): Bootloader | undefined {
  const text = textOf(log);
  for (const { name, banner } of LOADERS) {
    const match = banner.exec(text);
    if (match === null) continue;
    // SPL announces itself before U-Boot proper: the last banner has the version that waits for a key.
    const all = [...text.matchAll(new RegExp(banner.source, `${banner.flags}g`))];
    const waits = AUTOBOOT.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined);
    return {
      name,
      version: all.at(-1)?.[1] ?? match[1],
      autoboot: waits,
      key: waits === undefined ? undefined : keyIn(waits),
    };
  }
  return undefined;
}

function keyIn(text: string): Key | undefined {
  if (/any key/i.test(text)) return "space";
  if (/\besc/i.test(text)) return "esc";
  if (/\^C|ctrl-?c/i.test(text)) return "ctrl-c";
  if (/space/i.test(text)) return "space";
  return /enter\b/i.test(text) ? "enter" : undefined;
}

const PHASES: readonly { readonly name: Phase["name"]; readonly sign: RegExp }[] = [
  { name: "boot loader", sign: /^(?:U-Boot |barebox |CFE |coreboot-)|GNU GRUB|Welcome to GRUB|RedBoot/m },
  { name: "kernel", sign: /Starting kernel|Linux version \d|Uncompressing Linux|EFI stub:/ },
  { name: "user space", sign: /Run \/\S+ as init process|Freeing (?:unused|init)|^init: |systemd\[1\]: |procd: /m },
  {
    name: "ready",
    sign: /^\S+ login: |Please press Enter to activate|Set the administrator password|^\S*[@:]\S*[#$] $/m,
  },
];

/** When each phase of a boot was first seen; phases that a board does not show are left out. */
export function bootPhases(log: readonly TimedText[]): Phase[] {
  const first = log.find(({ text }) => text !== "");
  if (first === undefined) return [];
  const found: Phase[] = [{ name: "first byte", atMs: first.atMs }];
  const text = textOf(log);
  let from = 0;
  for (const { name, sign } of PHASES) {
    const match = sign.exec(text.slice(from));
    if (match === null) continue;
    from += match.index;
    found.push({ name, atMs: timeAt(log, from) });
  }
  return found;
}

/** When the character at this place of the text without control bytes came. */
function timeAt(log: readonly TimedText[], place: number): number {
  let length = 0;
  for (const { atMs, text } of log) {
    length += lineEnds(text).length;
    if (length > place) return atMs;
  }
  return log.at(-1)?.atMs ?? 0;
}

/** How the end of the output greets: it asks for a login, for Enter, or for a command. */
export function findGreeting(tail: string): Greeting | undefined {
  const text = plain(lineEnds(tail));
  const open = text.slice(text.lastIndexOf("\n") + 1);
  if (/Set the administrator password[\s\S]*New password: $/.test(text) || open === "culvert login: ")
    return { kind: "culvert" };
  // Kernel lines may follow a prompt, so the last few lines count for what people wait at; a shell only when nothing follows.
  const recent = text.split("\n").slice(-6).join("\n");
  const login = /^(\S+ )?([Ll]ogin: )$/m.exec(recent);
  if (login !== null) return { kind: "login", prompt: login[2] ?? "login: " };
  const activate =
    /(?:Please )?[Pp]ress (?:the )?<?(?:Enter|ENTER|RETURN|Return)>?(?: key)? to activate this console/.exec(recent);
  if (activate !== null) return { kind: "activate", text: activate[0] };
  const prompt = findPrompt(text);
  return prompt === undefined ? undefined : { kind: "shell", prompt };
}

/** The open line at the end of the output, if it looks like a prompt: short, and ends in one of the characters of prompts. */
export function findPrompt(tail: string): string | undefined {
  const text = plain(lineEnds(tail));
  const open = text.slice(text.lastIndexOf("\n") + 1);
  return open.length <= 60 && /^(?:\S.*)?(?<![>#$%])[>#$%] ?$/.test(open) ? open : undefined;
}

function textOf(log: readonly TimedText[]): string {
  return log.map(({ text }) => lineEnds(text)).join("");
}

/** Serial consoles end lines with CR LF; SPLs of some boards with LF CR. */
function lineEnds(text: string): string {
  return text.replaceAll("\r", "");
}
