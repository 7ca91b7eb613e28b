/** The device under test: a board's image in QEMU, driven over its serial console as an administrator drives it. */
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { boardNamed } from "../../image/boards/boards.ts";
import { buildImage } from "../../image/build.ts";
import { APPLIANCE, type SourceReplacement } from "../../image/compile.ts";
import type { Architecture } from "../../image/machines.ts";
import type { Progress } from "../../image/progress.ts";
import { imageFolder } from "../../image/project.ts";
import type { NodeDefinition } from "./definition.ts";
import { DeviceConsole } from "./device-console.ts";
import type { MachineSpec } from "./qemu/args.ts";

/** What a device is unless somebody asks for another board. */
export const DEVICE_BOARD = "x86_64";
/** Malta's kernel sees no more than 256 MiB. */
const MEMORY_MIB: Readonly<Record<Architecture, number>> = { amd64: 512, arm64: 512, mipsel: 256 };
const DATA_DISK_BYTES = 64 * 1024 * 1024;

/**
 * What a scenario sends through the device when it sends much: an emulated 34Kf encrypts 20 kB/s with RC4 in JavaScript while
 * the lab's other machines want the same processors.
 */
export const BULK_BYTES: Readonly<Record<Architecture, number>> = {
  amd64: 10_000_000,
  arm64: 10_000_000,
  mipsel: 500_000,
};

export interface Device {
  readonly console: DeviceConsole;
  readonly bulkBytes: number;
}

export interface DeviceImage {
  /** Content hash of the image. */
  readonly key: string;
  /** The machine that boots the image: root disk, data disk, and the NICs in the order WAN, LAN. */
  machine(name: string, dataDisk: string, nics: MachineSpec["nics"]): MachineSpec;
}

/** Builds the image or finds it built. */
export async function deviceImage(board: string, progress: Progress, defect?: SourceReplacement): Promise<DeviceImage> {
  const image = await buildImage({
    ...{ board, locked: false, onProgress: progress },
    ...(defect && { app: { ...APPLIANCE, defect }, folder: join(imageFolder, `${board}-defect`) }),
  });
  const { architecture } = image.board.machine;
  const machine: DeviceImage["machine"] = (name, dataDisk, nics) => ({
    name,
    architecture,
    memoryMib: MEMORY_MIB[architecture],
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

/**
 * A factory-new device with the NICs `wan` and `lan`. It is up once its console asks for something. Throws an ImageError for a
 * board that does not exist. With a `defect` the image has it, to see that the lab notices.
 */
export function device(
  board: string = DEVICE_BOARD,
  defect?: SourceReplacement,
): NodeDefinition<Device, "wan" | "lan"> {
  const { architecture } = boardNamed(board).machine;
  const bulkBytes = BULK_BYTES[architecture];
  return {
    role: "device",
    what: defect === undefined ? `the ${board} image` : `the ${board} image with a defect in ${defect.file}`,
    memoryMib: MEMORY_MIB[architecture],
    nics: ["wan", "lan"],
    onBoard: (other) => device(other, defect),
    prepare: async (progress) => {
      const image = await deviceImage(board, progress, defect);
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
          return { console, bulkBytes };
        },
        attach: (machine) => ({ console: new DeviceConsole(machine.console), bulkBytes }),
      };
    },
  };
}

/** A factory-new device has nothing on its disk, whatever the lab's last one wrote there. */
async function blankDataDisk(path: string): Promise<void> {
  await rm(path, { force: true });
  await ensureDataDisk(path);
}
