/** An image with the fixture app in QEMU, its kernel started directly, and its serial console. */
import { after } from "node:test";
import type { BuiltImage } from "../../image/build.ts";
import { QemuConsole } from "../support/qemu-console.ts";

export const UP = /fixture app is up, the addon says 42\r?\n/;

const anywhere = (): string => "";
const EMULATION = {
  amd64: { program: "qemu-system-x86_64", words: ["-cpu", "max", "-M", "q35", "-m", "512"], place: anywhere },
  arm64: { program: "qemu-system-aarch64", words: ["-cpu", "cortex-a53", "-M", "virt", "-m", "512"], place: anywhere },
  // Malta has interrupts for the slots 12 to 15 only.
  mipsel: {
    program: "qemu-system-mipsel",
    words: ["-cpu", "34Kf", "-M", "malta", "-m", "256"],
    place: (index: number) => `,addr=${12 + index}`,
  },
} as const;

const running: QemuConsole[] = [];
after(() => {
  for (const machine of running) machine.kill();
});

/** `devices` are more words for QEMU, such as `["-device", "e1000e"]`. */
export function bootImage(
  image: BuiltImage,
  dataDisk: string | undefined,
  devices: readonly string[] = [],
): QemuConsole {
  const disks = [
    ["culvert-root", image.root, "on"] as const,
    ...(dataDisk ? [["culvert-data", dataDisk, "off"] as const] : []),
  ];
  const { program, words, place } = EMULATION[image.board.machine.architecture];
  const machine = new QemuConsole(program, [
    ...["-accel", "tcg", ...words, "-no-reboot"],
    ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", image.board.commandLine],
    ...disks.flatMap(([serial, file, readOnly], index) => [
      ...["-drive", `if=none,id=${serial},file=${file},format=raw,readonly=${readOnly}`],
      ...["-device", `virtio-blk-pci,drive=${serial},serial=${serial}${place(index)}`],
    ]),
    ...devices,
  ]);
  running.push(machine);
  return machine;
}
