/** Which network card is which socket of a board, and firmware that was asked for in vain. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkCard } from "../../appliance/ports.ts";
import { assignPorts, missingFirmware } from "../../appliance/router/board-ports.ts";
import type { PortTable } from "../../appliance/update/port-table.ts";

function card(name: string, path: string): NetworkCard {
  return { name, path, driver: "e1000e" };
}

function assigned(table: PortTable, ...cards: readonly NetworkCard[]): string {
  return [...assignPorts(table, cards)].map(([port, { name }]) => `${port}=${name}`).join(" ");
}

const ANY: PortTable = { ports: [], others: "wan-then-lan" };
const FOUR = [
  card("eth3", "pci-0000:10:00.0"),
  card("eth0", "pci-0000:04:00.0"),
  card("eth1", "pci-0000:02:00.1"),
  card("eth2", "pci-0000:02:00.0"),
];

test("without rules the first place is the WAN and the rest the LAN, whatever the kernel calls them", () => {
  assert.equal(assigned(ANY, ...FOUR), "wan=eth2 lan1=eth1 lan2=eth0 lan3=eth3");
  assert.equal(assigned(ANY), "");
});

test("rules come first, and a rule whose card is absent leaves its port empty", () => {
  const wan = { port: "wan", path: "pci-0000:10:00.0" };
  assert.equal(assigned({ ...ANY, ports: [wan] }, ...FOUR), "wan=eth3 lan1=eth2 lan2=eth1 lan3=eth0");
  assert.equal(assigned({ ...ANY, ports: [wan] }, ...FOUR.slice(1)), "lan1=eth2 lan2=eth1 lan3=eth0");
  const second = { port: "lan2", path: "pci-0000:04:00.0" };
  assert.equal(assigned({ ports: [wan, second], others: "lan" }, ...FOUR), "wan=eth3 lan1=eth2 lan2=eth0 lan3=eth1");
  assert.equal(assigned({ ports: [wan, second], others: "none" }, ...FOUR), "wan=eth3 lan2=eth0");
});

test("a USB adapter becomes a port only by a rule", () => {
  const usb = card("eth9", "pci-0000:00:14.0-usb-0:2:1.0");
  assert.equal(assigned(ANY, usb, card("eth0", "pci-0000:02:00.0")), "wan=eth0");
  assert.equal(assigned({ ports: [{ port: "wan", path: usb.path ?? "" }], others: "lan" }, usb), "wan=eth9");
  assert.equal(assigned(ANY, card("eth9", "platform-xhci-hcd.0-usb-0:1:1.0")), "");
});

test("firmware: Debian's words and those of Linux, each file of a device once", () => {
  assert.deepEqual(
    missingFirmware([
      "r8169 0000:02:00.0: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)",
      "firmware_class: See https://wiki.debian.org/Firmware for information about missing firmware",
      "r8169 0000:02:00.0: Direct firmware load for rtl_nic/rtl8168h-2.fw failed with error -2",
      "bnx2 0000:03:00.0: firmware: failed to load bnx2/bnx2-mips-09-6.2.1b.fw (-2)",
      "r8169 0000:02:00.0 eth0: Link is Up",
    ]),
    [
      { device: "r8169 0000:02:00.0", file: "rtl_nic/rtl8168h-2.fw" },
      { device: "bnx2 0000:03:00.0", file: "bnx2/bnx2-mips-09-6.2.1b.fw" },
    ],
  );
});
