/** The network cards of this machine, from sysfs, and what the kernel says of its hardware. */
import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import type { NetworkCard } from "../ports.ts";

const NET = "/sys/class/net";
/** A record of /dev/kmsg is shorter (linux/printk: CONSOLE_EXT_LOG_MAX). */
const RECORD_BYTES = 8192;

/** Every interface that has hardware behind it, in no particular order. */
export function networkCards(): readonly NetworkCard[] {
  return readdirSync(NET).flatMap((name) => {
    const device = join(NET, name, "device");
    const place = attempt(() => realpathSync(device));
    if (place === undefined) return [];
    const driver = attempt(() => basename(readlinkSync(join(device, "driver"))));
    return [{ name, path: busPath(place), driver }];
  });
}

/**
 * Where a device is, in udev's words (ID_PATH), from its place in sysfs: `/sys/devices/pci0000:00/0000:00:03.0/virtio0` is
 * `pci-0000:00:03.0`. Undefined for a bus that is not known here.
 */
export function busPath(place: string): string | undefined {
  const parts = place.split("/");
  const last = (pattern: RegExp): string | undefined => parts.filter((part) => pattern.test(part)).at(-1);
  const pci = last(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/);
  const usb = last(/^\d+-\d+(\.\d+)*:\d+\.\d+$/);
  const at = parts.indexOf("platform");
  const platform =
    pci === undefined && at >= 0
      ? parts
          .slice(at + 1)
          .filter((part) => part.includes("."))
          .at(0)
      : undefined;
  const words = [
    ...(pci === undefined ? [] : [`pci-${pci}`]),
    ...(platform === undefined ? [] : [`platform-${platform}`]),
    ...(usb === undefined ? [] : [`usb-0:${usb.slice(usb.indexOf("-") + 1)}`]),
  ];
  return words.length === 0 ? undefined : words.join("-");
}

/** The kernel's messages since it started, or the newest of them: without their time and level. Empty when they may not be read. */
export function kernelMessages(): readonly string[] {
  const file = attempt(() => openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === undefined) return [];
  const messages: string[] = [];
  const record = Buffer.alloc(RECORD_BYTES);
  try {
    for (;;) {
      try {
        const text = record.toString("utf8", 0, readSync(file, record));
        // `6,339,5140900,-;the message`, then lines of properties.
        messages.push(text.slice(text.indexOf(";") + 1).split("\n", 1)[0] ?? "");
      } catch (error) {
        // EPIPE: the kernel has overwritten what would have come next. EAGAIN: that was all.
        if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) return messages;
      }
    }
  } finally {
    closeSync(file);
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
