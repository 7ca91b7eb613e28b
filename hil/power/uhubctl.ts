/** A port of a USB hub that can switch it, through the program uhubctl. */
import { execa } from "execa";
import type { PowerDriver, PowerState } from "./power.ts";

export class UhubctlPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 15_000;
  readonly #hub: string;
  readonly #port: number;

  constructor(hub: string, port: number) {
    this.#hub = hub;
    this.#port = port;
    this.what = `USB hub ${hub}, port ${port}`;
  }

  async on(signal: AbortSignal): Promise<void> {
    await this.#run(["-a", "on"], signal);
  }

  async off(signal: AbortSignal): Promise<void> {
    // The kernel may switch a port on again right after the first request: uhubctl repeats it.
    await this.#run(["-a", "off", "-r", "5"], signal);
  }

  async state(signal: AbortSignal): Promise<PowerState> {
    const state = portState(await this.#run([], signal), this.#hub, this.#port);
    if (state === undefined) throw new Error(`uhubctl does not list port ${this.#port} of hub ${this.#hub}`);
    return state;
  }

  close(): void {}

  async #run(args: readonly string[], signal: AbortSignal): Promise<string> {
    const result = await execa("uhubctl", ["-l", this.#hub, "-p", String(this.#port), ...args], {
      stdin: "ignore",
      cancelSignal: signal,
      reject: false,
    });
    if (!result.failed) return result.stdout;
    if (result.code === "ENOENT") {
      throw new Error("the program uhubctl is missing; install it: sudo apt-get install -y uhubctl");
    }
    const said = `${result.stdout}\n${result.stderr}`;
    if (/permission/i.test(said)) throw new Error("uhubctl may not open the hub; its udev rules: https://git.io/JIB2Z");
    if (/No compatible devices/i.test(said)) {
      throw new Error(`there is no hub ${this.#hub} that can switch its ports; \`uhubctl\` lists those that can`);
    }
    throw new Error(`uhubctl: ${said.trim().split("\n")[0] || `exit status ${result.exitCode}`}`);
  }
}

/** What uhubctl said last of one port, as in `  Port 2: 0100 power`; undefined when it did not mention it. */
export function portState(said: string, hub: string, port: number): PowerState | undefined {
  let isThisHub = false;
  let state: PowerState | undefined;
  for (const line of said.split("\n")) {
    const head = /^(?:Current|New) status for hub (\S+)/.exec(line);
    if (head !== null) isThisHub = head[1] === hub;
    const row = /^ {2}Port (\d+): [0-9a-f]{4}\b(.*)/.exec(line);
    if (row === null || !isThisHub || Number(row[1]) !== port) continue;
    // What is in brackets is the name of what is plugged in, and may hold any word.
    const words = (row[2] ?? "").replace(/\[.*/, "").trim().split(" ");
    state = words.includes("power") ? "on" : words.includes("off") ? "off" : "unknown";
  }
  return state;
}
