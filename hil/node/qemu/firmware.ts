/** What starts a machine that boots from its own disk: firmware, and the files of it that Debian packages. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import type { Board } from "../../../image/boards/board.ts";
import type { Architecture } from "../../../image/machines.ts";
import { Fault } from "../../fault.ts";
import { UsageError } from "../../usage-error.ts";

/** `uboot` starts what lies on the disk by its EFI loader; `rom` is boot-rom.ts. */
export const FIRMWARES = ["bios", "uefi", "uboot", "rom"] as const;
export type Firmware = (typeof FIRMWARES)[number];

/** What an emulated device is. */
export interface BoardChoice {
  readonly board: string;
  /** It boots from its flashable disk by this; without one QEMU loads kernel and initramfs, which is quickest. */
  readonly firmware?: Firmware | undefined;
  /** The disk is packed in seconds, and larger. */
  readonly quick?: boolean;
}

interface FirmwareFiles {
  /** What QEMU needs to be told; nothing when it has the firmware built in. */
  readonly arguments: readonly string[];
  readonly file?: string;
  /** The Debian package of `file`. */
  readonly package?: string;
}

/** Flash with code only: variables are kept in memory, so that each boot is a first one. */
function flashed(file: string): readonly string[] {
  return ["-drive", `if=pflash,format=raw,readonly=on,file=${file}`];
}

const OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const AAVMF = "/usr/share/AAVMF/AAVMF_CODE.fd";
const UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

const FILES: Readonly<Record<Architecture, Readonly<Partial<Record<Firmware, FirmwareFiles>>>>> = {
  amd64: { bios: { arguments: [] }, uefi: { arguments: flashed(OVMF), file: OVMF, package: "ovmf" } },
  arm64: {
    uefi: { arguments: flashed(AAVMF), file: AAVMF, package: "qemu-efi-aarch64" },
    uboot: { arguments: ["-bios", UBOOT], file: UBOOT, package: "u-boot-qemu" },
  },
  mipsel: { rom: { arguments: [] } },
};

/** The firmwares that boot an architecture's disks here. */
function firmwaresOf(architecture: Architecture): readonly Firmware[] {
  return FIRMWARES.filter((each) => FILES[architecture][each] !== undefined);
}

/** The word that a user gave for `board`. Throws a UsageError for one that does not start it. */
export function firmwareNamed({ name, machine }: Board, word: string | undefined): Firmware | undefined {
  if (word === undefined) return undefined;
  const offered = firmwaresOf(machine.architecture);
  const found = offered.find((each) => each === word);
  if (found === undefined) throw new UsageError(`firmware ${word}: ${name} has ${offered.join(", ")}`);
  return found;
}

/** Throws a UsageError for a firmware that the architecture has not, and a Fault that names the package of one that is not installed. */
export async function checkFirmware(architecture: Architecture, firmware: Firmware): Promise<void> {
  const files = FILES[architecture][firmware];
  if (files === undefined) {
    throw new UsageError(
      `firmware ${firmware} starts no ${architecture}; there is ${firmwaresOf(architecture).join(", ")}`,
    );
  }
  if (files.file === undefined) return;
  try {
    await access(files.file, constants.R_OK);
  } catch {
    throw new Fault("host", `${files.file} is missing: apt-get install ${files.package}`);
  }
}

export function firmwareArguments(architecture: Architecture, firmware: Firmware): readonly string[] {
  return FILES[architecture][firmware]?.arguments ?? [];
}
