/** The device under test: the appliance's image in QEMU, driven over its serial console as an administrator drives it. */
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { buildImage } from "../../image/build.ts";
import type { Progress } from "../../image/progress.ts";
import type { NodeDefinition } from "./definition.ts";
import { DeviceConsole } from "./device-console.ts";
import type { MachineSpec } from "./qemu/args.ts";

export const DEVICE_BOARD = "x86_64";
const MEMORY_MIB = 512;
const DATA_DISK_BYTES = 64 * 1024 * 1024;

export interface Device {
  readonly console: DeviceConsole;
}

export interface DeviceImage {
  /** Content hash of the image. */
  readonly key: string;
  /** The machine that boots the image: root disk, data disk, and the NICs in the order WAN, LAN. */
  machine(name: string, dataDisk: string, nics: MachineSpec["nics"]): MachineSpec;
}

/** Builds the image or finds it built. */
export async function deviceImage(progress: Progress): Promise<DeviceImage> {
  const image = await buildImage({ board: DEVICE_BOARD, locked: false, onProgress: progress });
  const machine: DeviceImage["machine"] = (name, dataDisk, nics) => ({
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
  return { key: image.key, machine };
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
    role: "device",
    what: `the ${DEVICE_BOARD} image`,
    memoryMib: MEMORY_MIB,
    nics: ["wan", "lan"],
    prepare: async (progress) => {
      const image = await deviceImage(progress);
      return {
        kind: "machine",
        key: image.key,
        spec: async ({ name, nics, runFolder }) => {
          const dataDisk = join(runFolder, `${name}.disk`);
          await blankDataDisk(dataDisk);
          return image.machine(name, dataDisk, nics);
        },
        boot: async (machine) => {
          const console = new DeviceConsole(machine.console);
          await console.awaitLogin();
          return { console };
        },
        attach: (machine) => ({ console: new DeviceConsole(machine.console) }),
      };
    },
  };
}

/** A factory-new device has nothing on its disk, whatever the lab's last one wrote there. */
async function blankDataDisk(path: string): Promise<void> {
  await rm(path, { force: true });
  await ensureDataDisk(path);
}
