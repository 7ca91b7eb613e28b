/** Two images side by side: equal or not, where the first difference is, and what grew. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareImages, differenceLines, growthLines } from "../../image/compare.ts";
import { CONTENTS_NAME, type ContentsFile } from "../../image/contents.ts";
import { scratchFolder, writeAt } from "./fixture.ts";

const FILES: readonly ContentsFile[] = [
  { name: "root/usr/bin/node", size: 100, sha256: "a", package: "nodejs" },
  { name: "root/usr/lib/modules/6.1/kernel/drivers/net/tun.ko", size: 50, sha256: "b", package: "linux-image" },
  { name: "root/usr/lib/culvert/culvert.cjs", size: 10, sha256: "c", package: undefined },
];

function image(slot: Buffer | string, files: readonly ContentsFile[] = FILES): string {
  const folder = scratchFolder();
  writeAt(`${folder}/slot.sqfs`, slot);
  writeAt(`${folder}/${CONTENTS_NAME}`, JSON.stringify(files));
  return folder;
}

describe("comparison of images", () => {
  test("equal ones are told equal", async () => {
    const comparison = await compareImages(image("slot"), image("slot"));
    assert.deepEqual(differenceLines(comparison), ["2 files the same, 0 different"]);
    assert.deepEqual(growthLines(comparison), ["      +0 B  unpacked, in all"]);
  });

  test("the first byte that differs is found, beyond the first piece too, and the end of a shorter file", async () => {
    const long = Buffer.alloc(3_000_000);
    const other = Buffer.from(long);
    other[2_500_001] = 1;
    const lines = differenceLines(await compareImages(image(long), image(other)));
    assert.deepEqual(lines, [
      "slot.sqfs: 3000000 bytes, the first difference at offset 2500001",
      "  all files inside are the same: they are packed, signed or described differently",
      "1 files the same, 1 different",
    ]);
    assert.match(
      differenceLines(await compareImages(image("ab"), image("abc")))[0] ?? "",
      /^slot\.sqfs: 2 bytes and 3 bytes, the first difference at offset 2$/,
    );
  });

  test("files inside are named with layer, package and sizes; growth is by package and module, largest first", async () => {
    const now = [
      { ...FILES[0], size: 2_000_100, sha256: "x" } as ContentsFile,
      { ...FILES[1], size: 20, sha256: "y" } as ContentsFile,
      { name: "initramfs/init", size: 7, sha256: "z", package: undefined },
    ];
    const comparison = await compareImages(image("a"), image("b", now));
    const lines = differenceLines(comparison).join("\n");
    assert.match(lines, /^ {2}in root: \/usr\/bin\/node \(nodejs\): 100 bytes and 2000100 bytes$/m);
    assert.match(lines, /^ {2}in root: \/usr\/lib\/culvert\/culvert\.cjs \(our own\): 10 bytes and missing$/m);
    assert.match(lines, /^ {2}in initramfs: \/init \(our own\): missing and 7 bytes$/m);
    assert.deepEqual(growthLines(comparison), [
      "   +2.0 MB  nodejs",
      "     -30 B  module tun",
      "     -10 B  our own root/usr/lib/culvert/culvert.cjs",
      "      +7 B  our own initramfs/init",
      "   +2.0 MB  unpacked, in all",
    ]);
  });

  test("a folder without an image is refused, a file on one side only is missing on the other", async () => {
    await assert.rejects(
      compareImages(scratchFolder(), image("x")),
      /holds no image with contents\.json: build it again/,
    );
    const more = image("x");
    writeAt(`${more}/extra`, "1");
    assert.match(differenceLines(await compareImages(image("x"), more))[0] ?? "", /^extra: missing and 1 bytes$/);
  });
});
