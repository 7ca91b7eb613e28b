/** The arm64 board: replacement boards of today with UEFI or U-Boot, and QEMU's virt. */
import { ARM64 } from "../machines.ts";
import type { Board } from "./board.ts";
import { ARM64_DRIVERS } from "./drivers.ts";
import {
  PCI_STORAGE_MODULES,
  ROUTER_MODULES,
  SLOT_COMPRESSION,
  SYSTEM_EXECUTABLES,
  SYSTEM_FILES,
  SYSTEM_MODULES,
  SYSTEM_PACKAGES,
} from "./system.ts";

export const board: Board = {
  name: "arm64",
  title: "64-bit ARM boards with UEFI or U-Boot",
  machine: ARM64,
  packages: SYSTEM_PACKAGES,
  executables: SYSTEM_EXECUTABLES,
  files: SYSTEM_FILES,
  bootModules: ["virtio_pci", "virtio_blk", "squashfs"],
  storageModules: PCI_STORAGE_MODULES,
  systemModules: SYSTEM_MODULES,
  drivers: ARM64_DRIVERS,
  spareModules: [...ROUTER_MODULES, "softdog"],
  slotCompression: SLOT_COMPRESSION,
  loaders: [{ name: "arm64-efi", package: "grub-efi-arm64-bin" }],
  compression: { name: "zstd", blockSize: "128K", options: ["-Xcompression-level", "6"] },
  legacyImages: false,
  ports: { ports: [], others: "wan-then-lan" },
  commandLine: "console=ttyAMA0,115200 quiet panic=10",
};
