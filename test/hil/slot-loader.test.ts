/** What the boot ROM does with a boot state, on a disk of the builder's with slots that the real unsquashfs reads. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import {
  arm,
  type BootState,
  commit,
  emitRecord,
  firstState,
  newestRecord,
  RECORD_BYTES,
  STATE_BYTES,
} from "../../appliance/update/boot-state.ts";
import { loadSlot } from "../../hil/node/qemu/slot-loader.ts";
import { runTool, ToolError, type ToolOptions } from "../../image/host-tool.ts";
import { scratchFolder } from "../image/fixture.ts";
import { type FakeDisk, fakeDisk } from "../support/fake-disk-image.ts";
import { fakeKernel } from "../support/fake-kernel.ts";

const folder = scratchFolder();
const NEW = firstState(1);

/** This computer's squashfs-tools. */
const TOOLS = {
  run: async (program: string, args: readonly string[], options: ToolOptions = {}): Promise<string> => {
    if (program.endsWith("mksquashfs")) return await runTool("mksquashfs", args, options);
    try {
      return (await promisify(execFile)(basename(program), [...args])).stdout;
    } catch (error) {
      throw new ToolError(program, args, error instanceof Error ? error.message : String(error));
    }
  },
};

let disk: FakeDisk;
before(async () => {
  disk = await fakeDisk(folder, TOOLS, undefined);
});

function stored(): BootState | undefined {
  return newestRecord(readFileSync(disk.file).subarray(disk.stateAt, disk.stateAt + STATE_BYTES));
}

async function start(): Promise<string> {
  const { slot, trial } = await loadSlot(disk.file, folder, TOOLS);
  return trial ? `${slot} on trial` : slot;
}

describe("boot ROM", () => {
  test("hands out the slot's kernel, initramfs and command line", async () => {
    disk.store(NEW);
    const loaded = await loadSlot(disk.file, folder, TOOLS);
    assert.deepEqual(readFileSync(loaded.kernel), fakeKernel());
    assert.equal(readFileSync(loaded.initrd, "utf8"), "initramfs");
    assert.equal(loaded.commandLine, "console=ttyS0");
    assert.deepEqual(loaded.notes, []);
  });

  const table: readonly (readonly [what: string, BootState, started: readonly string[]])[] = [
    ["nothing on trial: the active slot, again and again", NEW, ["a", "a"]],
    ["the other one is active", commit(NEW, "b", 1), ["b"]],
    [
      "on trial: three times, then the active one again",
      arm(NEW, "b"),
      ["b on trial", "b on trial", "b on trial", "a"],
    ],
  ];
  for (const [what, state, started] of table) {
    test(what, async () => {
      disk.store(state);
      for (const each of started) assert.equal(await start(), each);
      assert.deepEqual({ ...stored(), seq: 0 }, { ...state, seq: 0, triesLeft: 0 });
    });
  }

  test("a start is counted before it happens, in the record that is not in force", async () => {
    const armed = arm(NEW, "b");
    disk.store(armed);
    await start();
    const partition = readFileSync(disk.file).subarray(disk.stateAt, disk.stateAt + 2 * RECORD_BYTES);
    assert.equal(partition.indexOf(emitRecord(armed)), (armed.seq & 1) * RECORD_BYTES, "the record before it is whole");
    assert.equal(stored()?.triesLeft, 2);
  });

  test("an unreadable boot state: slot a, with a note; a slot that cannot be read is passed over; without any it says why", async () => {
    disk.put(disk.stateAt, Buffer.alloc(STATE_BYTES, "?"));
    assert.deepEqual((await loadSlot(disk.file, folder, TOOLS)).notes, ["the boot state cannot be read"]);
    disk.store(NEW);
    disk.breakSlot("a");
    const loaded = await loadSlot(disk.file, folder, TOOLS);
    assert.equal(loaded.slot, "b");
    assert.match(loaded.notes.join(), /^slot a cannot be read: /);
    disk.breakSlot("b");
    await assert.rejects(loadSlot(disk.file, folder, TOOLS), /no slot can be read: slot a .*; slot b /s);
    for (const slot of ["a", "b"] as const) disk.mendSlot(slot);
  });

  test("with a broken partition table the backup serves; without both it says so", async () => {
    disk.put(512, Buffer.alloc(512));
    assert.equal(await start(), "a");
    disk.put(readFileSync(disk.file).length - 512, Buffer.alloc(512));
    await assert.rejects(start(), /has no partition table of ours: build it with `culvert image build`/);
  });
});
