/** What a board is: data about a machine, no behaviour. One file per board lies beside this one. */

/** A machine type in the words of those who name it: Debian, ELF. */
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

/** How the root file system is compressed: mksquashfs's words. */
export interface RootCompression {
  readonly name: "xz" | "zstd" | "gzip";
  /** Such as `128K`. */
  readonly blockSize: string;
  /** The compressor's own options, such as `["-Xbcj", "x86"]`. */
  readonly options: readonly string[];
}

export interface Board {
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  readonly machine: Machine;
  /** Debian packages that files are taken from, besides the kernel. */
  readonly packages: readonly string[];
  /** Programs in the image; their libraries follow by themselves. */
  readonly executables: readonly string[];
  /** Other files taken from packages as they are. */
  readonly files: readonly string[];
  /** Modules that the initramfs loads to find and mount the root. */
  readonly bootModules: readonly string[];
  /** Modules that the system loads after that. */
  readonly systemModules: readonly string[];
  /** Modules that lie ready for modprobe: the kernel or a program asks for them when they are needed. */
  readonly spareModules: readonly string[];
  readonly compression: RootCompression;
  /** The kernel's command line. */
  readonly commandLine: string;
}
