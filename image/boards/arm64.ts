/** 64-bit ARM: the machine type of lab guests on QEMU's virt. No image is built for it. */
import type { Machine } from "./board.ts";

export const ARM64: Machine = {
  architecture: "arm64",
  elfMachine: 183,
  libraryFolders: ["/usr/lib/aarch64-linux-gnu", "/usr/lib"],
  kernelPackage: "linux-image-arm64",
};
