/**
 * The nftables ruleset of the device: one table, replaced as a whole, so that there is the old one or the new one. Each
 * rule that decides something has a comment and a counter, which `show firewall` reads.
 */
import type { FirewallSettings, PortRange } from "../config/settings-router.ts";
import type { Ipv4Prefix } from "../ports.ts";
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";

export const TABLE = "culvert";
/** Interfaces of tunnels: all of them, and those whose client hides the LAN. */
const TUNNELS = `"pptp*"`;
const NAT_TUNNELS = `"pptp-nat*"`;
/** Of the web page. */
const HTTPS = 443;
/** By number: names of protocols are in a file that the image does not have. */
const GRE = 47;
/** IP and TCP header (RFC 879). */
const HEADERS_BYTES = 40;

/** The text for `nft -f`. */
export function ruleset(settings: FirewallSettings): string {
  const chains = [helper(), input(settings), forward(settings), clamp(settings), nat(settings)];
  return `table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
${chains.join("\n")}}
`;
}

/** The kernel's PPTP helper: it learns call ids from control connections that pass, and lets their GRE packets through. */
function helper(): string {
  return `  ct helper pptp {
    type "pptp" protocol tcp
    l3proto ip
  }
`;
}

function input(settings: FirewallSettings): string {
  const { wan, lan, pingFromWan, management, sshPort, vpnServer, vpnServers, services } = settings;
  const fromWan = `iifname ${quoted(wan)}`;
  const managing = `tcp dport ${set([...new Set([String(sshPort), String(HTTPS)])])}`;
  const rules = [
    accept("", "ct state established,related", "answers to what we asked"),
    accept("", `iifname "lo"`, "ourselves"),
    drop("ct state invalid", "belongs to no connection"),
    ...spoofed(settings),
    accept("", `iifname ${quoted(lan)}`, "the LAN"),
    ...(management === "lan" ? [drop(`iifname ${TUNNELS} ${managing}`, "management from tunnels")] : []),
    accept("", `iifname ${TUNNELS}`, "tunnels"),
    ...(pingFromWan ? [accept(fromWan, "icmp type echo-request", "ping from the WAN")] : []),
    ...(management === "anywhere" ? [accept(fromWan, managing, "management from the WAN")] : []),
    ...(vpnServer
      ? [accept(fromWan, "tcp dport 1723", "PPTP calls"), accept(fromWan, `meta l4proto ${GRE}`, "PPTP packets")]
      : []),
    ...(!vpnServer && vpnServers.length > 0
      ? [accept(fromWan, `ip saddr ${set(vpnServers.map(formatIpv4))} meta l4proto ${GRE}`, "packets of PPTP servers")]
      : []),
    ...services.flatMap(({ name, transports, ports, from }) => {
      const source = from.length === 0 ? "" : `ip saddr ${set(from.map(formatPrefix))} `;
      return transports.map((transport) =>
        accept(fromWan, `${source}${transport} dport ${formatPorts(ports)}`, `service ${name} ${transport}`),
      );
    }),
    drop("", "everything else"),
  ];
  return chain("input", "type filter hook input priority filter; policy drop;", rules);
}

function forward(settings: FirewallSettings): string {
  const { wan, lan, routed } = settings;
  const rules = [
    // Before the connection is confirmed, or the helper comes too late.
    `ct state new tcp dport 1723 ct helper set "pptp"`,
    accept("", "ct state established,related", "answers"),
    drop("ct state invalid", "belongs to no connection"),
    ...spoofed(settings),
    accept("", `iifname ${quoted(lan)}`, "from the LAN"),
    accept("", `iifname ${TUNNELS}`, "from tunnels"),
    accept("", `iifname ${quoted(wan)} ct status dnat`, "port mappings"),
    ...(routed ? [accept("", `iifname ${quoted(wan)}`, "from the WAN, routed")] : []),
    drop("", "everything else"),
  ];
  return chain("forward", "type filter hook forward priority filter; policy drop;", rules);
}

/** Addresses of the LAN do not come from the Internet. */
function spoofed({ wan, lanNetwork }: FirewallSettings): readonly string[] {
  if (lanNetwork === undefined) return [];
  return [drop(`iifname ${quoted(wan)} ip saddr ${formatPrefix(lanNetwork)}`, "LAN addresses from the WAN")];
}

/** TCP learns the size of the path from both sides' SYN: ours towards the link, and theirs out of it. */
function clamp({ wan, tunnelMtu, wanMtu }: FirewallSettings): string {
  const syn = "tcp flags & (syn|rst) == syn tcp option maxseg size set";
  const rules = [
    `oifname ${TUNNELS} ${syn} rt mtu`,
    `iifname ${TUNNELS} ${syn} ${tunnelMtu - HEADERS_BYTES}`,
    ...(wanMtu === undefined
      ? []
      : [`oifname ${quoted(wan)} ${syn} rt mtu`, `iifname ${quoted(wan)} ${syn} ${wanMtu - HEADERS_BYTES}`]),
  ];
  return chain("clamp", "type filter hook forward priority mangle; policy accept;", rules);
}

function nat(settings: FirewallSettings): string {
  const { wan, mappings } = settings;
  const mapped = mappings.flatMap(({ name, transports, ports, address, toPort }) =>
    transports.map((transport) => {
      const to = destination(address, ports, toPort);
      const match = `iifname ${quoted(wan)} fib daddr type local ${transport} dport ${formatPorts(ports)}`;
      return `meta nfproto ipv4 ${match} counter dnat ip to ${to} ${comment(`mapping ${name} ${transport}`)}`;
    }),
  );
  const hidden = [
    // Our own packets have our address already; a tunnel's GRE must keep its call id.
    "fib saddr type local return",
    ...(settings.nat ? [`oifname ${quoted(wan)} counter masquerade ${comment("out of the WAN")}`] : []),
    `oifname ${NAT_TUNNELS} counter masquerade ${comment("into tunnels with nat")}`,
  ].map((rule) => `meta nfproto ipv4 ${rule}`);
  return [
    chain("mapping", "type nat hook prerouting priority dstnat; policy accept;", mapped),
    chain("masquerading", "type nat hook postrouting priority srcnat; policy accept;", hidden),
  ].join("\n");
}

/** The ports of a range stay as they are; a single port may become another. */
function destination(address: Ipv4, ports: PortRange, toPort: number): string {
  return toPort === ports.first ? formatIpv4(address) : `${formatIpv4(address)}:${toPort}`;
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  return `  chain ${name} {
    ${hook}
${rules.map((rule) => `    ${rule}\n`).join("")}  }
`;
}

function accept(from: string, match: string, why: string): string {
  return [from, match, "counter accept", comment(why)].filter((part) => part !== "").join(" ");
}
function drop(match: string, why: string): string {
  return [match, "counter drop", comment(why)].filter((part) => part !== "").join(" ");
}
function comment(text: string): string {
  return `comment "${text}"`;
}
/** Interface names are checked by the schema; quoting keeps one that is a word of the language from being read as such. */
function quoted(name: string): string {
  return `"${name}"`;
}
function set(elements: readonly string[]): string {
  return `{ ${elements.join(", ")} }`;
}
function formatPorts({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}
function formatPrefix({ address, length }: Ipv4Prefix): string {
  return `${formatIpv4(Ipv4(address & (0xffffffff << (32 - length))))}/${length}`;
}
