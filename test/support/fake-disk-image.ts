/** A flashable disk with our GRUB and fake kernels, for tests of what a boot loader does with a boot state. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  type BootState,
  emitEnvironment,
  emitStatePartition,
  type SlotName,
} from "../../appliance/update/boot-state.ts";
import { TRAILER_BYTES } from "../../appliance/update/image-format.ts";
import { type DiskContents, makeDisk, writeDisk } from "../../image/disk.ts";
import { BIOS_BOOT_SECTOR, diskLayout, extentOf } from "../../image/disk-layout.ts";
import { makeGrub } from "../../image/grub.ts";
import type { LockedTools } from "../../image/locked-tool.ts";
import { AMD64 } from "../../image/machines.ts";
import { packSquashfs } from "../../image/pack.ts";
import { PackageFiles } from "../../image/package-files.ts";
import { prepare } from "../../image/prepare.ts";
import { projectRoot } from "../../image/project.ts";
import { Tree } from "../../image/tree.ts";
import { fakeKernel } from "./fake-kernel.ts";

const BOARD = "x86_64";
const EPOCH = Date.UTC(2026, 0, 2) / 1000;
const XZ = { name: "xz", blockSize: "256K", options: [] } as const;

export interface FakeDisk {
  readonly file: string;
  /** Writes a boot state as the device does: environment, records, and the copy of the environment. */
  store(state: BootState): void;
  /** Where the boot loader's environment lies, in bytes from the disk's beginning, and where the state partition does. */
  readonly environmentAt: number;
  readonly stateAt: number;
  put(offset: number, bytes: Buffer): void;
  breakSlot(slot: SlotName): void;
  mendSlot(slot: SlotName): void;
  environment(): Buffer;
}

/** GRUB for BIOS with our grub.cfg. */
export async function biosGrub(tools: LockedTools): Promise<NonNullable<DiskContents["grub"]>> {
  const names = ["grub-pc-bin"];
  const { packages } = await prepare({ architecture: AMD64.architecture, names, locked: false }, () => {});
  const files = new PackageFiles(packages.map((each) => each.folder));
  const grub = await makeGrub([{ name: "i386-pc", package: "grub-pc-bin" }], files, tools, BIOS_BOOT_SECTOR);
  const words = "command_line='console=ttyS0'\nhas_serial=yes\n";
  return { ...grub, config: words + readFileSync(join(projectRoot, "image/boot/grub.cfg"), "utf8") };
}

/** Both slots hold the same fake kernel; what it prints tells which one was meant. */
export async function fakeDisk(
  folder: string,
  tools: Pick<LockedTools, "run">,
  grub: DiskContents["grub"],
): Promise<FakeDisk> {
  const tree = new Tree();
  tree.file("/boot/vmlinuz", fakeKernel());
  tree.file("/boot/initrd.img", "initramfs");
  tree.file("/boot/command-line", "console=ttyS0\n");
  const squashfs = join(folder, "fake.sqfs");
  await packSquashfs(tree, EPOCH, XZ, tools, squashfs);
  const payload = readFileSync(squashfs);
  const slot = { payload, trailer: Buffer.alloc(TRAILER_BYTES) };
  const disk = makeDisk({ board: BOARD, epoch: EPOCH, grub, slot, rollbackIndex: 1 });
  const file = join(folder, "fake.img");
  await writeDisk(disk, file);

  const layout = diskLayout(BOARD);
  const slotAt = { a: extentOf(layout, "slot-a").offset, b: extentOf(layout, "slot-b").offset };
  const stateAt = extentOf(layout, "culvert-state").offset;
  const boot = extentOf(layout, "BOOT");
  const environmentAt =
    boot.offset +
    readFileSync(file)
      .subarray(boot.offset, boot.offset + boot.size)
      .indexOf("# GRUB Env");
  const put = (offset: number, bytes: Buffer): void => {
    const handle = openSync(file, "r+");
    writeSync(handle, bytes, 0, bytes.length, offset);
    closeSync(handle);
  };
  put(slotAt.b, payload);
  return {
    file,
    breakSlot: (name) => put(slotAt[name], Buffer.alloc(payload.length)),
    mendSlot: (name) => put(slotAt[name], payload),
    stateAt,
    environmentAt,
    put,
    store: (state) => {
      put(environmentAt, emitEnvironment(state));
      put(stateAt, emitStatePartition(state));
    },
    environment: () => readFileSync(file).subarray(environmentAt, environmentAt + 1024),
  };
}
