/** The serial ports of this computer, without opening any. Read from /sys: asking udev ends the process where there is none. */
import { accessSync, constants, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";

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
