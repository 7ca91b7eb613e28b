/** busybox udhcpc on the WAN: its arguments, and what its script reports, one line per event on standard output. */
import type { Ipv4Prefix } from "../ports.ts";
import { type Ipv4, parseIpv4 } from "../wire/ipv4.ts";

/** `script` prints the environment that udhcpc gives it. In the foreground; it goes on asking for ever, and gives the address back when it is ended. */
export function udhcpcArguments(device: string, hostName: string, script: string): readonly string[] {
  return ["-f", "-R", "-t", "4", "-T", "3", "-A", "20", "-i", device, "-s", script, "-x", `hostname:${hostName}`];
}

export interface DhcpLease {
  readonly address: Ipv4Prefix;
  readonly gateway: Ipv4 | undefined;
  readonly dns: readonly Ipv4[];
  readonly server: Ipv4 | undefined;
  readonly leaseSeconds: number | undefined;
}

export type DhcpReport =
  | { readonly event: "bound"; readonly lease: DhcpLease }
  /** There is no lease any more, or none yet. */
  | { readonly event: "deconfig" }
  | { readonly event: "other" };

/** Reads `event=bound ip=... mask=24 router=... dns=...`; values are words joined by commas. */
export function parseDhcpReport(line: string): DhcpReport {
  const fields = new Map<string, string>();
  for (const [, name = "", value = ""] of line.matchAll(/(?:^| )([a-z]+)=([^ ]*)/g)) fields.set(name, value);
  const event = fields.get("event");
  if (event === "deconfig") return { event };
  const lease = parseLease(fields);
  if ((event === "bound" || event === "renew") && lease !== undefined) return { event: "bound", lease };
  return { event: "other" };
}

function parseLease(fields: ReadonlyMap<string, string>): DhcpLease | undefined {
  const address = parseIpv4(fields.get("ip") ?? "");
  const length = /^\d{1,2}$/.test(fields.get("mask") ?? "") ? Number(fields.get("mask")) : Number.NaN;
  if (address === undefined || !(length >= 1 && length <= 32)) return undefined;
  const addresses = (name: string): readonly Ipv4[] =>
    (fields.get(name) ?? "").split(",").flatMap((word) => parseIpv4(word) ?? []);
  const seconds = fields.get("lease") ?? "";
  return {
    address: { address, length },
    gateway: addresses("router")[0],
    dns: addresses("dns").slice(0, 3),
    server: addresses("serverid")[0],
    leaseSeconds: /^\d{1,10}$/.test(seconds) ? Number(seconds) : undefined,
  };
}
