/** The rungs of a board's ladder, made from what its bench file says the board shows. */
import type { Bench } from "../bench/schema.ts";
import type { Console } from "../console/console.ts";
import { LINUX_DEATH, UBOOT_DEATH } from "../console/death.ts";
import { FramedShell } from "../console/frame.ts";
import type { Pattern } from "../console/pattern.ts";
import { Fault } from "../fault.ts";
import type { Power } from "../power/power.ts";
import { expandSecrets } from "../power/secret.ts";
import type { DeviceConsole } from "./device-console.ts";
import type { State, Transition } from "./ladder.ts";
import type { ProgressGuard } from "./progress-guard.ts";
import type { UBootLine } from "./uboot-line.ts";

const POWER_BUDGET = { withinMs: 0, reason: "the power switch" }; // it has limits of its own
const UBOOT_BUDGET = { withinMs: 60_000, reason: "U-Boot to be interrupted" };
const BOOT_BUDGET = { withinMs: 240_000, reason: "the system to boot" };
const LOGIN_BUDGET = { withinMs: 60_000, reason: "the login to be accepted" };

/** U-Boot's banner where nobody asked for it: the board was reset. `version` prints it too, but not the second one. */
const RESET_OF_SYSTEM: readonly Pattern[] = ["U-Boot SPL 20", "U-Boot 20"];
const RESET_OF_UBOOT: readonly Pattern[] = ["DRAM:  "];

const KEYS = { esc: "\x1b", space: " ", enter: "\r", "ctrl-c": "\x03" } as const;

/** What interrupts autoboot, as it is typed. */
export function keyOf(key: keyof typeof KEYS | { readonly text: string }): string {
  return typeof key === "string" ? KEYS[key] : key.text;
}

/**
 * What means death on the way to a state and in it. `isPastLoader`: the boot loader has handed over, so that its banner means
 * that the board was reset; a board that boots by itself shows it on the way to its system.
 */
export function deathStringsOf(to: State, phase: "entering" | "reached", isPastLoader: boolean): readonly Pattern[] {
  switch (to) {
    case "unknown":
    case "off":
      return [];
    case "started":
      return UBOOT_DEATH;
    case "bootloader":
      // Linux may panic before the driver has heard that U-Boot is left.
      return phase === "reached" ? [...UBOOT_DEATH, ...LINUX_DEATH, ...RESET_OF_UBOOT] : UBOOT_DEATH;
    case "kernel":
    case "login":
    case "shell":
    case "cli":
      return isPastLoader ? [...LINUX_DEATH, ...RESET_OF_SYSTEM] : [...UBOOT_DEATH, ...LINUX_DEATH];
  }
}

export interface RungParts {
  readonly name: string;
  readonly console: Console;
  readonly guard: ProgressGuard;
  readonly power: Power | undefined;
  readonly uboot: UBootLine | undefined;
  /** `boot` of the U-Boot that is on the line. */
  readonly boot: () => Promise<void>;
  readonly deviceConsole: DeviceConsole;
  readonly ladder: Bench["ladder"];
}

export function rungsOf(parts: RungParts): Transition[] {
  const { name, console, guard, power, uboot, ladder, deviceConsole } = parts;
  const rungs: Transition[] = [];
  const add = (from: State, to: State, what: string, budget: Transition["budget"], run: Transition["run"]): void =>
    void rungs.push({ from, to, what, budget, run });
  if (power !== undefined) {
    add("off", "started", "switch it on", POWER_BUDGET, async () => {
      console.skip();
      guard.started();
      await power.on();
    });
  }
  if (uboot !== undefined) {
    add("started", "bootloader", "interrupt U-Boot", UBOOT_BUDGET, (budget) => uboot.interrupt(guard, budget));
    add("bootloader", "kernel", "boot from U-Boot", BOOT_BUDGET, () => parts.boot());
  }
  add("started", "kernel", "let it boot by itself", BOOT_BUDGET, () => Promise.resolve());
  if (ladder.cli === "culvert") {
    add("kernel", "login", "reach the login", BOOT_BUDGET, () => deviceConsole.awaitLogin());
    add("login", "cli", "log in", LOGIN_BUDGET, () => deviceConsole.login(passwordOf(name, ladder)));
    return rungs;
  }
  const { shell, login } = ladder;
  if (login !== undefined) {
    add(
      "kernel",
      "login",
      "reach the login",
      BOOT_BUDGET,
      async (budget) => void (await guard.expect({ prompt: login.prompt }, budget)),
    );
  }
  if (shell === undefined) return rungs;
  if (login !== undefined) {
    add("login", "shell", "log in", LOGIN_BUDGET, async (budget) => {
      console.write(`${expandSecrets(login.user)}\r`);
      const asked = { password: "assword: ", prompt: shell.prompt, refused: "incorrect" };
      let { pattern } = await guard.expect(asked, budget);
      if (pattern === "password") {
        console.write(`${passwordOf(name, ladder)}\r`);
        pattern = (await guard.expect({ prompt: shell.prompt, refused: "incorrect" }, budget)).pattern;
      }
      if (pattern === "refused") throw new Fault("bench", `${name}: user ${login.user} was refused`, { node: name });
    });
  } else {
    add("kernel", "shell", "reach the shell", BOOT_BUDGET, async (budget) => {
      const { activate } = shell;
      if (activate !== undefined) {
        await guard.expect({ activate }, budget);
        console.write("\r");
      }
      await guard.expect({ prompt: shell.prompt }, budget);
    });
  }
  return rungs;
}

/** Needs a machine that can keep a result: a writable /tmp, busybox or more. */
export function shellOf(console: Console): FramedShell {
  return new FramedShell(console, `${console.name}-board`);
}

function passwordOf(name: string, { login }: Bench["ladder"]): string {
  if (login?.password !== undefined) return expandSecrets(login.password);
  throw new Fault("bench", `${name}: its bench file has no ladder.login.password`, { node: name });
}
