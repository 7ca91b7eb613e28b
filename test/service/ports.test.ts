/** The board's ports in force: WAN, LAN and its bridge, what settings change, and what is told at login. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkCard } from "../../appliance/ports.ts";
import { Journal } from "../../appliance/service/journal.ts";
import { Ports } from "../../appliance/service/ports.ts";
import type { PortTable } from "../../appliance/update/port-table.ts";
import { configOf } from "../support/config-text.ts";
import { FakeNet } from "../support/fake-net.ts";

const PC: PortTable = { ports: [], others: "wan-then-lan" };

function card(number: number, place = `pci-0000:0${number}:00.0`): NetworkCard {
  return { name: `eth${number}`, path: place, driver: "igb" };
}

function bench(cards: readonly NetworkCard[], table: PortTable | undefined = PC, messages: readonly string[] = []) {
  const net = new FakeNet(...cards.map(({ name }) => name));
  const log = new Journal(() => new Date(0));
  const ports = new Ports({ net, cards: () => cards, messages: () => messages, table, log });
  const apply = (...settings: readonly string[]): string => {
    const { config, refused } = ports.apply(configOf(...settings));
    return [config.get("interfaces wan device"), config.get("interfaces lan device"), ...refused].join(" ");
  };
  const uses = (): string =>
    ports
      .views()
      .map(({ port, card: { name }, use }) => `${port} ${name} ${use}`)
      .join(", ");
  return { net, ports, apply, uses };
}

test("two cards are WAN and LAN, without a bridge", () => {
  const { net, apply, uses } = bench([card(1), card(0)]);
  assert.equal(apply(), "eth0 eth1");
  assert.equal(uses(), "wan eth0 WAN, lan1 eth1 LAN");
  assert.deepEqual(net.changes, []);
});

test("several cards of the LAN are joined by a bridge; settings take cards out, give them another use, and give them back", () => {
  const { net, apply, uses } = bench([0, 1, 2, 3].map((number) => card(number)));
  assert.equal(apply(), "eth0 lan");
  assert.deepEqual(net.changes, ["bridge lan of eth1, eth2, eth3"]);
  assert.equal(apply("interfaces wan device lan3"), "eth3 lan");
  assert.equal(net.changes.at(-1), "bridge lan of eth1, eth2");
  assert.equal(uses(), "wan eth0 none, lan1 eth1 LAN, lan2 eth2 LAN, lan3 eth3 WAN");
  assert.equal(apply("interfaces lan ports lan2 eth3"), "eth0 lan");
  assert.equal(net.changes.at(-1), "bridge lan of eth2, eth3");
  assert.equal(apply("interfaces lan ports lan2"), "eth0 eth2");
  assert.equal(net.changes.at(-1), "take bridge lan away");
  assert.equal(apply("interfaces lan device lan1"), "eth0 eth1");
});

test("a card that the configuration names and that is not there is told, and the rest is in force", () => {
  const { apply } = bench([card(0), card(1)]);
  assert.match(apply("interfaces lan ports lan1 lan7"), /^eth0 lan interfaces lan ports: .*ENODEV/);
});

test("outside an image interfaces are what the configuration calls them", () => {
  const { apply, ports } = bench([], undefined);
  assert.equal(apply(), "eth0 eth1");
  assert.equal(apply("interfaces wan device wan0", "interfaces lan device lan0"), "wan0 lan0");
  assert.deepEqual(ports.notices(), []);
});

test("at login: cards without a use with what to do, and firmware that is missing", () => {
  const failure = "r8169 0000:02:00.0: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)";
  const { ports, apply } = bench([card(0), card(1), card(2, "pci-0000:00:14.0-usb-0:2:1.0")], PC, [failure]);
  apply();
  assert.deepEqual(ports.notices(), [
    "Network card eth2 (igb, pci-0000:00:14.0-usb-0:2:1.0) is not used: set interfaces lan ports NAME ..., or set interfaces wan device eth2.",
    "Firmware rtl_nic/rtl8168h-2.fw is missing for r8169 0000:02:00.0: that hardware may not work.",
  ]);
  apply("interfaces lan ports lan1 eth2");
  assert.equal(ports.notices().length, 1);
});
