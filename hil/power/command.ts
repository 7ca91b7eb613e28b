/** A switch that the user's own commands drive: any PDU, script or robot arm. */
import { execa } from "execa";
import type { PowerDriver, PowerState } from "./power.ts";
import { expandSecrets } from "./secret.ts";

/** Lines for `/bin/sh -c`. `status` prints `on` or `off` (or 1, 0, true, false). */
export interface PowerCommands {
  readonly on: string;
  readonly off: string;
  readonly status?: string | undefined;
}

const STATES: Readonly<Record<string, PowerState>> = {
  ...{ on: "on", "1": "on", true: "on" },
  ...{ off: "off", "0": "off", false: "off" },
};

export class CommandPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 30_000;
  readonly #commands: PowerCommands;

  constructor(commands: PowerCommands) {
    this.#commands = commands;
    this.what = `the command '${commands.on}'`;
  }

  async on(signal: AbortSignal): Promise<void> {
    await this.#run(this.#commands.on, signal);
  }

  async off(signal: AbortSignal): Promise<void> {
    await this.#run(this.#commands.off, signal);
  }

  async state(signal: AbortSignal): Promise<PowerState> {
    const { status } = this.#commands;
    if (status === undefined) return "unknown";
    const said = (await this.#run(status, signal)).trim().toLowerCase();
    const state = Object.hasOwn(STATES, said) ? STATES[said] : undefined;
    if (state === undefined) throw new Error(`'${status}' printed '${said.slice(0, 100)}'; it must print on or off`);
    return state;
  }

  close(): void {}

  async #run(command: string, signal: AbortSignal): Promise<string> {
    const {
      stdout,
      stderr,
      failed,
      exitCode,
      signal: killer,
      originalMessage,
    } = await execa(expandSecrets(command), {
      shell: "/bin/sh",
      stdin: "ignore",
      cancelSignal: signal,
      reject: false,
    });
    if (!failed) return stdout;
    const why = exitCode === undefined ? (originalMessage ?? `it was ended by ${killer}`) : `exit status ${exitCode}`;
    throw new Error(`'${command}': ${[why, stderr.trim().split("\n").at(-1)].filter(Boolean).join(": ")}`);
  }
}
