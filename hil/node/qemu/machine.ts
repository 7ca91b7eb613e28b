/** One running QEMU: started stopped, console and monitor connected, then let go. */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { LabClock } from "../../clock.ts";
import { Console } from "../../console/console.ts";
import type { EventSink } from "../../journal/journal.ts";
import { Scope } from "../../scope.ts";
import { type Accelerator, type MachineSpec, qemuArguments } from "./args.ts";
import { spawnQemu } from "./process.ts";
import { MonitorClosed, Qmp } from "./qmp.ts";

export interface MachineHost {
  readonly accelerator: Accelerator;
  readonly clock: LabClock;
  readonly journal: EventSink;
  /** Folder for unix sockets; short, because their paths end at 107 bytes. */
  readonly socketFolder: string;
  /** Folder for what stays: the raw console. */
  readonly runFolder: string;
  /** Owns each machine from before its first instruction: it has the console for the report, and closes the machine whatever happens next. */
  adopt(machine: Machine): void;
}

export class Machine {
  readonly name: string;
  readonly console: Console;
  /** The serial line itself, for those who pass its bytes on. */
  readonly line: Duplex;
  readonly #monitor: Qmp;
  readonly #scope: Scope;
  /** Rejects with QEMU's last words. */
  readonly #ended: Promise<never>;

  private constructor(name: string, console: Console, line: Duplex, monitor: Qmp, scope: Scope, ended: Promise<never>) {
    this.name = name;
    this.console = console;
    this.line = line;
    this.#monitor = monitor;
    this.#scope = scope;
    this.#ended = ended;
  }

  /** Starts QEMU, hands it to its host and returns before the guest's first instruction. Throws with QEMU's own words if it ends instead. */
  static async start(spec: MachineSpec, host: MachineHost): Promise<Machine> {
    const scope = new Scope();
    try {
      const serial = await awaitConnection(join(host.socketFolder, `${spec.name}.tty`), scope);
      const monitor = await awaitConnection(join(host.socketFolder, `${spec.name}.qmp`), scope);
      const sockets = {
        serial: serial.path,
        monitor: monitor.path,
        consoleLog: join(host.runFolder, `${spec.name}.console`),
      };
      const qemu = spawnQemu(qemuArguments(spec, sockets, host.accelerator));
      scope.defer(`QEMU of ${spec.name}`, async () => {
        qemu.kill("SIGTERM");
        await qemu.ended;
      });
      const ended = qemu.ended.then((end): never => {
        throw new Error(`${spec.name}: QEMU ended: ${end.said}`);
      });
      const [line, control] = await Promise.race([Promise.all([serial.socket, monitor.socket]), ended]);
      const console = new Console(spec.name, line, host);
      // From here on the console fails when the machine ends; the log says how it ended.
      ended.catch((error: Error) => console.note(error.message));
      const qmp = new Qmp(control);
      await orLastWords(qmp.ready(), ended);
      const machine = new Machine(spec.name, console, line, qmp, scope, ended);
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

  /** Ends QEMU and waits until it is gone. */
  async close(): Promise<void> {
    await this.#scope.close();
  }
}

/** A monitor that closed says less than QEMU itself: how it ended, and which machine. */
function orLastWords<T>(answer: Promise<T>, ended: Promise<never>): Promise<T> {
  return answer.catch((error: unknown) => (error instanceof MonitorClosed ? ended : Promise.reject(error)));
}

/** A listening unix socket, and the first connection to it. */
async function awaitConnection(path: string, scope: Scope): Promise<{ path: string; socket: Promise<Socket> }> {
  const server: Server = createServer();
  const socket = new Promise<Socket>((resolve) => {
    server.once("connection", (connection) => {
      scope.defer(path, () => void connection.destroy());
      server.close();
      resolve(connection);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  scope.defer(path, () => void server.close());
  return { path, socket };
}
