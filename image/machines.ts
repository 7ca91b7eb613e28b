/** Machine types of boards and lab guests, in the words of those who name them: Debian, GNU, ELF. */

/** Debian's names. */
export type Architecture = "amd64" | "arm64" | "mipsel";

export interface Machine {
  readonly architecture: Architecture;
  /** GNU's name: of the compiler, and of the folders that Debian keeps libraries in. */
  readonly triplet: "x86_64-linux-gnu" | "aarch64-linux-gnu" | "mipsel-linux-gnu";
  /** ELF e_machine; a file for another one is refused. */
  readonly elfMachine: number;
  /** Where the dynamic linker looks, in order. */
  readonly libraryFolders: readonly string[];
  /** The kernel's package; a meta package stands for the newest. */
  readonly kernelPackage: string;
  /** False when Debian's security archive does not serve this machine: fixes come with point releases, or never. */
  readonly hasSecurityUpdates: boolean;
}

/** 64-bit PCs. */
export const AMD64: Machine = {
  architecture: "amd64",
  triplet: "x86_64-linux-gnu",
  elfMachine: 62,
  libraryFolders: ["/usr/lib/x86_64-linux-gnu", "/usr/lib"],
  kernelPackage: "linux-image-amd64",
  hasSecurityUpdates: true,
};

/** 64-bit ARM. */
export const ARM64: Machine = {
  architecture: "arm64",
  triplet: "aarch64-linux-gnu",
  elfMachine: 183,
  libraryFolders: ["/usr/lib/aarch64-linux-gnu", "/usr/lib"],
  kernelPackage: "linux-image-arm64",
  hasSecurityUpdates: true,
};

/** 32-bit MIPS, little endian, release 2, o32. Its kernel is for MIPS' Malta board, which QEMU emulates. */
export const MIPSEL: Machine = {
  architecture: "mipsel",
  triplet: "mipsel-linux-gnu",
  elfMachine: 8,
  libraryFolders: ["/usr/lib/mipsel-linux-gnu", "/usr/lib"],
  kernelPackage: "linux-image-4kc-malta",
  hasSecurityUpdates: false,
};

export const MACHINES: readonly Machine[] = [AMD64, ARM64, MIPSEL];
