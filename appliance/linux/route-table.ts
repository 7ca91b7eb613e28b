/** The kernel's main routing table as /proc/net/route prints it: numbers in hexadecimal, addresses in the machine's order of bytes. */
import type { Route } from "../ports.ts";
import { Ipv4 } from "../wire/ipv4.ts";
import { BYTE_ORDER } from "./netlink-message.ts";

/** linux/route.h */
const RTF_UP = 1;
const RTF_GATEWAY = 2;
const RTF_REJECT = 0x200;

/** Lines that make no sense are passed over. */
export function parseRouteTable(text: string, order: "LE" | "BE" = BYTE_ORDER): readonly Route[] {
  return text.split("\n").flatMap((line) => {
    const [interfaceName = "", ...numbers] = line.trim().split(/\s+/);
    const [destination, gateway, flags, , , , mask] = numbers.map((word) =>
      /^[0-9A-Fa-f]{1,8}$/.test(word) ? Number.parseInt(word, 16) : Number.NaN,
    );
    if (interfaceName === "" || destination === undefined || gateway === undefined || flags === undefined) return [];
    if (mask === undefined || [destination, gateway, flags, mask].some(Number.isNaN)) return [];
    if ((flags & RTF_UP) === 0 || (flags & RTF_REJECT) !== 0) return [];
    const length = Math.clz32(~inHostOrder(mask, order));
    const by = (flags & RTF_GATEWAY) === 0 ? undefined : Ipv4(inHostOrder(gateway, order));
    return [
      {
        destination: { address: Ipv4(inHostOrder(destination, order)), length },
        by: { interfaceName, gateway: by },
      },
    ];
  });
}

function inHostOrder(word: number, order: "LE" | "BE"): number {
  const bytes = Buffer.alloc(4);
  if (order === "LE") bytes.writeUInt32LE(word);
  else bytes.writeUInt32BE(word);
  return bytes.readUInt32BE();
}
