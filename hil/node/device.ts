/** The device under test: a board's image in QEMU, driven over its serial console as an administrator drives it. */
import { existsSync } from "node:fs";
import { open, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { boardNamed } from "../../image/boards/boards.ts";
import { buildImage } from "../../image/build.ts";
import { APPLIANCE, type SourceReplacement } from "../../image/compile.ts";
import { buildFlashable } from "../../image/flashable.ts";
import type { Architecture } from "../../image/machines.ts";
import type { Progress } from "../../image/progress.ts";
import { imageFolder } from "../../image/project.ts";
import type { NodeDefinition } from "./definition.ts";
import { DeviceConsole } from "./device-console.ts";
import type { MachineSpec } from "./qemu/args.ts";
import { type BoardChoice, checkFirmware } from "./qemu/firmware.ts";
import { copySparse } from "./qemu/saved-machine.ts";

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
  /** Makes the disk of a factory-new device unless there is a file. */
  ensureDisk(path: string): Promise<void>;
  /** The machine that boots the image: its disk, and the NICs in the order WAN, LAN. */
  machine(name: string, disk: string, nics: MachineSpec["nics"]): MachineSpec;
}

/** Builds the image or finds it built. Throws a UsageError for a firmware that does not start the board. */
export async function deviceImage(
  { board, firmware, quick = false }: BoardChoice,
  progress: Progress,
  defect?: SourceReplacement,
): Promise<DeviceImage> {
  const { architecture } = boardNamed(board).machine;
  const machine = { architecture, memoryMib: MEMORY_MIB[architecture], restarts: true } as const;
  const request = { board, locked: false, onProgress: progress };
  if (firmware === undefined) {
    const {
      key,
      kernel,
      initrd,
      root,
      board: built,
    } = await buildImage({
      ...request,
      ...(defect && { app: { ...APPLIANCE, defect }, folder: join(imageFolder, `${board}-defect`) }),
    });
    const rootDisk = { path: root, serial: "culvert-root", readOnly: true };
    return {
      key,
      ensureDisk: ensureDataDisk,
      machine: (name, disk, nics) => ({
        ...{ ...machine, name, nics, kernel, initrd, append: built.commandLine },
        disks: [rootDisk, { path: disk, serial: "culvert-data", readOnly: false }],
      }),
    };
  }
  await checkFirmware(architecture, firmware);
  const flashable = await buildFlashable({ ...request, quick });
  return {
    key: `${flashable.key} ${firmware}`,
    ensureDisk: (path) => ensureFlashed(flashable.disk, path),
    machine: (name, disk, nics) => ({
      ...{ ...machine, name, nics, firmware },
      disks: [{ path: disk, serial: "culvert-flash", readOnly: false }],
    }),
  };
}

/** A medium is larger than the image that is written to it. */
const MEDIUM_BYTES = 512 * 1024 * 1024;

async function ensureFlashed(image: string, path: string): Promise<void> {
  if (existsSync(path)) return;
  await copySparse(image, path);
  await truncate(path, MEDIUM_BYTES);
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
  choice: BoardChoice = { board: DEVICE_BOARD },
  defect?: SourceReplacement,
): NodeDefinition<Device, "wan" | "lan"> {
  const { board, firmware } = choice;
  const { architecture } = boardNamed(board).machine;
  const bulkBytes = BULK_BYTES[architecture];
  const how = firmware === undefined ? "" : ` booted by ${firmware}`;
  return {
    role: "device",
    what: `the ${board} image${how}${defect === undefined ? "" : ` with a defect in ${defect.file}`}`,
    memoryMib: MEMORY_MIB[architecture],
    nics: ["wan", "lan"],
    onBoard: (other) => device(other, defect),
    prepare: async (progress) => {
      const image = await deviceImage(choice, progress, defect);
      return {
        kind: "machine",
        key: image.key,
        unsavable: firmware === "rom",
        spec: async ({ name, nics, runFolder }) => {
          const disk = join(runFolder, `${name}.disk`);
          // A factory-new device has its own disk, whatever the lab's last one wrote there.
          await rm(disk, { force: true });
          await image.ensureDisk(disk);
          return image.machine(name, disk, nics);
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
