/**
 * The sockets of a board: which network card is `wan`, `lan1`, `lan2`. The board's table names cards by the place where they
 * are plugged in, because the kernel's own names depend on the order in which drivers load.
 */

import type { NetworkCard } from "../ports.ts";
import type { PortTable } from "../update/port-table.ts";

/** The card of each port, WAN first, then the LAN's by number. */
export function assignPorts(table: PortTable, cards: readonly NetworkCard[]): ReadonlyMap<string, NetworkCard> {
  const assigned = new Map<string, NetworkCard>();
  for (const { port, path } of table.ports) {
    const card = cards.find((each) => each.path === path);
    if (card !== undefined) assigned.set(port, card);
  }
  const ruled = new Set(table.ports.map(({ port }) => port));
  const taken = new Set([...assigned.values()].map(({ name }) => name));
  const free = cards.filter(({ name, path }) => !taken.has(name) && !isUsb(path)).sort(byPlace);
  // A rule's card that is absent leaves its port empty: another card must not become the WAN for that.
  if (table.others === "wan-then-lan" && !ruled.has("wan")) {
    const first = free.shift();
    if (first !== undefined) assigned.set("wan", first);
  }
  let number = 1;
  for (const card of table.others === "none" ? [] : free) {
    while (ruled.has(`lan${number}`) || assigned.has(`lan${number}`)) number++;
    assigned.set(`lan${number}`, card);
  }
  const order = ([port]: readonly [string, NetworkCard]): number => (port === "wan" ? 0 : Number(port.slice(3)));
  return new Map([...assigned].sort((a, b) => order(a) - order(b)));
}

function isUsb(path: string | undefined): boolean {
  return path !== undefined && /(^|-)usb-/.test(path);
}

/** Slots in the order of their numbers, `eth2` before `eth10`. */
function byPlace(a: NetworkCard, b: NetworkCard): number {
  return (
    (a.path ?? "").localeCompare(b.path ?? "", "en", { numeric: true }) ||
    a.name.localeCompare(b.name, "en", { numeric: true })
  );
}

/** Firmware files that drivers asked for in vain, from the kernel's messages: who asked, as `r8169 0000:02:00.0`, and for what. */
export function missingFirmware(
  messages: readonly string[],
): readonly { readonly device: string; readonly file: string }[] {
  const found = new Map<string, { device: string; file: string }>();
  for (const message of messages) {
    // Debian's words, then those of Linux itself (drivers/base/firmware_loader/main.c).
    const [, device, file] =
      /^(.{1,80}?): firmware: failed to load (\S{1,200}) \(/.exec(message) ??
      /^(.{1,80}?): Direct firmware load for (\S{1,200}) failed with error /.exec(message) ??
      [];
    if (device !== undefined && file !== undefined) found.set(`${device} ${file}`, { device, file });
  }
  return [...found.values()];
}
