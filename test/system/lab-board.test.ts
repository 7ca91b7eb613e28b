/**
 * Suite `board` on what a real board is reached by: a serial port, a Shelly switch and a network card. Behind them is QEMU's arm64
 * machine with Debian's U-Boot: its pty is the port, a web server plays the Shelly and switches through QEMU's monitor, and
 * its TAP is the card.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { Qmp } from "../../hil/node/qemu/qmp.ts";
import { startCulvert, temporaryFolder, until } from "./lab-run.ts";

const TAP = `cvtbd${process.pid % 100_000}`;

/** What the switch was told, in order. */
interface Switch {
  readonly url: string;
  readonly told: string[];
}

async function startQemu(folder: string): Promise<{ pty: string; monitor: Qmp }> {
  const disk = join(folder, "disk");
  writeFileSync(disk, "");
  truncateSync(disk, 256 * 1024 * 1024);
  const socket = join(folder, "qmp");
  const added = spawnSync("ip", ["tuntap", "add", "dev", TAP, "mode", "tap"], { encoding: "utf8" });
  assert.equal(added.status, 0, added.stderr);
  after(() => spawnSync("ip", ["link", "delete", TAP]));
  spawnSync("ip", ["link", "set", TAP, "up"]);
  const qemu = spawn("qemu-system-aarch64", [
    ...[
      "-machine",
      "virt",
      "-cpu",
      "cortex-a53",
      "-accel",
      "tcg,tb-size=256",
      "-m",
      "512M",
      "-nodefaults",
      "-display",
      "none",
    ],
    ...[
      "-bios",
      "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
      "-S",
      "-serial",
      "pty",
      "-qmp",
      `unix:${socket},server=on,wait=off`,
    ],
    ...["-drive", `if=none,id=disk,file=${disk},format=raw`, "-device", "virtio-blk-pci,drive=disk"],
    ...["-netdev", `tap,id=nic,ifname=${TAP},script=no,downscript=no`],
    ...["-device", "virtio-net-pci,netdev=nic,mac=02:43:01:00:00:00,romfile="],
  ]);
  after(() => void qemu.kill("SIGKILL"));
  let said = "";
  for (const stream of [qemu.stdout, qemu.stderr]) stream.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const pty = (): string | undefined => /char device redirected to (\/dev\/pts\/\d+)/.exec(said)?.[1];
  await until(
    () => pty() !== undefined,
    10_000,
    () => `QEMU gave no pty: ${said}`,
  );
  const control = connect(socket);
  after(() => void control.destroy());
  const monitor = new Qmp(control);
  await monitor.ready();
  return { pty: pty() ?? "", monitor };
}

/** Gen 2 of Shelly's RPC, as its switch speaks it. */
async function startShelly(monitor: Qmp): Promise<Switch> {
  const told: string[] = [];
  let isOn = false;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://shelly");
    const answer = async (): Promise<unknown> => {
      if (url.pathname === "/shelly") return { mac: "A8032ABE54DC", gen: 2 };
      if (url.pathname !== "/rpc/Switch.Set") return { id: 0, output: isOn };
      const wasOn = isOn;
      isOn = url.searchParams.get("on") === "true";
      told.push(isOn ? "on" : "off");
      if (isOn && !wasOn) {
        await monitor.execute("system_reset");
        await monitor.execute("cont");
      }
      if (!isOn) await monitor.execute("stop");
      return { was_on: wasOn };
    };
    void answer().then((value) => response.end(JSON.stringify(value)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { url: `http://127.0.0.1:${address.port}`, told };
}

test("suite board on a serial port, a Shelly switch and a network card", { timeout: 180_000 }, async () => {
  const folder = temporaryFolder();
  const { pty, monitor } = await startQemu(folder);
  const shelly = await startShelly(monitor);
  const bench = join(folder, "bench.yaml");
  writeFileSync(
    bench,
    `name: pty-${process.pid}
fixtures: [uboot]
console: { serial: ${pty}, pace: none }
power: { shelly: "${shelly.url}", minOff: 100ms }
ladder:
  bootloader: { uboot: { prompt: "=> ", interrupt: space } }
  shell: { prompt: "# ", activate: "Please press Enter to activate this console." }
flash: { ymodem: true }
net: { eth0: ${TAP} }
`,
  );
  const report = join(folder, "report");
  const run = startCulvert(["lab", "run", "--suite", "board", "--bench", `dut=${bench}`, "--report", report]);
  const { code } = await run.ended;
  assert.equal(code, 0, run.output());
  for (const name of ["uboot", "flash-tftp", "boot", "power-cut", "flash-ymodem"]) {
    assert.match(run.output(), new RegExp(`pass +${name} `), name);
  }
  assert.deepEqual(shelly.told.slice(0, 2), ["off", "on"]);
  assert.ok(shelly.told.length >= 6, `the switch was told ${shelly.told.join(", ")}`);
  const journal = readFileSync(join(report, "journal.ndjson"), "utf8");
  assert.match(journal, /"kind":"power","node":"dut","to":"off","by":"Shelly at 127\.0\.0\.1/);
  assert.match(journal, /"kind":"state","node":"dut","from":"started","to":"bootloader"/);
  assert.match(journal, /slot initrd is torn: it has no record; it gets its golden image/);
});

test("the same suite on QEMU's machine as a node of the lab", { timeout: 180_000 }, async () => {
  const report = join(temporaryFolder(), "report");
  const run = startCulvert(["lab", "run", "--suite", "board", "--filter", "boot,power-cut", "--report", report]);
  const { code } = await run.ended;
  assert.equal(code, 0, run.output());
  for (const name of ["uboot", "flash-tftp", "boot", "power-cut"]) {
    assert.match(run.output(), new RegExp(`pass +${name} `), name);
  }
  assert.match(readFileSync(join(report, "journal.ndjson"), "utf8"), /"by":"QEMU"/);
});
