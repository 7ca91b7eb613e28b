/** What a board with `legacyImages` gets for U-Boot, started by a real one: Debian's, of the package u-boot-qemu. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { buildImage } from "../../image/build.ts";
import { FIXTURE_APP, scratchFolder } from "../image/fixture.ts";
import { QemuConsole } from "../support/qemu-console.ts";

const UBOOT = "/usr/lib/u-boot/maltael/u-boot.bin";
const FLASH_BYTES = 4 << 20;
const HEADER_BYTES = 64;
/** Where the files lie in memory, as U-Boot sees it; the ramdisk's payload must begin on a page for the kernel. */
const KERNEL_AT = 0x88000000;
const RAMDISK_AT = 0x8a000000 - HEADER_BYTES;
const PROMPT = /maltael # /;

const folder = scratchFolder();
let machine: QemuConsole | undefined;
after(() => machine?.kill());

/** QEMU swaps the words of malta's flash, because it holds them as the processor of the other byte order reads them. */
function flashWith(code: Buffer): string {
  const flash = Buffer.alloc(FLASH_BYTES, 0xff);
  code.copy(flash);
  const file = join(folder, "flash");
  writeFileSync(file, flash.swap32());
  return file;
}

function inMemory(file: string, at: number): readonly string[] {
  return ["-device", `loader,file=${file},addr=0x${(at & 0x1fffffff).toString(16)},force-raw=on`];
}

test("mipsel's legacy images start under U-Boot: bootm takes the kernel, and it finds its initramfs", async () => {
  const image = await buildImage({
    ...{ board: "mipsel", locked: false, onProgress: () => undefined },
    ...{ app: FIXTURE_APP, folder: join(folder, "image") },
  });
  const [kernel, ramdisk] = ["uImage", "uInitrd"].map((name) => join(dirname(image.initrd), name)) as [string, string];
  machine = new QemuConsole("qemu-system-mipsel", [
    ...["-accel", "tcg", "-cpu", "34Kf", "-M", "malta", "-m", "256", "-no-reboot"],
    ...["-drive", `if=pflash,format=raw,file=${flashWith(readFileSync(UBOOT))}`],
    ...[...inMemory(kernel, KERNEL_AT), ...inMemory(ramdisk, RAMDISK_AT)],
  ]);
  const command = async (line: string, expected: RegExp): Promise<void> => {
    const from = machine?.seen.length;
    machine?.type(line);
    await machine?.expect(expected, from);
  };
  await machine.expect(PROMPT);
  // This U-Boot tells memory in MiB and the ramdisk by other words than this kernel reads.
  const bytes = readFileSync(ramdisk).length - HEADER_BYTES;
  const told = `memsize=256M rd_start=0x${(RAMDISK_AT + HEADER_BYTES).toString(16)} rd_size=${bytes}`;
  await command(`setenv bootargs ${image.board.commandLine} ${told}`, PROMPT);
  await command(`iminfo ${RAMDISK_AT.toString(16)}`, /MIPS Linux RAMDisk Image[\s\S]*Verifying Checksum \.\.\. OK/);
  await command(`bootm ${KERNEL_AT.toString(16)}`, /MIPS Linux Kernel Image[\s\S]*Verifying Checksum \.\.\. OK/);
  await machine.expect(/culvert: no disk with the serial number culvert-root: cannot start/);
  assert.doesNotMatch(machine.seen, /Initrd not found|initrd extraction failed/);
  machine.kill();
});
