/** Power of a machine in QEMU: off is stopped, on is reset and let go. Memory is not cleared, as with a short cut of real power. */
import type { Qmp } from "../node/qemu/qmp.ts";
import type { PowerDriver, PowerState } from "./power.ts";

/** States in which the machine's processors run; QEMU's RunState has many in which they do not. */
const RUNNING: ReadonlySet<string> = new Set(["running"]);

export class QemuPower implements PowerDriver {
  readonly what = "QEMU";
  readonly limitMs = 10_000;
  readonly #monitor: Pick<Qmp, "execute">;

  constructor(monitor: Pick<Qmp, "execute">) {
    this.#monitor = monitor;
  }

  async on(): Promise<void> {
    if ((await this.state()) === "on") return; // what has power is not reset by getting it
    await this.#monitor.execute("system_reset");
    await this.#monitor.execute("cont");
  }

  async off(): Promise<void> {
    await this.#monitor.execute("stop");
  }

  async state(): Promise<PowerState> {
    const answer = (await this.#monitor.execute("query-status")) as { readonly status?: unknown };
    return RUNNING.has(String(answer.status)) ? "on" : "off";
  }

  close(): void {}
}
