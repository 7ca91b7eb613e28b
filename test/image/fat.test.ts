/** The FAT16 writer, judged by fsck.fat and mtools. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { emitFat, type FatFile } from "../../image/fat.ts";
import { scratchFolder } from "./fixture.ts";

const folder = scratchFolder();
const SIZE = 32 * 1024 * 1024;
const OPTIONS = { size: SIZE, label: "BOOT", serial: 0x1234abcd, epoch: Date.UTC(2026, 10, 25, 15, 6, 18) / 1000 };
const ENV = { ...process.env, TZ: "UTC", PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };

const FILES: readonly FatFile[] = [
  { path: "grub/grubenv", data: Buffer.alloc(1024, "#") },
  { path: "grub/grub.cfg", data: Buffer.from("menu") },
  { path: "EFI/BOOT/BOOTX64.EFI", data: Buffer.alloc(800_001, "x") },
  { path: "EFI/BOOT/EMPTY", data: Buffer.alloc(0) },
];

function image(name: string, files: readonly FatFile[] = FILES): string {
  const file = join(folder, name);
  const bytes = emitFat(files, OPTIONS);
  writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(SIZE - bytes.length)]));
  return file;
}

function tool(program: string, ...args: readonly string[]): Buffer {
  return execFileSync(program, args, { env: ENV });
}

describe("FAT16", () => {
  test("fsck.fat finds nothing to repair, mtools reads names, dates and contents", () => {
    const file = image("plain");
    assert.match(tool("fsck.fat", "-n", "-v", file).toString(), /FATs, 16 bit entries[\s\S]*8 files/);
    const listing = tool("mdir", "-i", file, "::/grub").toString();
    assert.match(listing, /Volume in drive : is BOOT\s*\n Volume Serial Number is 1234-ABCD/);
    assert.match(listing, /\ngrubenv +1024 2026-11-25 {2}15:06/);
    assert.match(tool("mdir", "-i", file, "::/EFI/BOOT").toString(), /\nBOOTX64 +EFI +800001 /);
    for (const { path, data } of FILES) assert.deepEqual(tool("mtype", "-i", file, `::/${path}`), data, path);
  });

  test("a file lies in one piece, as whoever overwrites it in place must be able to rely on", () => {
    for (const { path, data } of FILES.filter((each) => each.data.length > 0)) {
      const shown = tool("mshowfat", "-i", image("runs"), `::/${path}`).toString();
      assert.match(shown, data.length > 2048 ? /<\d+-\d+>\s*$/ : /<\d+>\s*$/, path);
    }
  });

  test("a folder with more entries than a cluster holds", () => {
    const files = Array.from({ length: 200 }, (_, index) => ({
      path: `many/f${index}.txt`,
      data: Buffer.from(`${index}`),
    }));
    const file = image("many", files);
    tool("fsck.fat", "-n", file);
    assert.equal(tool("mtype", "-i", file, "::/many/f199.txt").toString(), "199");
  });

  test("what does not fit is refused with its reason", () => {
    const one = (path: string, size = 1): FatFile[] => [{ path, data: Buffer.alloc(size) }];
    assert.throws(() => emitFat(one("long-name.conf"), OPTIONS), /"long-name.conf" is no name of 8 and 3 characters/);
    assert.throws(() => emitFat(one("Mixed"), OPTIONS), /"Mixed" is of both cases/);
    assert.throws(() => emitFat(one("big", SIZE), OPTIONS), /need more than its \d+ clusters of 2048 bytes/);
    assert.throws(() => emitFat(FILES, { ...OPTIONS, size: 4 << 20 }), /cannot be FAT16: it would have \d+ clusters/);
  });
});
