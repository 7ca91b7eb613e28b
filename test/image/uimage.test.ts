/** Legacy images for U-Boot, judged by U-Boot's own dumpimage. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { loadImage } from "../../image/elf.ts";
import { emitUImage, kernelUImage, ramdiskUImage } from "../../image/uimage.ts";
import { scratchFolder } from "./fixture.ts";

const folder = scratchFolder();
const EPOCH = 1_764_028_800;

/** An ELF file for MIPS with two parts, linked for 0x80100000 and 0x80100010, that starts at 0x80100004. */
function kernel(): Buffer {
  const file = Buffer.alloc(52 + 2 * 32 + 12);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(file);
  file.writeUInt16LE(8, 18);
  file.writeUInt32LE(0x80100004, 24);
  file.writeUInt32LE(52, 28);
  file.writeUInt16LE(32, 42);
  file.writeUInt16LE(2, 44);
  for (const [index, address, offset, size] of [
    [0, 0x80100000, 116, 8],
    [1, 0x80100010, 124, 4],
  ] as const)
    for (const [at, word] of [1, offset, address, address, size].entries())
      file.writeUInt32LE(word, 52 + 32 * index + 4 * at);
  Buffer.from("codecodedata").copy(file, 116);
  return file;
}

function listed(image: Buffer): string {
  const path = join(folder, "image");
  writeFileSync(path, image);
  return execFileSync("dumpimage", ["-l", path], { env: { ...process.env, TZ: "UTC", LC_ALL: "C" } }).toString();
}

test("a kernel lies in memory as it was linked, and U-Boot reads where", () => {
  const image = kernelUImage(kernel(), "mipsel", "Culvert 0.1.0", EPOCH);
  const said = listed(image);
  assert.match(said, /Image Name: +Culvert 0\.1\.0/);
  assert.match(said, /Created: +Tue Nov 25 00:00:00 2025/);
  assert.match(said, /Image Type: +MIPS Linux Kernel Image \(gzip compressed\)/);
  assert.match(said, /Load Address: +80100000/);
  assert.match(said, /Entry Point: +80100004/);
  const memory = Buffer.concat([Buffer.from("codecode"), Buffer.alloc(8), Buffer.from("data")]);
  assert.deepEqual(gunzipSync(image.subarray(64)), memory);
});

test("what U-Boot takes out of a ramdisk is what went in", () => {
  const initramfs = Buffer.from("an initramfs, compressed already");
  const image = ramdiskUImage(initramfs, "mipsel", "Culvert initramfs", EPOCH);
  assert.match(listed(image), /MIPS Linux RAMDisk Image \(uncompressed\)/);
  const out = join(folder, "out");
  execFileSync("dumpimage", ["-T", "ramdisk", "-p", "0", "-o", out, join(folder, "image")], { stdio: "ignore" });
  assert.deepEqual(readFileSync(out), initramfs);
  // The checksums hold: one bit elsewhere and U-Boot knows no image.
  for (const at of [9, 70]) {
    const broken = Buffer.from(image);
    broken[at] = (broken[at] ?? 0) ^ 1;
    assert.doesNotMatch(listed(broken), /RAMDisk Image/, `byte ${at}`);
  }
});

test("what the format cannot say is refused", () => {
  const payload = Buffer.alloc(4);
  const parts = { type: "ramdisk", compression: "none", epoch: 0, loadAddress: 0, entryAddress: 0, payload } as const;
  assert.throws(() => emitUImage({ ...parts, architecture: "m68k", name: "x" }), /no machine m68k/);
  assert.throws(
    () => emitUImage({ ...parts, architecture: "mipsel", name: "x".repeat(33) }),
    /longer than the 32 bytes/,
  );
  assert.throws(() => loadImage(Buffer.from("#!/bin/sh"), "a script"), /a script is not an ELF file/);
  assert.throws(() => loadImage(kernel().subarray(0, 120), "half"), /half is a damaged ELF file/);
});
