/** A machine as a value, and the QEMU command line that is it. Every flag that cost time to find says so. */

import { extname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Architecture } from "../../../image/machines.ts";
import { type Firmware, firmwareArguments } from "./firmware.ts";

export type Accelerator = "kvm" | "tcg";

export type NicSpec = { readonly mac: string } & NicWire;

/** What is at the other end of the cable. */
type NicWire =
  /** A Unix stream socket of the fabric; at most 107 bytes long. */
  | { readonly socketPath: string }
  /** QEMU's user network, with these options of it: an IP router in QEMU itself. */
  | { readonly user: readonly string[] }
  /** A TAP interface of this name, which QEMU makes and which goes with it. */
  | { readonly tap: string };

export interface DiskSpec {
  readonly path: string;
  /** The guest finds the disk as /dev/disk/by-id/virtio-SERIAL; at most 20 bytes. */
  readonly serial: string;
  readonly readOnly: boolean;
  /** An empty file that gets every write in the order in which the disk completes it (QEMU's blklogwrites). */
  readonly writeLog?: string;
}

/** A machine whose kernel QEMU itself loads. */
interface DirectBoot {
  /** Unless given, amd64. */
  readonly architecture?: Architecture;
  readonly kernel: string;
  readonly initrd: string;
  /** The kernel's command line. */
  readonly append: string;
}

/** A machine that starts at its firmware, as a board does, and goes on from its first disk. */
interface FirmwareBoot {
  /** Unless given, amd64. */
  readonly architecture?: Architecture;
  readonly firmware: Firmware;
}

export type MachineSpec = MachineParts & (DirectBoot | FirmwareBoot);

interface MachineParts {
  readonly name: string;
  readonly memoryMib: number;
  readonly disks: readonly DiskSpec[];
  readonly nics: readonly NicSpec[];
  /** What a restart of the guest does: a device starts again, a disposable guest is over. */
  readonly restarts: boolean;
  /** A hardware watchdog, Intel's 6300ESB, that resets the machine. */
  readonly watchdog?: boolean;
  /** Its clock is the count of its instructions, 1 ns each: what else the host does cannot be seen in it. Emulated only. */
  readonly countsInstructions?: boolean;
  /** A second serial line beside the console. */
  readonly secondLine?: boolean;
}

/**
 * Where the guest's memory is:
 * - `fresh`: nowhere but in this machine, which can be saved;
 * - `copy`: a file of this run's own, with the memory of a saved machine; it can be saved again;
 * - `borrowed`: the file of the saved machine itself. Its pages are read when they are touched and never written to, so a
 *   restored machine starts at once, however much memory it has. It cannot be saved again.
 */
export type GuestMemory =
  | { readonly kind: "fresh" }
  | { readonly kind: "copy"; readonly file: string }
  | { readonly kind: "borrowed"; readonly file: string };

/** Unix sockets that QEMU connects to, and the file that keeps the raw console even if this process dies. */
export interface MachineSockets {
  readonly serial: string;
  readonly monitor: string;
  readonly consoleLog: string;
  /** Of the second serial line, if there is one. */
  readonly second?: string | undefined;
}

const BOOT_ROM = fileURLToPath(new URL(`./boot-rom${extname(import.meta.url)}`, import.meta.url));

/** Where QEMU's end of a socket is that the boot ROM relays. */
function innerSocket(path: string): string {
  return `${path}.rom`;
}

/** What plays an architecture. */
interface Emulation {
  readonly program: string;
  /** QEMU's -machine. */
  readonly board: string;
  /** QEMU's -cpu when it is emulated. */
  readonly processor: string;
  /** Where the devices go that plug into PCI; undefined leaves it to QEMU. */
  readonly place?: (index: number) => string;
}

const EMULATION: Readonly<Record<Architecture, Emulation>> = {
  amd64: { program: "qemu-system-x86_64", board: "q35", processor: "max" },
  arm64: { program: "qemu-system-aarch64", board: "virt", processor: "cortex-a53" },
  // Node takes six times as long on the default 24Kf, which has a quarter of the 34Kf's TLB entries.
  mipsel: { program: "qemu-system-mipsel", board: "malta", processor: "34Kf", place: maltaSlot },
};

/** Linux knows interrupts for four of Malta's slots only (arch/mips/pci/fixup-malta.c): a fifth device shares the first one's. */
function maltaSlot(index: number): string {
  return `,addr=${(0x12 + (index % 4)).toString(16)}.${Math.floor(index / 4)},multifunction=on`;
}

