/** 64-bit PCs: the machine type of the x86_64 board and of lab guests. */
import type { Machine } from "./board.ts";

export const AMD64: Machine = {
  architecture: "amd64",
  elfMachine: 62,
  libraryFolders: ["/usr/lib/x86_64-linux-gnu", "/usr/lib"],
  kernelPackage: "linux-image-amd64",
};
