/** What Debian's pppd needs in a guest, and how its logs and exit statuses read: shared by the peers built on it. */
import type { GuestContents } from "../node/guest.ts";

/** pppd 2.4.9 with every library it opens. The image lock lists packages, so each is named. */
export const PPPD: Required<Pick<GuestContents, "packages" | "executables" | "modules">> = {
  packages: [
    ...["ppp", "libc6", "libcrypt1", "libssl3", "libpam0g", "libpcap0.8", "libsystemd0", "libdbus-1-3"],
    ...["libaudit1", "libcap-ng0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5", "libzstd1"],
  ],
  executables: ["/usr/sbin/pppd"],
  modules: ["ppp_generic", "ppp_async", "ppp_mppe"],
};

/** pppd(8), EXIT STATUS: those that a dial-in can end with. */
const STATUS: Readonly<Record<number, string>> = {
  1: "a fatal error",
  2: "wrong options",
  4: "the kernel has no PPP",
  5: "ended by a signal",
  8: "the connect script failed",
  10: "PPP negotiation failed: no network protocol came up",
  11: "the peer refused to authenticate itself",
  15: "terminated because the peer does not answer echo requests",
  16: "the line was closed by the other side",
  17: "PPP negotiation failed: loopback",
  19: "we failed to authenticate ourselves to the peer",
};

export function pppdStatus(status: number): string {
  return STATUS[status] ?? `pppd exit status ${status}`;
}

/** What IPCP gave, read from pppd's debug log. */
export interface NetworkSettings {
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Primary and secondary, as far as the server names them. */
  readonly dns: readonly string[];
}

/** Reads the end of a successful negotiation; undefined when pppd did not come that far. */
export function parseNetworkSettings(log: string): NetworkSettings | undefined {
  const local = lastAddress(log, "local  IP address");
  const remote = lastAddress(log, "remote IP address");
  if (local === undefined || remote === undefined) return undefined;
  const dns = [lastAddress(log, "primary   DNS address"), lastAddress(log, "secondary DNS address")];
  return { localAddress: local, remoteAddress: remote, dns: dns.filter((address) => address !== undefined) };
}

function lastAddress(log: string, label: string): string | undefined {
  return [...log.matchAll(new RegExp(`^${label} (\\S+)$`, "gm"))].at(-1)?.[1];
}
