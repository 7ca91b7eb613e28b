/** One running QEMU: started stopped, fresh or from what was saved, console and monitor connected, then let go. */
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { LabClock } from "../../clock.ts";
import { Console } from "../../console/console.ts";
import { Fault } from "../../fault.ts";
import type { EventSink } from "../../journal/journal.ts";
import { Scope } from "../../scope.ts";
import type { Ailment } from "../definition.ts";
import { type Accelerator, type GuestMemory, type MachineSpec, machineCommand } from "./args.ts";
import { firstConnection } from "./first-connection.ts";
import { spawnQemu } from "./process.ts";
import { type ProcessorState, parseRegisters } from "./progress.ts";
import { MonitorClosed, Qmp } from "./qmp.ts";
import { copySparse, SavedMachine } from "./saved-machine.ts";

export interface MachineHost {
  readonly accelerator: Accelerator;
  readonly clock: LabClock;
  readonly journal: EventSink;
  /** A word for this life of the machine: one that is restored twice lives twice. */
  readonly instance: string;
  /** Folder for unix sockets; short, because their paths end at 107 bytes. */
  readonly socketFolder: string;
  /** Folder for what stays: the raw console. */
  readonly runFolder: string;
  /** Owns each machine from before its first instruction: it has the console for the report, and closes the machine whatever happens next. */
  adopt(machine: Machine): void;
}

/** `run` is quick and cannot be saved again; `extend` can. */
export interface Restoring {
  readonly from: SavedMachine;
  readonly to: "run" | "extend";
}

/** A healthy Linux takes interrupts again within milliseconds: one of these looks would see it. */
const LOOKS = 8;
const LOOK_EVERY_MS = 50;
/** For a monitor that has to answer at once. */
const ANSWER_WITHIN_MS = 5_000;

export class Machine {
  readonly name: string;
  readonly instance: string;
  readonly console: Console;
  /** The serial line itself, for transfers past the console's journal. */
  readonly line: Duplex;
  /** On the second serial line of a machine that has one. */
  readonly secondConsole: Console | undefined;
  readonly #monitor: Qmp;
  readonly #clock: LabClock;
  /** Why the guest went down, as QEMU has it: `guest-reset`, `host-signal`. Undefined when QEMU was killed. */
  readonly #shutdown: Promise<string | undefined>;
  readonly #spec: MachineSpec;
  readonly #memory: GuestMemory;
  readonly #pid: number;
  readonly #scope: Scope;
  /** Rejects with QEMU's last words. */
  readonly #ended: Promise<never>;

  private constructor(parts: MachineParts) {
    this.name = parts.spec.name;
    this.instance = parts.host.instance;
    this.console = parts.console;
    this.line = parts.line;
    this.secondConsole = parts.secondConsole;
    this.#monitor = parts.monitor;
    this.#clock = parts.host.clock;
    this.#shutdown = parts.monitor
      .until("its end", ({ name, data }) => (name === "SHUTDOWN" ? String(Object(data).reason) : undefined))
      .catch(() => undefined);
    this.#spec = parts.spec;
    this.#memory = parts.memory;
    this.#pid = parts.pid;
    this.#scope = parts.scope;
    this.#ended = parts.ended;
  }

  /**
   * Starts QEMU, hands it to its host and returns before the guest's first instruction, or its next when it is restored.
   * Throws with QEMU's own words if it ends instead.
   */
  static async start(spec: MachineSpec, host: MachineHost, restoring?: Restoring): Promise<Machine> {
    const scope = new Scope();
    try {
      const memory = await memoryFor(spec.name, host, restoring);
      await restoring?.from.putDisks(spec);
      const serial = await firstConnection(join(host.socketFolder, `${spec.name}.tty`), scope);
      const second = spec.secondLine
        ? await firstConnection(join(host.socketFolder, `${spec.name}.tty2`), scope)
        : undefined;
      const monitor = await firstConnection(join(host.socketFolder, `${spec.name}.qmp`), scope);
      const sockets = {
        serial: serial.path,
        second: second?.path,
        monitor: monitor.path,
        consoleLog: join(host.runFolder, `${spec.name}.console`),
      };
      const { program, args } = machineCommand(spec, sockets, host.accelerator, memory);
      const qemu = spawnQemu(args, program);
      scope.defer(`QEMU of ${spec.name}`, async () => {
        qemu.kill("SIGKILL"); // nothing that it could still write is worth the wait
        await qemu.ended;
      });
      const ended = qemu.ended.then((end): never => {
        throw new Fault("host", `${spec.name}: QEMU ended: ${end.said}`, { node: spec.name });
      });
      const connected = Promise.all([serial.socket, monitor.socket, second?.socket]);
      const [line, control, secondLine] = await Promise.race([connected, ended]);
      const console = new Console(spec.name, line, host);
      const secondConsole = secondLine && new Console(`${spec.name}-2`, secondLine, host);
      // From here on the console fails when the machine ends; the log says how it ended.
      ended.catch((error: Error) => console.note(error.message));
      const qmp = new Qmp(control);
      await orLastWords(qmp.ready(), ended);
      if (restoring !== undefined) await orLastWords(restoring.from.load(qmp), ended);
      const pid = qemu.pid ?? 0; // it is connected, so it was started
      const machine = new Machine({
        spec,
        host,
        console,
        line,
        secondConsole,
        monitor: qmp,
        memory,
        pid,
        scope,
        ended,
      });
      host.adopt(machine);
      return machine;
    } catch (error) {
      await scope.close();
      throw error;
    }
  }

