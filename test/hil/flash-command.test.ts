import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { updateLines } from "../../appliance/cli/update-output.ts";
import type { UpdateView } from "../../appliance/service/updates.ts";
import { TerminalPerson } from "../../hil/bench/person.ts";
import { type FlashCommand, flashCommand } from "../../hil/flash/command.ts";
import { parseSlots, sshDevice } from "../../hil/flash/over-ssh.ts";
import { TransferLine } from "../../hil/flash/transfer-line.ts";
import { UsageError } from "../../hil/usage-error.ts";
import { bundleOf, fakeFirmware, signingKey } from "../support/signed-slots.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-flash-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const NOBODY = new TerminalPerson(process.stdin, { write: () => true } as unknown as NodeJS.WriteStream);

function flash(given: Partial<FlashCommand>): Promise<number> {
  const nothing = {
    file: undefined,
    disk: undefined,
    device: undefined,
    bench: undefined,
    medium: undefined,
    sshOptions: undefined,
  };
  return flashCommand({ ...nothing, yes: true, fixedDisk: false, ...given }, NOBODY);
}

/** Two sectors of which the second begins as a partition table does, and more. */
function image(): string {
  const bytes = Buffer.alloc(9_000_001, 0x5a);
  bytes.write("EFI PART", 512, "latin1");
  writeFileSync(join(folder, "x.img"), bytes);
  return join(folder, "x.img");
}

test("an image goes into a file, also over a longer one", async () => {
  const disk = join(folder, "out");
  writeFileSync(disk, Buffer.alloc(10_000_000, 1));
  assert.equal(await flash({ file: image(), disk }), 0);
  assert.ok(readFileSync(disk).equals(readFileSync(image())));
});

test("a mistake is told in one line that says what to do", async () => {
  const bundle = join(folder, "x.bundle");
  writeFileSync(bundle, bundleOf(await fakeFirmware({ key: "1", signedBy: signingKey() })));
  const text = join(folder, "text");
  writeFileSync(text, "hello");
  const mistakes: readonly [Partial<FlashCommand>, RegExp][] = [
    [{}, /say which file/],
    [{ file: "x" }, /say where to/],
    [{ file: "x", disk: "/dev/sda", device: "ssh://admin@x" }, /say where to: one of/],
    [{ file: join(folder, "none"), disk: "x" }, /there is no file .*image build/],
    [{ file: bundle, disk: "/dev/sda" }, /is no disk image: write the \.img/],
    [{ file: text, disk: "/dev/sda" }, /is no disk image/],
    [{ file: image(), device: "ssh://admin@host" }, /is no update bundle: send the \.bundle/],
    [{ file: image(), bench: "qemu-arm64-uboot", medium: "mmc" }, /'mmc' is no medium of U-Boot's/],
    [{ file: image(), bench: "qemu-x86_64" }, /bench qemu-x86_64 says nothing of a boot loader/],
    [{ file: bundle, device: "admin@host" }, /is no device: ssh:\/\/admin@HOST/],
  ];
  for (const [given, problem] of mistakes)
    await assert.rejects(flash(given), (error) => error instanceof UsageError && problem.test(error.message));
  await assert.rejects(flash({ file: image(), disk: "/dev/none" }), /there is no \/dev\/none: lsblk shows/);
  await assert.rejects(flash({ file: image(), disk: join(folder, "no", "disk") }), /there is no folder/);
  await assert.rejects(flash({ file: image(), disk: "/dev/null" }), /neither a disk nor a file/);
});

test("a device is a user, a host and perhaps a port", () => {
  assert.deepEqual(sshDevice("ssh://admin@192.168.1.1"), { user: "admin", host: "192.168.1.1", port: 22 });
  assert.deepEqual(sshDevice("ssh://admin@[fe80::1]:2222/"), { user: "admin", host: "fe80::1", port: 2222 });
  for (const wrong of [
    "ssh://host",
    "ssh://-oProxyCommand=x@h",
    "ssh://admin@-oX",
    "ssh://a@h:",
    "http://a@h",
    "ssh://a@h/x",
  ])
    assert.equal(sshDevice(wrong), undefined, wrong);
});

test("what the device says of its slots is understood", () => {
  const view: UpdateView = {
    running: { name: "b", version: "0.2.0", commit: "", signedBy: "release" },
    spare: { name: "a", version: undefined, commit: "", signedBy: "unknown" },
    situation: "normal",
    waiting: false,
    lastReason: "",
    rollbackIndex: 1,
    trial: undefined,
    progress: undefined,
  };
  const parse = (change: Partial<UpdateView>) =>
    parseSlots(`${updateLines({ ...view, ...change }, false).join("\n")}\n`);
  assert.deepEqual(parse({}), { running: "b", state: "committed", version: "0.2.0", takenBack: undefined });
  assert.equal(parse({ situation: "trial", trial: { secondsLeft: 3, complaints: [] } })?.state, "on trial");
  assert.equal(parse({ situation: "fallen-back" })?.state, "in place of the other");
  assert.equal(parse({ situation: "leaving" })?.state, "taken back");
  const reason = "version 0.3.0 in slot a: the PPTP service does not answer on port 1723; the console did not start";
  assert.equal(parse({ lastReason: reason })?.takenBack, reason, "over several lines");
  assert.equal(parseSlots("This system was not started out of a slot: it takes no updates."), undefined);
});

test("a transfer says how far it is, how fast, and how long it takes", () => {
  let now = 0;
  let shown = "";
  const write = (text: string): boolean => {
    shown += text;
    return true;
  };
  const terminal = new TransferLine({ isTTY: true, write }, () => now);
  const step = "writing";
  terminal.show({ step, bytes: 0, ofBytes: 20e6 });
  now = 1000;
  terminal.show({ step, bytes: 5e6, ofBytes: 20e6 });
  now = 1100;
  terminal.show({ step, bytes: 6e6, ofBytes: 20e6 });
  now = 4000;
  terminal.show({ step, bytes: 20e6, ofBytes: 20e6 });
  assert.deepEqual(shown.split("\r\u001b[K").slice(2), [
    "writing: 25 % of 20.0 MB, 5.0 MB/s, 3 s left",
    "writing: 20.0 MB in 4.0 s, 5.0 MB/s\n",
  ]);
  shown = "";
  const pipe = new TransferLine({ write }, () => now);
  pipe.show({ step, bytes: 5e6, ofBytes: 20e6 });
  now = 6000;
  pipe.show({ step, bytes: 20e6, ofBytes: 20e6 });
  assert.equal(shown, "writing: 20.0 MB in 2.0 s, 10.0 MB/s\n");
});
