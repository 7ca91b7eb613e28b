import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { blockFlash } from "../../appliance/linux/flash.ts";
import { type Flash, SystemError } from "../../appliance/ports.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-flash-"));
after(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, "class"));
mkdirSync(join(folder, "dev"));

/** As sysfs has it: partitions are folders in their disk's, and links to them in /sys/class/block. */
function addDisk(disk: string, partitions: Readonly<Record<string, string>>, bytes = 8192): void {
  const entries = { [disk]: "", ...partitions };
  for (const [device, label] of Object.entries(entries)) {
    const place = device === disk ? join(folder, "devices", disk) : join(folder, "devices", disk, device);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "uevent"), `DEVNAME=${device}\n${label === "" ? "" : `PARTN=1\nPARTNAME=${label}\n`}`);
    writeFileSync(join(place, "size"), `${bytes / 512}\n`);
    symlinkSync(place, join(folder, "class", device));
    writeFileSync(join(folder, "dev", device), "");
    truncateSync(join(folder, "dev", device), bytes);
  }
}
// The one with the same names is found first, and is none of ours: it has no slot a.
addDisk("sda", { sda1: "culvert-state", sda2: "slot-b" });
addDisk("vda", { vda3: "culvert-state", vda4: "slot-a", vda5: "slot-b" });

const forgotten: string[] = [];
function flash(commandLine = "quiet culvert.slot=a panic=10\n"): Flash {
  return blockFlash({
    blockFolder: join(folder, "class"),
    deviceFolder: join(folder, "dev"),
    commandLine,
    forget: (device) => Promise.resolve(void forgotten.push(device)),
  });
}

test("the boot loader says which slot runs", () => {
  assert.equal(flash().booted, "a");
  assert.equal(flash("culvert.slot=b\n").booted, "b");
  for (const other of ["", "culvert.slot=c", "culvert.slot=ab", "xculvert.slot=a"])
    assert.equal(flash(other).booted, undefined);
});

test("partitions are those of the disk that runs", async () => {
  const state = await flash().open("culvert-state");
  assert.ok(state);
  assert.equal(state.sizeBytes, 8192);
  await state.write(4096, Buffer.from("here"));
  await state.sync();
  assert.equal((await state.read(4096, 4)).toString(), "here");
  assert.deepEqual(forgotten, [join(folder, "dev", "vda3")]);
  await state.close();
  assert.equal(await flash().open("BOOT"), undefined);
});

test("nothing is read or written beyond the end, and failures name the partition", async () => {
  const state = await flash().open("culvert-state");
  assert.ok(state);
  const beyond = (error: unknown): boolean =>
    error instanceof SystemError && error.errno === "ENOSPC" && /partition culvert-state/.test(error.operation);
  await assert.rejects(state.write(8000, Buffer.alloc(193)), beyond);
  await assert.rejects(state.read(8192, 1), beyond);
  await state.close();
  truncateSync(join(folder, "dev", "vda3"), 100);
  const short = await flash().open("culvert-state");
  await assert.rejects(async () => await short?.read(0, 512), /read partition culvert-state .*EIO/);
  await short?.close();
  rmSync(join(folder, "dev", "vda3"));
  await assert.rejects(flash().open("culvert-state"), /open partition culvert-state .*ENOENT/);
});
