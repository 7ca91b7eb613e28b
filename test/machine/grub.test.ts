/** grub.cfg run by the real GRUB in QEMU: boot state -> the slot that is started, with fake kernels that print their command line. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  arm,
  type BootState,
  commit,
  firstState,
  MIRROR_OFFSET,
  parseEnvironment,
  RECORD_BYTES,
} from "../../appliance/update/boot-state.ts";
import { LockedTools } from "../../image/locked-tool.ts";
import { scratchFolder } from "../image/fixture.ts";
import { biosGrub, type FakeDisk, fakeDisk } from "../support/fake-disk-image.ts";
import { FAKE_KERNEL_DEVICE, FAKE_KERNEL_STATUS } from "../support/fake-kernel.ts";
import { QemuConsole } from "../support/qemu-console.ts";

const folder = scratchFolder();
const NEW = firstState(1);
const GARBAGE = Buffer.alloc(1024, "?");

let disk: FakeDisk;
let machine: QemuConsole | undefined;
before(async () => {
  const tools = await LockedTools.open(false, () => {});
  disk = await fakeDisk(folder, tools, await biosGrub(tools));
});
after(() => machine?.kill());

/** Lets the disk boot, with `key` pressed at the menu; returns the words that tell the slot. */
async function boot(key = "s"): Promise<string> {
  const drive = `file=${disk.file},format=raw,if=none,id=disk`;
  machine = new QemuConsole("qemu-system-x86_64", [
    ...["-accel", "tcg", "-M", "q35", "-m", "64", "-no-reboot", "-device", FAKE_KERNEL_DEVICE],
    ...["-drive", drive, "-device", "virtio-blk-pci,drive=disk"],
  ]);
  await machine.expect(/Factory reset/);
  machine.write(key);
  assert.equal(await machine.stopped(), FAKE_KERNEL_STATUS, machine.seen);
  const [, words = machine.seen] = /BOOT_IMAGE=\S+ console=ttyS0 gpt (.*)/.exec(machine.seen) ?? [];
  return words.trim();
}

describe("grub.cfg", () => {
  const table: readonly (readonly [what: string, BootState, started: readonly string[]])[] = [
    ["nothing on trial: the active slot, again and again", NEW, ["slot=a", "slot=a"]],
    ["the other one is active", commit(NEW, "b", 1), ["slot=b"]],
    [
      "on trial: three times, then the active one again",
      arm(NEW, "b"),
      ["slot=b trial", "slot=b trial", "slot=b trial", "slot=a"],
    ],
  ];
  for (const [what, state, started] of table) {
    test(what, async () => {
      disk.store(state);
      for (const each of started)
        assert.equal(
          await boot(),
          each.replace(/\w+(?:=\w+)?/g, (word) => `culvert.${word}`),
        );
      const left = parseEnvironment(disk.environment());
      assert.deepEqual(left, { seq: state.seq, active: state.active, pending: state.pending, tries: 0 });
    });
  }

  test("an unreadable environment: its copy says which slot is active; without one it is a; nothing is tried", async () => {
    disk.store(arm(commit(NEW, "b", 1), "a"));
    disk.put(disk.environmentAt, GARBAGE);
    assert.equal(await boot(), "culvert.slot=b");
    disk.put(disk.stateAt, Buffer.alloc(MIRROR_OFFSET + RECORD_BYTES, "?"));
    assert.equal(await boot(), "culvert.slot=a");
    assert.deepEqual(disk.environment(), GARBAGE, "GRUB does not write what it cannot read");
  });

  test("a slot that cannot be read is passed over, on trial or active", async () => {
    disk.store(arm(commit(NEW, "b", 1), "a"));
    disk.breakSlot("a");
    assert.equal(await boot(), "culvert.slot=b");
    assert.equal(parseEnvironment(disk.environment())?.tries, 2, "the attempt was counted");
    disk.store(NEW);
    assert.equal(await boot(), "culvert.slot=b");
  });

  test("the menu has the other slot, the failsafe shell and the factory reset; none of them counts a trial", async () => {
    disk.store(arm(commit(NEW, "b", 1), "a"));
    disk.mendSlot("a");
    assert.equal(await boot("o"), "culvert.slot=a");
    assert.equal(await boot("f"), "culvert.slot=b culvert.failsafe");
    assert.equal(await boot("r"), "culvert.slot=b culvert.factory-reset");
    assert.equal(parseEnvironment(disk.environment())?.tries, 3);
  });
});
