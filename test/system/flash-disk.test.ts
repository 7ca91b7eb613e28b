import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { projectRoot } from "../support/native.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-loop-"));
const loops: string[] = [];
after(() => {
  for (const loop of loops) spawnSync("losetup", ["-d", loop]);
  rmSync(folder, { recursive: true, force: true });
});

/** Undefined where the kernel gives no loop devices, such as in most containers. */
function loopDisk(name: string, bytes: number): string | undefined {
  const file = join(folder, name);
  writeFileSync(file, Buffer.alloc(bytes, 0xee));
  const made = spawnSync("losetup", ["--find", "--show", file], { encoding: "utf8" });
  if (made.status !== 0) return undefined;
  loops.push(made.stdout.trim());
  return made.stdout.trim();
}

function culvert(args: readonly string[], input = ""): { status: number | null; said: string } {
  const done = spawnSync(process.execPath, [join(projectRoot(), "dist/hil/cli.js"), "flash", ...args], {
    input,
    encoding: "utf8",
  });
  return { status: done.status, said: done.stdout + done.stderr };
}

const IMAGE = join(folder, "x.img");
writeFileSync(IMAGE, Buffer.alloc(9 << 20, 0x5a));
const table = readFileSync(IMAGE);
table.write("EFI PART", 512, "latin1");
writeFileSync(IMAGE, table);

test("an image goes onto a real block device, asks first, is read back, and an old table at the end is gone", (t) => {
  const disk = loopDisk("card", 16 << 20);
  if (disk === undefined) return t.skip("no loop devices here");
  const unsure = culvert([IMAGE, "--disk", disk], "no\n");
  assert.equal(unsure.status, 1);
  assert.match(unsure.said, /loop device on .*card, 16\.8 MB\nEverything on it is lost\. .*Nothing was written\./s);
  assert.ok(readFileSync(join(folder, "card")).every((byte) => byte === 0xee));
  const done = culvert([IMAGE, "--disk", disk], "yes\n");
  assert.equal(done.status, 0, done.said);
  assert.match(done.said, /read back and right \(SHA-256 [0-9a-f]{64}\)\n/);
  assert.match(done.said, /writing: 9\.4 MB in .*\nreading back: 9\.4 MB in /);
  const card = readFileSync(join(folder, "card"));
  assert.ok(card.subarray(0, table.length).equals(table));
  assert.ok(card.subarray(-34 * 512).every((byte) => byte === 0));
});

test("a disk that is mounted is refused, and nothing is written to it", (t) => {
  const disk = loopDisk("mounted", 16 << 20);
  if (disk === undefined) return t.skip("no loop devices here");
  execFileSync("mke2fs", ["-q", "-F", disk]);
  const place = join(folder, "place");
  mkdirSync(place);
  if (spawnSync("mount", [disk, place]).status !== 0) return t.skip("nothing can be mounted here");
  try {
    const { status, said } = culvert([IMAGE, "--disk", disk, "--yes"]);
    assert.equal(status, 1);
    assert.match(said, /^culvert: \/dev\/loop\d+ is in use \(loop\d+ is mounted on .*place\): unmount it first\n$/);
  } finally {
    execFileSync("umount", [place]);
  }
});

test("a disk that is too small is refused before a byte is written", (t) => {
  const disk = loopDisk("small", 1 << 20);
  if (disk === undefined) return t.skip("no loop devices here");
  const { status, said } = culvert([IMAGE, "--disk", disk, "--yes"]);
  assert.equal(status, 1);
  assert.match(said, /has 1048576 bytes, and the image has 9437184/);
  assert.ok(readFileSync(join(folder, "small")).every((byte) => byte === 0xee));
});

test("a disk that loses what is written to it is found out", (t) => {
  const disk = loopDisk("lying", 16 << 20);
  if (disk === undefined) return t.skip("no loop devices here");
  // A card that claims more than it has: what is written beyond its end is gone.
  truncateSync(join(folder, "lying"), 4 << 20);
  const { status, said } = culvert([IMAGE, "--disk", disk, "--yes"]);
  assert.equal(status, 1, said);
  assert.match(said, /culvert: .*(?:does not hold what was written|failed|cannot be read)/);
});
