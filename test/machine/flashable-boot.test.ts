/** The flashable disk as a PC's BIOS meets it: built twice it is the same; it boots, takes the whole medium and keeps what is stored. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { type BuiltFlashable, buildFlashable } from "../../image/flashable.ts";
import { FIXTURE_APP, scratchFolder } from "../image/fixture.ts";
import { QemuConsole } from "../support/qemu-console.ts";

const MEDIUM_BYTES = 300 * 1024 * 1024;
/** Cards have a power of two, as QEMU sees it; the data partition grows once more. */
const CARD_BYTES = 512 * 1024 * 1024;
const UP = /fixture app is up, the addon says 42\r?\n/;

const folder = scratchFolder();
let machine: QemuConsole | undefined;
after(() => machine?.kill());

/** gzip instead of xz: what a boot loader does with the disk is the same, and packing takes seconds. */
async function build(name: string): Promise<BuiltFlashable> {
  const request = { board: "x86_64", locked: false, quick: true, app: FIXTURE_APP, folder: join(folder, name) };
  return await buildFlashable({ ...request, onProgress: () => {} });
}

/** Not virtio: the drivers are ones that the initramfs loads because it finds the controller. */
const CONTROLLERS = {
  SATA: ["-device", "ich9-ahci,id=ahci", "-device", "ide-hd,drive=disk,bus=ahci.0"],
  NVMe: ["-device", "nvme,drive=disk,serial=1"],
  USB: ["-device", "qemu-xhci,id=xhci", "-device", "usb-storage,drive=disk,bus=xhci.0"],
  SD: ["-device", "sdhci-pci", "-device", "sd-card,drive=disk"],
} as const;

function boot(medium: string, controller: keyof typeof CONTROLLERS): QemuConsole {
  machine = new QemuConsole("qemu-system-x86_64", [
    ...["-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", "512", "-no-reboot"],
    ...["-drive", `if=none,id=disk,file=${medium},format=raw`, ...CONTROLLERS[controller]],
  ]);
  return machine;
}

function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

describe("flashable disk", () => {
  let image: BuiltFlashable;
  before(async () => {
    image = await build("first");
  });

  test("built again elsewhere under another umask it is the same, bit for bit, and so is the update", async () => {
    const umask = process.umask(0o077);
    const again = await build("second").finally(() => process.umask(umask));
    assert.equal(again.fresh, true);
    assert.equal(digest(again.disk), digest(image.disk));
    assert.equal(digest(again.bundle), digest(image.bundle));
    assert.equal((await build("second")).fresh, false, "in the same place it is found built");
  });

  test("boots by BIOS from a SATA disk, extends its data partition over the medium, and keeps what is stored", async () => {
    const medium = join(folder, "medium");
    copyFileSync(image.disk, medium);
    truncateSync(medium, MEDIUM_BYTES);
    const first = boot(medium, "SATA");
    await first.expect(/Factory reset/);
    first.write("s");
    await first.expect(UP);
    const state = String(
      await first.shell("cat /proc/cmdline; grep -E ' (/|/data) ' /proc/mounts; cat /sys/class/block/sda6/size"),
    );
    assert.match(state, /culvert\.slot=a\b[\s\S]*\/dev\/sda4 \/ squashfs ro[\s\S]*\/dev\/sda6 \/data ext4 rw/);
    const sectors = Number(state.split("\n").at(-1));
    assert.equal(sectors, MEDIUM_BYTES / 512 - 333824 - 2048, "all but the last MiB of the medium");
    assert.match(
      String(await first.shell("wc -c </run/extend-data.log; cat /etc/os-release")),
      /^0\n[\s\S]*^ID=culvert$/m,
    );
    await first.shell("echo kept >/data/setting");
    first.type('require("child_process").execSync("poweroff")');
    await first.stopped();
    const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
    assert.match(
      execFileSync("sgdisk", ["-v", medium], { env: { ...process.env, PATH: path } }).toString(),
      /No problems found/,
    );
    assert.match(
      execFileSync("debugfs", ["-R", "cat setting", partition(medium)], {
        env: { ...process.env, PATH: path },
      }).toString(),
      /kept/,
    );
  });

  for (const [controller, name] of [
    ["NVMe", "nvme0n1p"],
    ["USB", "sda"],
    ["SD", "mmcblk0p"],
  ] as const) {
    test(`the same medium boots behind ${controller}`, async () => {
      const medium = join(folder, "medium");
      if (controller === "SD") truncateSync(medium, CARD_BYTES);
      const at = boot(medium, controller);
      await at.expect(/Factory reset/);
      at.write("s");
      await at.expect(UP);
      const mounts = String(await at.shell("grep -E ' (/|/data) ' /proc/mounts; cat /data/setting"));
      assert.match(mounts, new RegExp(`/dev/${name}4 / squashfs[\\s\\S]*/dev/${name}6 /data ext4[\\s\\S]*\\nkept$`));
      at.kill();
    });
  }
});

/** The data partition's file system, as e2fsprogs name it. */
function partition(medium: string): string {
  return `${medium}?offset=${333824 * 512}`;
}
