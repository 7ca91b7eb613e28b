/** pppd with the rp-pppoe plugin on the WAN: its options as a file, and what its log says. */
import { PPPOE_INTERFACE, type PppoeSettings } from "../config/settings-router.ts";
import { type Ipv4, parseIpv4 } from "../wire/ipv4.ts";

/** Options for `pppd file PATH`. The file holds the password: only root may read it. */
export function pppoeOptions(device: string, { user, password, service, mtu }: PppoeSettings): string {
  return `plugin rp-pppoe.so
${service === undefined ? "" : `rp_pppoe_service ${quoted(service)}\n`}nic-${device}
ifname ${PPPOE_INTERFACE}
user ${quoted(user)}
password ${quoted(password)}
hide-password
nodetach
noauth
noipdefault
nodefaultroute
usepeerdns
ipparam culvert
mtu ${mtu}
mru ${mtu}
noaccomp
nopcomp
novj
nobsdcomp
nodeflate
lcp-echo-interval 15
lcp-echo-failure 4
maxfail 1
`;
}

/** pppd(8), OPTIONS FILES: a backslash in front of what ends or begins something. */
function quoted(word: string): string {
  return `"${word.replace(/["\\]/g, "\\$&")}"`;
}

export type PppdReport =
  | { readonly event: "local"; readonly address: Ipv4 }
  | { readonly event: "remote"; readonly address: Ipv4 }
  | { readonly event: "dns"; readonly address: Ipv4 }
  | { readonly event: "down" }
  /** Words for the log: why there is no connection. */
  | { readonly event: "failure"; readonly text: string }
  | { readonly event: "other" };

const ADDRESS_LINES: readonly (readonly [RegExp, "local" | "remote" | "dns"])[] = [
  [/^local +IP address (\S+)$/, "local"],
  [/^remote +IP address (\S+)$/, "remote"],
  [/^(?:primary|secondary) +DNS address (\S+)$/, "dns"],
];
const DOWN = /^(Connection terminated|LCP terminated by peer|Modem hangup|Connect time )/;
const FAILURE =
  /authentication failed|Authentication failure|Timeout waiting for|Unable to complete PPPoE|PADO|PADS|No response to|peer refused to authenticate|Couldn't|can't/i;

/** Reads one line of pppd's messages. */
export function parsePppdLine(line: string): PppdReport {
  for (const [pattern, event] of ADDRESS_LINES) {
    const address = parseIpv4(pattern.exec(line)?.[1] ?? "");
    if (address !== undefined) return { event, address };
  }
  if (DOWN.test(line)) return { event: "down" };
  return FAILURE.test(line) ? { event: "failure", text: line } : { event: "other" };
}
