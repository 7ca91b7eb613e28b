/** Every board's image boots and finds its drivers by what is plugged in; the addon, compiled for its machine, works there. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type BuiltImage, buildImage } from "../../image/build.ts";
import { FIXTURE_APP, scratchFolder } from "../image/fixture.ts";
import { bootImage, UP } from "../support/booted-image.ts";

const folder = scratchFolder();

function build(board: string): Promise<BuiltImage> {
  const place = { app: FIXTURE_APP, folder: join(folder, board) };
  return buildImage({ board, locked: false, onProgress: () => undefined, ...place });
}

/** Cards of three makes and a USB adapter, on a PC whose USB controller needs a driver too. */
const CARDS = [
  ...[
    "-device",
    "e1000e,romfile=,addr=10",
    "-device",
    "rtl8139,romfile=,addr=11",
    "-device",
    "virtio-net-pci,romfile=,addr=12",
  ],
  ...["-device", "qemu-xhci,addr=13", "-device", "usb-net"],
];
const DRIVERS = "for i in /sys/class/net/*/device/driver; do readlink $i | sed 's/.*\\///'; done | sort | xargs";

test("x86_64 loads the drivers of the network cards that it finds, and no others", async () => {
  const machine = bootImage(await build("x86_64"), undefined, CARDS);
  await machine.expect(UP);
  // The USB adapter takes its time.
  const usb =
    "n=0; while ! grep -q cdc_ether /proc/modules && ! grep -q rndis_host /proc/modules && [ $n -lt 20 ]; do sleep 1; n=$((n+1)); done";
  assert.match(String(await machine.shell(`${usb}; ${DRIVERS}`)), /^8139cp (cdc_ether|rndis_host) e1000e virtio_net$/);
  assert.equal(await machine.shell("lsmod | grep -cE '^(igb|r8169|tg3|nvme) '; true"), "0");
  // The kernel asks for the bridge's module by itself.
  assert.equal(
    await machine.shell("ip link add lan type bridge && ls -d /sys/class/net/lan/bridge"),
    "/sys/class/net/lan/bridge",
  );
  assert.match(String(await machine.shell("cat /usr/lib/culvert/ports.json")), /"others": "wan-then-lan"/);
  machine.kill();
});

const OTHERS = [
  { board: "arm64", card: "e1000e,romfile=", driver: "e1000e" },
  { board: "mipsel", card: "pcnet,romfile=,addr=14", driver: "pcnet32" },
] as const;

for (const { board, card, driver } of OTHERS) {
  test(`${board} boots to the app, its addon is of its machine, and the network card has its driver`, async () => {
    const machine = bootImage(await build(board), undefined, ["-device", card]);
    await machine.expect(UP);
    assert.equal(await machine.evaluate("process.arch"), board);
    assert.equal(await machine.shell(DRIVERS), driver);
    machine.kill();
  });
}
