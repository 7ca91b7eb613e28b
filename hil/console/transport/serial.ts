/** A serial port of this computer, through node-serialport: one user at a time, and errors that say what to do. */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { autoDetect, type LinuxBindingInterface } from "@serialport/bindings-cpp";
import { SerialPortStream } from "@serialport/stream";
import type { LabClock } from "../../clock.ts";
import { Fault } from "../../fault.ts";
import { serialPorts } from "./serial-ports.ts";
import { BREAK_MS, type LineSettings, type ModemLines, type Transport, transportOver } from "./transport.ts";

type Port = SerialPortStream<LinuxBindingInterface>;

/** How often it is looked whether the port is still there: a port that was pulled reads as silence. */
const LOOK_EVERY_MS = 1000;

/** Opens the port and locks it. DTR is left as it is when the port is closed, so that no board resets. */
export async function openSerial(path: string, settings: LineSettings, clock: LabClock): Promise<Transport> {
  const { baud = 115_200, dataBits = 8, parity = "none", stopBits = 1, flow = "none" } = settings;
  const port: Port = new SerialPortStream<LinuxBindingInterface>({
    binding: autoDetect() as LinuxBindingInterface,
    path,
    baudRate: baud,
    dataBits,
    parity: linuxParity(path, parity),
    stopBits,
    rtscts: flow === "rts-cts",
    xon: flow === "xon-xoff",
    xoff: flow === "xon-xoff",
    lock: true,
    hupcl: false,
    autoOpen: false,
  });
  try {
    await call((done) => port.open(done));
  } catch (error) {
    throw openFault(path, error as Error);
  }
  // These are the library's own values when it opens a port.
  let lines = { dtr: true, rts: true };
  const setLines = async (changed: ModemLines, brk = false): Promise<void> => {
    lines = { ...lines, ...changed };
    await call((done) => port.set({ ...lines, brk }, done)).catch((error: Error) => {
      throw new Fault("bench", `${path}: DTR, RTS or break cannot be set: ${error.message}`);
    });
  };
  const transport = transportOver({
    place: path,
    stream: port,
    faultClass: "bench",
    control: {
      set: async ({ baud: changed, ...rest }) => {
        const [other] = Object.keys(rest);
        if (other !== undefined) throw new Fault("bench", `${path}: ${other} can only be set when the port is opened`);
        if (changed === undefined) return;
        await call((done) => port.update({ baudRate: changed }, done)).catch((error: Error) => {
          throw new Fault("bench", `${path}: the port cannot do ${changed} baud: ${error.message}`);
        });
      },
      setLines,
      sendBreak: async (ms = BREAK_MS) => {
        await setLines({}, true);
        await new Promise<void>((resolve) => void clock.after(ms, resolve));
        await setLines({}, false);
      },
    },
    drained: () => call((done) => port.drain(done)),
    close: async () => {
      stop();
      if (port.isOpen) await call((done) => port.close(done));
    },
  });
  const stop = watch(port, clock, () => {
    transport.destroy(new Fault("bench", `${path}: the port is gone: was it pulled?`));
  });
  return transport;
}

/** A port that hung up can still be read, for ever and in vain; only asking it something fails. */
function watch(port: Port, clock: LabClock, gone: () => void): () => void {
  let cancel = clock.after(LOOK_EVERY_MS, look);
  let isStopped = false;
  function look(): void {
    port.port?.getBaudRate().then(
      () => {
        if (!isStopped) cancel = clock.after(LOOK_EVERY_MS, look);
      },
      () => {
        if (!isStopped) gone();
      },
    );
  }
  return () => {
    isStopped = true;
    cancel();
  };
}

function linuxParity(path: string, parity: NonNullable<LineSettings["parity"]>): "none" | "odd" | "even" {
  if (parity === "mark" || parity === "space")
    throw new Fault("bench", `${path}: parity ${parity} is not possible here`);
  return parity;
}

function call(begin: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

function openFault(path: string, error: Error): Fault {
  const { message } = error;
  if (/No such file|No such device/i.test(message)) {
    return new Fault("bench", `there is no serial port ${path}; ${thePorts()}`, { cause: error });
  }
  if (/denied/i.test(message)) {
    const group = groupOf(path);
    const cure = `sudo usermod -aG ${group} ${userInfo().username}, then log in again`;
    return new Fault("bench", `${path}: no permission; it belongs to group ${group}: ${cure}`, { cause: error });
  }
  if (/lock|busy|temporarily unavailable/i.test(message)) {
    return new Fault("bench", `${path} is in use${holders(path)}`, { cause: error });
  }
  return new Fault("bench", `${path} cannot be opened: ${message}`, { cause: error });
}

function thePorts(): string {
  const ports = serialPorts().map((port) => port.stablePath ?? port.path);
  return ports.length === 0 ? "this computer has none" : `there are ${ports.join(", ")}`;
}

function groupOf(path: string): string {
  const gid = orElse(() => statSync(path).gid, -1);
  const groups = orElse(() => readFileSync("/etc/group", "utf8"), "");
  return (
    groups
      .split("\n")
      .find((line) => line.split(":")[2] === String(gid))
      ?.split(":")[0] ?? `number ${gid}`
  );
}

/** The processes that have the port open, as far as this user may see them. */
function holders(path: string): string {
  const device = orElse(() => realpathSync(path), path);
  const names = orElse(() => readdirSync("/proc"), []).flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const files = orElse(() => readdirSync(`/proc/${pid}/fd`), []);
    if (!files.some((file) => orElse(() => readlinkSync(`/proc/${pid}/fd/${file}`), "") === device)) return [];
    return [`${orElse(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim(), "process")} (${pid})`];
  });
  return names.length === 0 ? "" : ` by ${names.join(", ")}`;
}

function orElse<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise; // a process that ended, or one of another user
  }
}