/** The process that is this machine: QEMU, or the boot ROM that starts one QEMU after the other. */
export function machineCommand(
  spec: MachineSpec,
  sockets: MachineSockets,
  accelerator: Accelerator,
  memory: GuestMemory,
): { readonly program: string; readonly args: readonly string[] } {
  const { program } = emulationOf(spec);
  if (!("firmware" in spec) || spec.firmware !== "rom") {
    return { program, args: qemuArguments(spec, sockets, accelerator, memory) };
  }
  const inner = { ...sockets, serial: innerSocket(sockets.serial), monitor: innerSocket(sockets.monitor) };
  const [disk] = spec.disks;
  const own = [BOOT_ROM, disk?.path ?? "", sockets.serial, sockets.monitor, spec.restarts ? "restarts" : "once"];
  return { program: process.execPath, args: [...own, program, ...qemuArguments(spec, inner, accelerator, memory)] };
}

function emulationOf({ architecture = "amd64" }: Pick<MachineSpec, "architecture">): Emulation {
  return EMULATION[architecture];
}

/** QEMU's arguments (7.2 or later). */
export function qemuArguments(
  spec: MachineSpec,
  sockets: MachineSockets,
  accelerator: Accelerator,
  memory: GuestMemory = { kind: "fresh" },
): string[] {
  const { place = () => "" } = emulationOf(spec);
  // What a router cannot do without comes first: the last devices share an interrupt where there are too few.
  const devices: readonly (readonly [device: string, ...backend: string[]])[] = [
    ...spec.nics.map(
      (nic, index) =>
        [
          // romfile= saves five seconds of network boot ROM per NIC
          `virtio-net-pci,netdev=nic${index},mac=${nic.mac},romfile=`,
          ...["-netdev", netdev(nic, `nic${index}`)],
        ] as const,
    ),
    ...spec.disks.map(
      (disk, index) =>
        [`virtio-blk-pci,drive=disk${index},serial=${disk.serial}`, ...diskBackend(disk, `disk${index}`)] as const,
    ),
    ["virtio-rng-pci"], // without it a guest's first random bytes take seconds
    ...(spec.watchdog ? ([["i6300esb"]] as const) : []),
  ];
  return [
    ...["-name", spec.name],
    ...processorArguments(spec, accelerator),
    ...["-object", memoryBackend(spec.memoryMib, memory)],
    ...["-smp", "1", "-m", `${spec.memoryMib}M`],
    ...(memory.kind !== "fresh" ? ["-incoming", "defer"] : []),
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...(spec.restarts ? [] : ["-no-reboot"]),
    "-S", // stopped until the console is connected, so that its first byte is never lost
    ...("firmware" in spec
      ? firmwareArguments(spec.architecture ?? "amd64", spec.firmware)
      : ["-kernel", spec.kernel, "-initrd", spec.initrd, "-append", spec.append]),
    ...["-chardev", `socket,id=serial0,path=${sockets.serial},logfile=${sockets.consoleLog},logappend=on`],
    ...["-serial", "chardev:serial0"],
    ...(sockets.second === undefined
      ? []
      : ["-chardev", `socket,id=serial1,path=${sockets.second}`, "-serial", "chardev:serial1"]),
    ...["-qmp", `unix:${sockets.monitor}`],
    ...devices.flatMap(([device, ...backend], index) => [...backend, "-device", `${device}${place(index)}`]),
  ];
}

function diskBackend({ path, readOnly, writeLog }: DiskSpec, id: string): string[] {
  if (writeLog === undefined)
    return ["-drive", `if=none,id=${id},file=${path},format=raw,readonly=${readOnly ? "on" : "off"}`];
  const file = (filename: string) => ({ driver: "file", filename });
  return [
    "-blockdev",
    JSON.stringify({ driver: "blklogwrites", "node-name": id, file: file(path), log: file(writeLog) }),
  ];
}

function netdev(nic: NicSpec, id: string): string {
  if ("socketPath" in nic) return `stream,id=${id},server=off,addr.type=unix,addr.path=${nic.socketPath}`;
  if ("tap" in nic) return `tap,id=${id},ifname=${nic.tap},script=no,downscript=no`;
  return ["user", `id=${id}`, ...nic.user].join(",");
}

function processorArguments(spec: MachineSpec, accelerator: Accelerator): string[] {
  const { board, processor } = emulationOf(spec);
  // The race for the accelerator is run with a PC.
  const usesKvm = accelerator === "kvm" && (spec.architecture ?? "amd64") === "amd64";
  return [
    ...["-accel", usesKvm ? "kvm" : "tcg,tb-size=256"],
    ...["-cpu", usesKvm ? "host" : processor],
    ...["-machine", `${board},memory-backend=ram`],
    // The chip set's watchdog bites, as a PC's does; QEMU leaves it without teeth unless told.
    ...(board === "q35" ? ["-global", "ICH9-LPC.noreboot=off"] : []),
    ...(spec.countsInstructions ? ["-icount", "shift=0,sleep=off"] : []),
  ];
}

function memoryBackend(memoryMib: number, memory: GuestMemory): string {
  const size = `id=ram,size=${memoryMib}M`;
  if (memory.kind === "fresh") return `memory-backend-memfd,${size},share=on`;
  return `memory-backend-file,${size},mem-path=${memory.file},share=${memory.kind === "copy" ? "on" : "off"}`;
}
