/** `--bench NODE=FILE`: which node, which file, and what is wrong with the rest. The arm64 machine that a bench may be. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { parseBench } from "../../hil/bench/load.ts";
import { parseBenchOptions, resolveBench } from "../../hil/bench/resolve.ts";
import { type MachineSpec, machineCommand } from "../../hil/node/qemu/args.ts";
import { firmwareNamed } from "../../hil/node/qemu/firmware.ts";
import type { Suite } from "../../hil/scenario.ts";
import { boardSuite } from "../../hil/scenarios/board.ts";
import { smokeSuite } from "../../hil/scenarios/figure-13-1.ts";
import { boardNamed } from "../../image/boards/boards.ts";

test("a node is the suite's own bench until another one takes its place", () => {
  const overrides = parseBenchOptions(["dut=board-example"], ["dut"]);
  assert.equal(resolveBench("dut", "qemu-arm64-uboot", new Map()).name, "qemu-arm64-uboot");
  assert.equal(resolveBench("dut", "qemu-arm64-uboot", overrides).name, "router-bench-1");
  assert.equal(resolveBench("other", "qemu-arm64-uboot", overrides).name, "qemu-arm64-uboot");
});

test("what is not NODE=FILE, a node that takes no bench, and one that has two, are told", () => {
  assert.throws(() => parseBenchOptions(["dut"], ["dut"]), /--bench dut: it is NODE=FILE/);
  assert.throws(() => parseBenchOptions(["=x"], ["dut"]), /it is NODE=FILE/);
  assert.throws(() => parseBenchOptions(["peer=x"], ["dut"]), /--bench peer=x: there is dut/);
  assert.throws(() => parseBenchOptions(["peer=x"], []), /this suite has no node that a bench can be/);
  assert.throws(() => parseBenchOptions(["dut=x", "dut=y"], ["dut"]), /dut has a bench already/);
  assert.throws(() => resolveBench("dut", "nosuch", new Map()), /there is no such file/);
});

test("suite board takes a bench for its device and keeps its scenarios", () => {
  const other = boardSuite.benches?.on(new Map([["dut", "board-example"]]));
  assert.deepEqual(
    other?.scenarios.map(({ name }) => name),
    boardSuite.scenarios.map(({ name }) => name),
  );
  assert.match(other?.lab.nodes["dut"]?.what ?? "", /router-bench-1/);
});

test("a suite with a device of ours takes another board, by --board or by a bench", () => {
  const what = (suite: Suite | undefined): string => suite?.lab.nodes["device"]?.what ?? "";
  assert.match(what(smokeSuite), /x86_64/);
  assert.match(what(smokeSuite.onBoard?.({ board: "mipsel" })), /mipsel/);
  assert.match(what(smokeSuite.benches?.on(new Map([["device", "qemu-arm64"]]))), /arm64/);
  assert.throws(
    () => smokeSuite.benches?.on(new Map([["device", "board-example"]])),
    /it can be qemu-arm64, qemu-mipsel/,
  );
  assert.equal(boardSuite.onBoard, undefined);
});

const SOCKETS = { serial: "s", monitor: "m", consoleLog: "c" };

test("a Malta has interrupts for four PCI slots: what is more shares them, and NICs come first", () => {
  const spec: MachineSpec = {
    name: "device",
    architecture: "mipsel",
    kernel: "/k",
    initrd: "/i",
    append: "",
    memoryMib: 256,
    restarts: true,
    disks: ["root", "data"].map((serial) => ({ path: `/${serial}`, serial, readOnly: true })),
    nics: ["wan", "lan", "dmz"].map((nic) => ({ socketPath: `/s/${nic}`, mac: "02:43:00:00:00:00" })),
  };
  const { program, args } = machineCommand(spec, SOCKETS, "kvm", { kind: "fresh" });
  assert.equal(program, "qemu-system-mipsel");
  const line = args.join(" ");
  assert.match(line, /-accel tcg,tb-size=256 -cpu 34Kf -machine malta,memory-backend=ram/);
  assert.deepEqual(
    [...line.matchAll(/-device (virtio-\w+)\S*,addr=([0-9a-f.]+),multifunction=on/g)].map(([, kind, at]) => [kind, at]),
    [
      ["virtio-net", "12.0"],
      ["virtio-net", "13.0"],
      ["virtio-net", "14.0"],
      ["virtio-blk", "15.0"],
      ["virtio-blk", "12.1"],
      ["virtio-rng", "13.1"],
    ],
  );
});

test("an arm64 machine starts at its firmware, and never by KVM of another processor", () => {
  const spec = {
    name: "dut",
    architecture: "arm64",
    firmware: "uboot",
    memoryMib: 512,
    disks: [],
    nics: [],
    restarts: true,
  } as const;
  const { program, args } = machineCommand(spec, SOCKETS, "kvm", { kind: "fresh" });
  assert.equal(program, "qemu-system-aarch64");
  const line = args.join(" ");
  assert.match(line, /-accel tcg,tb-size=256 -cpu cortex-a53 -machine virt,memory-backend=ram/);
  assert.match(line, /-bios \/usr\/lib\/u-boot\/qemu_arm64\/u-boot.bin/);
  assert.doesNotMatch(line, /-kernel|kvm|-no-reboot/);
});

test("with firmware a device boots from its disk; a Malta's boot ROM stands where QEMU would and relays its sockets", () => {
  const machine = { name: "dut", memoryMib: 256, nics: [], restarts: true } as const;
  const disks = [{ path: "/flash", serial: "culvert-flash", readOnly: false }];
  const uefi = machineCommand({ ...machine, disks, firmware: "uefi" }, SOCKETS, "tcg", { kind: "fresh" }).args.join(
    " ",
  );
  assert.match(uefi, /-drive if=pflash,format=raw,readonly=on,file=\/usr\/share\/OVMF\/OVMF_CODE_4M\.fd/);
  const bios = machineCommand({ ...machine, disks, firmware: "bios" }, SOCKETS, "tcg", { kind: "fresh" }).args.join(
    " ",
  );
  assert.doesNotMatch(bios, /pflash|-bios|-kernel/);
  const rom = { ...machine, disks, architecture: "mipsel", firmware: "rom" } as const;
  const { program, args } = machineCommand(rom, SOCKETS, "tcg", { kind: "fresh" });
  assert.equal(program, process.execPath);
  assert.match(
    args.join(" "),
    /\/boot-rom\.js \/flash s m restarts qemu-system-mipsel .*path=s\.rom,.*-qmp unix:m\.rom/,
  );
});

test("a firmware that does not start the board is refused with those that do", () => {
  assert.equal(firmwareNamed(boardNamed("arm64"), "uboot"), "uboot");
  assert.throws(() => firmwareNamed(boardNamed("arm64"), "bios"), /^UsageError: firmware bios: arm64 has uefi, uboot$/);
  assert.throws(() => firmwareNamed(boardNamed("mipsel"), "x"), /firmware x: mipsel has rom$/);
  const text = "name: b1\nconsole: { serial: /dev/ttyUSB0 }\nfirmware: uefi\n";
  assert.throws(() => parseBench(text, "b1.yaml"), /is for a machine in QEMU, and there is no board/);
});
