/** The x86_64 board: PC-class routers, and QEMU's q35. */
import { AMD64 } from "../machines.ts";
import type { Board } from "./board.ts";
import { PC_DRIVERS } from "./drivers.ts";
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
  name: "x86_64",
  title: "PC-class routers, 64 bit",
  machine: AMD64,
  packages: SYSTEM_PACKAGES,
  executables: SYSTEM_EXECUTABLES,
  files: SYSTEM_FILES,
  bootModules: ["virtio_pci", "virtio_blk", "squashfs"],
  storageModules: PCI_STORAGE_MODULES,
  systemModules: SYSTEM_MODULES,
  drivers: PC_DRIVERS,
  spareModules: [...ROUTER_MODULES, "softdog"],
  slotCompression: { ...SLOT_COMPRESSION, options: ["-Xbcj", "x86"] },
  loaders: [
    { name: "i386-pc", package: "grub-pc-bin" },
    { name: "x86_64-efi", package: "grub-efi-amd64-bin" },
  ],
  compression: { name: "zstd", blockSize: "128K", options: ["-Xcompression-level", "6"] },
  legacyImages: false,
  ports: { ports: [], others: "wan-then-lan" },
  // no_timer_check: under emulation on a busy host the timer may seem dead at boot, and the kernel would panic.
  commandLine: "console=ttyS0,115200 quiet panic=10 no_timer_check",
};
