/** Serial ports of this computer: which there are, without opening any, and opening one. */
import { once } from "node:events";
import { accessSync, constants, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { Duplex } from "node:stream";
import type { SerialPortStream } from "@serialport/stream";
import { Fault } from "../fault.ts";

export interface SerialPort {
  /** /dev/ttyUSB0 */
  readonly path: string;
  /** Its name below /dev/serial/by-id, which survives replugging. */
  readonly stablePath: string | undefined;
  readonly driver: string;
  /** Whether this user may read and write it. */
  readonly mayOpen: boolean;
}

/** Every tty with a driver and hardware behind it. `root` is `/`, or a test's copy of it. */
export function serialPorts(root = "/"): SerialPort[] {
  const folder = join(root, "sys/class/tty");
  const stable = stableNames(root);
  return list(folder)
    .flatMap((name) => {
      const driver = driverOf(join(folder, name));
      if (driver === undefined) return [];
      const path = `/dev/${name}`;
      return [{ path, stablePath: stable.get(name), driver, mayOpen: mayOpen(join(root, "dev", name)) }];
    })
    .sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

/** Opens a port with 8 data bits, no parity, one stop bit and no flow control. Throws a bench Fault that says what to do. */
export async function openSerial(path: string, baud: number): Promise<SerialLine> {
  // Loaded here, because it is machine code that most commands do not need.
  const { SerialPortStream: Port } = await import("@serialport/stream");
  const { autoDetect } = await import("@serialport/bindings-cpp");
  const port = new Port({ binding: autoDetect(), path, baudRate: baud, autoOpen: false });
  try {
    await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  } catch (error) {
    throw new Fault("bench", explain(path, error instanceof Error ? error.message : String(error)), { cause: error });
  }
  return new SerialLine(path, port);
}

/** An open port as an ordinary stream: node-serialport's own cannot be destroyed, and tells of a pulled plug by closing in silence. */
export class SerialLine extends Duplex {
  readonly #port: SerialPortStream;

  constructor(path: string, port: SerialPortStream) {
    super();
    this.#port = port;
    port.on("data", (bytes: Buffer) => this.push(bytes));
    port.on("close", () => this.destroy(this.destroyed ? undefined : unplugged(path)));
    port.on("error", (error: Error) => this.destroy(new Fault("bench", `serial port ${path}: ${error.message}`)));
  }

  /** Resolves when every byte has left the port. */
  async drained(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#port.drain((error) => (error ? reject(error) : resolve()));
    });
  }

  /** Returns when others can open the port. */
  async close(): Promise<void> {
    if (this.closed) return;
    const closed = once(this, "close");
    this.destroy();
    await closed;
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#port.write(bytes, undefined, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#port.isOpen) this.#port.close(() => done(error));
    else done(error);
  }
}

function unplugged(path: string): Fault {
  return new Fault("bench", `serial port ${path} is gone: it was unplugged, or its USB hub lost power`);
}

function explain(path: string, said: string): string {
  if (/no such file|not found/i.test(said)) {
    const ports = serialPorts().map((port) => port.stablePath ?? port.path);
    const offer = ports.length === 0 ? "this computer has none" : `there are ${ports.join(", ")}`;
    return `serial port ${path} is not there: is it plugged in? ${offer}`;
  }
  if (/permission denied/i.test(said)) {
    return `serial port ${path} may not be opened by this user: sudo usermod -aG dialout "$USER", then log in again`;
  }
  if (/cannot lock|resource temporarily unavailable|busy/i.test(said)) {
    return `serial port ${path} is in use by another program: \`fuser ${path}\` says which`;
  }
  return `serial port ${path} cannot be opened: ${said.replace(/^Error:?\s*/, "")}`;
}

/** A name without driver is a virtual console; a UART of type 0 is a place where the PC could have one. */
function driverOf(folder: string): string | undefined {
  try {
    const driver = basename(readlinkSync(join(folder, "device/driver")));
    const isAbsent = readText(join(folder, "type")) === "0";
    return isAbsent ? undefined : driver;
  } catch {
    return undefined;
  }
}

function stableNames(root: string): Map<string, string> {
  const folder = join(root, "dev/serial/by-id");
  const names = new Map<string, string>();
  for (const name of list(folder)) {
    try {
      names.set(basename(realpathSync(join(folder, name))), `/dev/serial/by-id/${name}`);
    } catch {
      // unplugged in between
    }
  }
  return names;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
