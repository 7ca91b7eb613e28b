import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { inspectDisk, type TargetDisk } from "../../hil/flash/target-disk.ts";

const root = mkdtempSync(join(tmpdir(), "culvert-target-"));
after(() => rmSync(root, { recursive: true, force: true }));
const sys = join(root, "sys");
const proc = join(root, "proc");

function file(path: string, text: string): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `${text}\n`);
}

interface FakeDisk {
  readonly at: string;
  readonly number: string;
  readonly partitions?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

/** A disk as sysfs has it: its folder with partitions in it, and links by number and by name. */
function addDisk({ at, number, partitions = {}, files = {} }: FakeDisk): void {
  const folder = join(sys, "devices", at);
  const link = (name: string, to: string, of: string): void => {
    mkdirSync(join(sys, "dev/block"), { recursive: true });
    mkdirSync(join(sys, "class/block"), { recursive: true });
    symlinkSync(to, join(sys, "dev/block", of));
    symlinkSync(to, join(sys, "class/block", name));
  };
  for (const [name, text] of Object.entries({ dev: number, ro: "0", removable: "0", size: "2048", ...files }))
    file(join(folder, name), text);
  link(at.split("/").at(-1) ?? "", folder, number);
  for (const [name, of] of Object.entries(partitions)) {
    file(join(folder, name, "dev"), of);
    file(join(folder, name, "partition"), "1");
    link(name, join(folder, name), of);
  }
}

const inspect = (number: string, path = "/dev/sdb"): TargetDisk => inspectDisk(path, number, { sys, proc });

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  file(join(proc, "self/mountinfo"), "22 27 0:21 / /proc rw - proc proc rw");
  file(join(proc, "swaps"), "Filename Type Size Used Priority");
  const files = { "device/vendor": "SanDisk ", "device/model": "Ultra", "device/serial": "4C53", removable: "1" };
  addDisk({ at: "pci0/usb2/2-1/block/sdb", number: "8:16", partitions: { sdb1: "8:17" }, files });
});

test("a stick in a USB port says what it is and how large", () => {
  const bytes = 2048 * 512;
  const what = "SanDisk Ultra, serial 4C53, USB";
  assert.deepEqual(inspect("8:16"), { path: "/dev/sdb", kind: "disk", bytes, what, isFixed: false });
});

test("a disk that is built in says so; a card in a slot is none", () => {
  addDisk({ at: "pci0/ata1/block/sda", number: "8:0", files: { "device/model": "Samsung SSD" } });
  assert.equal(inspect("8:0").isFixed, true);
  addDisk({ at: "soc/mmc_host/mmc0/mmc0:1/block/mmcblk0", number: "179:0", files: { "device/name": "SC16G" } });
  assert.deepEqual([inspect("179:0").what, inspect("179:0").isFixed], ["SC16G, card", false]);
});

test("what is mounted, swap, part of something that is mounted, a partition, write-protected or empty is refused", () => {
  assert.throws(
    () => inspect("8:17", "/dev/sdb1"),
    /\/dev\/sdb1 is a partition: an image goes onto the whole disk, \/dev\/sdb$/,
  );
  file(join(proc, "self/mountinfo"), "36 27 8:17 / /media/my\\040stick rw - vfat /dev/none rw");
  assert.throws(() => inspect("8:16"), /in use \(sdb1 is mounted on \/media\/my stick\): unmount it first/);
  file(join(proc, "self/mountinfo"), "36 27 8:17 / /boot/efi rw - vfat /dev/none rw");
  assert.throws(() => inspect("8:16"), /sdb1 is mounted on \/boot\/efi\): it is not the disk you mean/);
  file(join(proc, "self/mountinfo"), "");
  file(join(proc, "swaps"), "Filename Type Size Used Priority\n/dev/sdb1 partition 100 0 -2");
  assert.throws(() => inspect("8:16"), /sdb1 is swap space\): it is not the disk you mean/);
  file(join(proc, "swaps"), "");
  addDisk({ at: "virtual/block/dm-0", number: "254:0" });
  mkdirSync(join(sys, "devices/pci0/usb2/2-1/block/sdb/sdb1/holders/dm-0"), { recursive: true });
  file(join(proc, "self/mountinfo"), "36 27 254:0 / / rw - ext4 /dev/mapper/root rw");
  assert.throws(() => inspect("8:16"), /sdb1 is part of dm-0; dm-0 is mounted on \/\): it is not the disk you mean/);
  addDisk({ at: "pci0/sdc", number: "8:32", files: { ro: "1" } });
  assert.throws(() => inspect("8:32", "/dev/sdc"), /\/dev\/sdc is write-protected/);
  addDisk({ at: "pci0/sdd", number: "8:48", files: { size: "0" } });
  assert.throws(() => inspect("8:48", "/dev/sdd"), /\/dev\/sdd has no medium in it/);
});
