/** A machine as a value, and the QEMU command line that is it. Every flag that cost time to find says so. */

export type Accelerator = "kvm" | "tcg";

export interface NicSpec {
  /** Unix stream socket of the fabric; at most 107 bytes long. */
  readonly socketPath: string;
  readonly mac: string;
}

export interface DiskSpec {
  readonly path: string;
  /** The guest finds the disk as /dev/disk/by-id/virtio-SERIAL; at most 20 bytes. */
  readonly serial: string;
  readonly readOnly: boolean;
}

export interface MachineSpec {
  readonly name: string;
  readonly memoryMib: number;
  readonly kernel: string;
  readonly initrd: string;
  /** The kernel's command line. */
  readonly append: string;
  readonly disks: readonly DiskSpec[];
  readonly nics: readonly NicSpec[];
  /** What a restart of the guest does: a device starts again, a disposable guest is over. */
  readonly restarts: boolean;
}

/** Unix sockets that QEMU connects to, and the file that keeps the raw console even if this process dies. */
export interface MachineSockets {
  readonly serial: string;
  readonly monitor: string;
  readonly consoleLog: string;
}

/** The arguments of qemu-system-x86_64 (QEMU 7.2 or later). */
export function qemuArguments(spec: MachineSpec, sockets: MachineSockets, accelerator: Accelerator): string[] {
  return [
    ...["-name", spec.name],
    ...["-accel", accelerator === "kvm" ? "kvm" : "tcg,tb-size=256"],
    ...["-cpu", accelerator === "kvm" ? "host" : "max"],
    ...["-machine", "q35", "-smp", "1", "-m", `${spec.memoryMib}M`],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...(spec.restarts ? [] : ["-no-reboot"]),
    "-S", // stopped until the console is connected, so that its first byte is never lost
    ...["-kernel", spec.kernel, "-initrd", spec.initrd, "-append", spec.append],
    ...["-chardev", `socket,id=serial0,path=${sockets.serial},logfile=${sockets.consoleLog}`],
    ...["-serial", "chardev:serial0"],
    ...["-qmp", `unix:${sockets.monitor}`],
    ...["-device", "virtio-rng-pci"], // without it a guest's first random bytes take seconds
    ...spec.disks.flatMap((disk, index) => [
      "-drive",
      `if=none,id=disk${index},file=${disk.path},format=raw,readonly=${disk.readOnly ? "on" : "off"}`,
      "-device",
      `virtio-blk-pci,drive=disk${index},serial=${disk.serial}`,
    ]),
    ...spec.nics.flatMap((nic, index) => [
      "-netdev",
      `stream,id=nic${index},server=off,addr.type=unix,addr.path=${nic.socketPath}`,
      "-device",
      // romfile= saves five seconds of network boot ROM per NIC
      `virtio-net-pci,netdev=nic${index},mac=${nic.mac},romfile=`,
    ]),
  ];
}