  /** Lets the guest run. */
  async go(): Promise<void> {
    await orLastWords(this.#monitor.execute("cont"), this.#ended);
  }

  /** Stops the guest between two of its instructions. */
  async pause(): Promise<void> {
    await orLastWords(this.#monitor.execute("stop"), this.#ended);
  }

  /** Saves the stopped machine into `folder`; `go` lets it run on afterwards. */
  async save(folder: string): Promise<void> {
    const saved = new SavedMachine(folder, this.name);
    await orLastWords(saved.take(this.#spec, this.#memory, this.#monitor, this.#pid), this.#ended);
  }

  /** For drivers that do more than run and stop it: power. */
  get monitor(): Pick<Qmp, "execute"> {
    return this.#monitor;
  }
  get pid(): number {
    return this.#pid;
  }
  /** Whether its console has said anything in this life. */
  get hasSpoken(): boolean {
    return this.console.transcript.lastReceivedNs !== undefined;
  }

  /** The processor's state now. Throws a host Fault when QEMU does not answer. */
  async processor(): Promise<ProcessorState> {
    return parseRegisters(String(await this.#query("human-monitor-command", { "command-line": "info registers" })));
  }

  /** What is wrong with a machine that should be running and well; takes at most some seconds. */
  async ailment(): Promise<Ailment | undefined> {
    const death = this.console.death;
    if (death !== undefined) return { by: "guest", what: death };
    try {
      const { status } = Object(await this.#query("query-status", {}));
      if (status !== "running")
        return { by: BROKEN_HOST.has(status) ? "host" : "guest", what: `QEMU has it ${status}` };
      for (let look = 0; look < LOOKS; look++) {
        if ((await this.processor()).takesInterrupts) return undefined;
        await new Promise<void>((resolve) => this.#clock.after(LOOK_EVERY_MS, resolve));
      }
      return { by: "guest", what: "it hangs: its processor takes no interrupts" };
    } catch (error) {
      const shutdown = await this.#shutdown;
      if (shutdown?.startsWith("guest-")) return { by: "guest", what: `it went down by itself (${shutdown})` };
      return { by: "host", what: error instanceof Error ? withoutName(error.message, this.name) : String(error) };
    }
  }

  async #query(command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      const words = `${this.name}: QEMU's monitor did not answer in ${ANSWER_WITHIN_MS / 1000} s`;
      cancel = this.#clock.after(ANSWER_WITHIN_MS, () => reject(new Fault("host", words, { node: this.name })));
    });
    try {
      return await Promise.race([orLastWords(this.#monitor.execute(command, args), this.#ended), late]);
    } finally {
      cancel();
    }
  }

  /** Ends QEMU and waits until it is gone. */
  async close(): Promise<void> {
    await this.#scope.close();
  }
}

/** States of QEMU in which the fault is this computer's: its disk is full, its accelerator failed. */
const BROKEN_HOST: ReadonlySet<unknown> = new Set(["io-error", "internal-error"]);

function withoutName(message: string, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

interface MachineParts {
  readonly spec: MachineSpec;
  readonly host: MachineHost;
  readonly console: Console;
  readonly line: Duplex;
  readonly secondConsole: Console | undefined;
  readonly monitor: Qmp;
  readonly memory: GuestMemory;
  readonly pid: number;
  readonly scope: Scope;
  readonly ended: Promise<never>;
}

async function memoryFor(name: string, host: MachineHost, restoring: Restoring | undefined): Promise<GuestMemory> {
  if (restoring === undefined) return { kind: "fresh" };
  if (restoring.to === "run") return { kind: "borrowed", file: restoring.from.memory };
  const file = join(host.socketFolder, `${name}.ram`);
  await copySparse(restoring.from.memory, file);
  return { kind: "copy", file };
}

/** A monitor that closed says less than QEMU itself: how it ended, and which machine. */
function orLastWords<T>(answer: Promise<T>, ended: Promise<never>): Promise<T> {
  return answer.catch((error: unknown) => (error instanceof MonitorClosed ? ended : Promise.reject(error)));
}
