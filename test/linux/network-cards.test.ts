/** Where a network card is, in udev's words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { busPath } from "../../appliance/linux/network-cards.ts";

const PLACES: Readonly<Record<string, string | undefined>> = {
  "/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0": "pci-0000:02:00.0",
  "/sys/devices/pci0000:00/0000:00:03.0/virtio0": "pci-0000:00:03.0",
  "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.4/1-2.4:1.0": "pci-0000:00:14.0-usb-0:2.4:1.0",
  "/sys/devices/platform/fd580000.ethernet": "platform-fd580000.ethernet",
  "/sys/devices/platform/soc/d0030000.ethernet": "platform-d0030000.ethernet",
  "/sys/devices/platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0": "pci-0000:01:00.0",
  "/sys/devices/platform/soc/11201000.usb/usb2/2-1/2-1:1.0": "platform-11201000.usb-usb-0:1:1.0",
  "/sys/devices/vif-0": undefined,
};

for (const [place, path] of Object.entries(PLACES))
  test(`${place} is ${path ?? "nowhere that has a name"}`, () => assert.equal(busPath(place), path));
