/** Between the lab's two sockets and the QEMU of the moment: the lab sees one machine that lives through its resets. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";

export interface Ends {
  readonly serial: Duplex;
  readonly monitor: Duplex;
}

/** The lab's ends of the sockets. */
export class Relay {
  readonly #lab: Ends;
  #machine: Ends | undefined;
  /** What the lab said to a machine that was not there yet, or was just being reset. */
  #held: string[] = [];
  #lives = 0;

  constructor(lab: Ends) {
    this.#lab = lab;
    lab.serial.on("data", (bytes: Buffer) => this.#machine?.serial.write(bytes));
    createInterface({ input: lab.monitor }).on("line", (line) => {
      if (this.#machine === undefined) this.#held.push(line);
      else this.#machine.monitor.write(`${line}\n`);
    });
  }

  say(text: string): void {
    this.#lab.serial.write(`${text}\r\n`);
  }

  /** The first life is greeted and let go by the lab, later ones by this. Resolves with why the guest went down. */
  async attach(machine: Ends): Promise<string | undefined> {
    const isFirst = ++this.#lives === 1;
    machine.serial.on("data", (bytes: Buffer) => this.#lab.serial.write(bytes));
    const lines = createInterface({ input: machine.monitor });
    let reason: string | undefined;
    lines.on("line", (line) => {
      const message: { QMP?: unknown; id?: unknown; event?: unknown; data?: { reason?: string } } = JSON.parse(line);
      if (!isFirst && message.QMP !== undefined) {
        for (const execute of ["qmp_capabilities", "cont"])
          machine.monitor.write(`${JSON.stringify({ execute, id: "rom" })}\n`);
        this.#letIn(machine);
        return;
      }
      if (message.id === "rom") return;
      if (message.event === "SHUTDOWN") {
        reason = message.data?.reason;
        if (isReset(reason)) {
          this.#machine = undefined;
          return; // the lab's machine goes on
        }
      }
      this.#lab.monitor.write(`${line}\n`);
    });
    if (isFirst) this.#letIn(machine);
    await once(lines, "close");
    this.#machine = undefined;
    return reason;
  }

  #letIn(machine: Ends): void {
    for (const held of this.#held.splice(0)) machine.monitor.write(`${held}\n`);
    this.#machine = machine;
  }
}

/** Of a reason as QEMU's SHUTDOWN event has it, such as `guest-reset`. */
export function isReset(reason: string | undefined): boolean {
  return reason?.endsWith("reset") === true;
}
