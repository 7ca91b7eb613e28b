/** The x86_64 board: PC-class routers, and QEMU's q35. */
import { AMD64 } from "../machines.ts";
import type { Board } from "./board.ts";
import { PC_DRIVERS } from "./drivers.ts";
import { ROUTER_MODULES, SYSTEM_EXECUTABLES, SYSTEM_FILES, SYSTEM_MODULES, SYSTEM_PACKAGES } from "./system.ts";

export const board: Board = {
  name: "x86_64",
  title: "PC-class routers, 64 bit",
  machine: AMD64,
  packages: SYSTEM_PACKAGES,
  executables: SYSTEM_EXECUTABLES,
  files: SYSTEM_FILES,
  bootModules: ["virtio_pci", "virtio_blk", "squashfs"],
  systemModules: SYSTEM_MODULES,
  drivers: PC_DRIVERS,
  spareModules: [...ROUTER_MODULES, "softdog"],
  compression: { name: "zstd", blockSize: "128K", options: ["-Xcompression-level", "6"] },
  legacyImages: false,
  ports: { ports: [], others: "wan-then-lan" },
  // no_timer_check: under emulation on a busy host the timer may seem dead at boot, and the kernel would panic.
  commandLine: "console=ttyS0,115200 quiet panic=10 no_timer_check",
};
