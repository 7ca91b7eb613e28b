/** The device under test: the appliance's image in QEMU, driven over its serial console as an administrator drives it. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { buildImage } from "../../image/build.ts";
import type { Progress } from "../../image/progress.ts";
import type { NodeDefinition, NodePlace } from "../lab.ts";
import { DeviceConsole } from "./device-console.ts";
import type { MachineSpec } from "./qemu/args.ts";
import { Machine } from "./qemu/machine.ts";

export const DEVICE_BOARD = "x86_64";
const MEMORY_MIB = 512;
const DATA_DISK_BYTES = 64 * 1024 * 1024;

export interface Device {
  readonly console: DeviceConsole;
}

/** The machine that boots the image: root disk, data disk, and the NICs in the order WAN, LAN. */
export async function deviceMachine(
  progress: Progress,
): Promise<(name: string, dataDisk: string, nics: MachineSpec["nics"]) => MachineSpec> {
  const image = await buildImage({ board: DEVICE_BOARD, locked: false, onProgress: progress });
  return (name, dataDisk, nics) => ({
    name,
    memoryMib: MEMORY_MIB,
    kernel: image.kernel,
    initrd: image.initrd,
    append: image.board.commandLine,
    disks: [
      { path: image.root, serial: "culvert-root", readOnly: true },
      { path: dataDisk, serial: "culvert-data", readOnly: false },
    ],
    nics,
    restarts: true,
  });
}

/** Makes a blank data disk unless there is one: the device formats it at its first boot. */
export async function ensureDataDisk(path: string): Promise<void> {
  const file = await open(path, "a");
  try {
    if ((await file.stat()).size === 0) await file.truncate(DATA_DISK_BYTES);
  } finally {
    await file.close();
  }
}

/** A factory-new device with the NICs `wan` and `lan`. It is up once its console asks for something. */
export function device(): NodeDefinition<Device, "wan" | "lan"> {
  return {
    nics: ["wan", "lan"],
    prepare: async (progress) => {
      const machineOf = await deviceMachine(progress);
      return async ({ name, nics, host }: NodePlace) => {
        const dataDisk = join(host.runFolder, `${name}.disk`);
        await ensureDataDisk(dataDisk);
        const machine = await Machine.start(machineOf(name, dataDisk, nics), host);
        await machine.go();
        const console = new DeviceConsole(machine.console);
        await console.awaitLogin();
        return { console };
      };
    },
  };
}
