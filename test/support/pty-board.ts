/**
 * QEMU's arm64 machine with Debian's U-Boot, reached as a real board is: its pty is the serial port, a web server plays the Shelly
 * switch and switches through QEMU's monitor, and its TAP is the network card. Root, for the TAP.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { Qmp } from "../../hil/node/qemu/qmp.ts";
import { until } from "./lab-run.ts";

const TAP = `cvtbd${process.pid % 100_000}`;

/** What the switch was told, in order. */
interface Switch {
  readonly url: string;
  readonly told: string[];
}

export interface PtyBoard {
  /** The serial port. */
  readonly pty: string;
  readonly shelly: Switch;
  /** This computer's end of its network. */
  readonly nic: string;
  /** Console, power and network, for a bench file. */
  readonly bench: string;
}

/** Starts it switched off, with `disk` as its medium; sockets go into `folder`. `after` gets what ends it. */
export async function startPtyBoard(folder: string, disk: string, after: (end: () => void) => void): Promise<PtyBoard> {
  const { pty, monitor } = await startQemu(folder, disk, after);
  const shelly = await startShelly(monitor, after);
  const bench = `console: { serial: ${pty}, pace: none }
power: { shelly: "${shelly.url}", minOff: 100ms }
net: { eth0: ${TAP} }
`;
  return { pty, shelly, bench, nic: TAP };
}

async function startQemu(
  folder: string,
  disk: string,
  after: (end: () => void) => void,
): Promise<{ pty: string; monitor: Qmp }> {
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
async function startShelly(monitor: Qmp, after: (end: () => void) => void): Promise<Switch> {
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
