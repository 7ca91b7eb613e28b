/** What a board is: data about a machine, no behaviour. One file per board lies beside this one. */

/** A machine type in the words of those who name it: Debian, GNU, ELF. */
export interface Machine {
  /** Debian's name, such as `amd64`. */
  readonly architecture: string;
  /** ELF e_machine; a file for another one is refused. */
  readonly elfMachine: number;
  /** Where the dynamic linker looks, in order. */
  readonly libraryFolders: readonly string[];
  /** The kernel's package; a meta package stands for the newest. */
  readonly kernelPackage: string;
}

export const AMD64: Machine = {
  architecture: "amd64",
  elfMachine: 62,
  libraryFolders: ["/usr/lib/x86_64-linux-gnu", "/usr/lib"],
  kernelPackage: "linux-image-amd64",
};
