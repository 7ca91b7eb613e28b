/** What a board is: data about a machine, no behaviour. One file per board, `NAME.board.ts`, lies beside this one. */
import type { PortTable } from "../../appliance/update/port-table.ts";
import type { GrubPlatform } from "../grub.ts";
import type { Machine } from "../machines.ts";

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
  /** Drivers of disks: the initramfs loads those whose hardware it finds, when the disk is not there yet. */
  readonly storageModules: readonly string[];
  /** Modules that the system loads after that, whatever it finds. */
  readonly systemModules: readonly string[];
  /** Modules that the system loads when it finds their hardware. */
  readonly drivers: readonly string[];
  /** Modules that lie ready for modprobe: the kernel or a program asks for them when they are needed. */
  readonly spareModules: readonly string[];
  /** Of the root that QEMU boots directly: quick to pack and to read. */
  readonly compression: RootCompression;
  /** True when U-Boot's legacy images of kernel and initramfs are made too, for boot loaders too old for anything else. */
  readonly legacyImages: boolean;
  /** Its sockets, by the place of their network cards. */
  readonly ports: PortTable;
  /** Of a slot of the flashable disk. A boot loader reads it: GRUB's squash4 knows xz and no zstd. */
  readonly slotCompression: RootCompression;
  /** How firmware starts GRUB here; none for a board whose boot ROM starts the slot's kernel itself. */
  readonly loaders: readonly GrubPlatform[];
  /** The kernel's command line. */
  readonly commandLine: string;
}
