/** The mipsel board: MediaTek-class MIPS routers of 32 bit, and QEMU's Malta with a 34Kf. Debian has no security updates for it. */
import { MIPSEL } from "../machines.ts";
import type { Board } from "./board.ts";
import { MALTA_DRIVERS } from "./drivers.ts";
import {
  ROUTER_MODULES,
  SLOT_COMPRESSION,
  SYSTEM_EXECUTABLES,
  SYSTEM_FILES,
  SYSTEM_MODULES,
  SYSTEM_PACKAGES,
} from "./system.ts";

export const board: Board = {
  name: "mipsel",
  title: "MIPS routers, 32 bit, little endian",
  machine: MIPSEL,
  packages: [...SYSTEM_PACKAGES, "libatomic1"],
  executables: SYSTEM_EXECUTABLES,
  files: SYSTEM_FILES,
  bootModules: ["virtio_pci", "virtio_blk", "squashfs"],
  storageModules: ["ata_piix", "sd_mod"],
  systemModules: SYSTEM_MODULES,
  drivers: MALTA_DRIVERS,
  spareModules: [...ROUTER_MODULES, "softdog"],
  slotCompression: SLOT_COMPRESSION,
  loaders: [],
  compression: { name: "zstd", blockSize: "128K", options: ["-Xcompression-level", "6"] },
  legacyImages: true,
  ports: { ports: [], others: "wan-then-lan" },
  commandLine: "console=ttyS0,115200 quiet panic=10",
};
