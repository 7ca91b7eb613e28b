/** dnsmasq on the LAN: its configuration as text, and its file of leases read back. */
import type { LanServiceSettings } from "../config/settings-router.ts";
import { formatIpv4, Ipv4, parseIpv4 } from "../wire/ipv4.ts";

export interface DnsmasqFiles {
  /** Where the leases lie; outlives restarts of the device. */
  readonly leases: string;
}

/** What dnsmasq is to do; undefined when there is nothing for it to do. `upstream`: name servers of the provider. */
export function dnsmasqConfig(
  settings: LanServiceSettings,
  upstream: readonly Ipv4[],
  files: DnsmasqFiles,
): string | undefined {
  const { device, address, proxy, dhcp } = settings;
  if (address === undefined || (!proxy && dhcp === undefined)) return undefined;
  const servers = settings.servers.length > 0 ? settings.servers : upstream;
  const lines = [
    `interface=${device}`,
    // Also when the interface gets its address later; other programs may have port 53 on other addresses.
    "bind-dynamic",
    "no-resolv",
    "no-hosts",
    "no-poll",
    "user=nobody",
    "group=nogroup",
    "pid-file=",
    ...(proxy
      ? [
          "cache-size=1000",
          // Names without dots and addresses of private networks are nobody's business outside (RFC 6303).
          "domain-needed",
          "bogus-priv",
          ...servers.map((server) => `server=${formatIpv4(server)}`),
        ]
      : ["port=0"]),
    ...(dhcp === undefined ? [] : dhcpLines(dhcp, address.address, address.length, proxy, servers, files)),
  ];
  return `${lines.join("\n")}\n`;
}

function dhcpLines(
  dhcp: NonNullable<LanServiceSettings["dhcp"]>,
  own: Ipv4,
  prefixLength: number,
  proxy: boolean,
  servers: readonly Ipv4[],
  files: DnsmasqFiles,
): readonly string[] {
  const last = Ipv4(dhcp.first + dhcp.count - 1);
  const mask = formatIpv4(Ipv4(0xffffffff << (32 - prefixLength)));
  const told = dhcp.dns.length > 0 ? dhcp.dns : proxy ? [own] : servers;
  return [
    `dhcp-range=${formatIpv4(dhcp.first)},${formatIpv4(last)},${mask},${dhcp.leaseMinutes}m`,
    "dhcp-authoritative",
    `dhcp-leasefile=${files.leases}`,
    `dhcp-option=option:router,${formatIpv4(own)}`,
    // An option without a value: dnsmasq's own default is not told either.
    `dhcp-option=option:dns-server${told.map((server) => `,${formatIpv4(server)}`).join("")}`,
    ...(dhcp.domain === undefined ? [] : [`domain=${dhcp.domain}`]),
    ...dhcp.hosts.map(({ name, mac, address }) => `dhcp-host=${mac},${formatIpv4(address)},${name}`),
  ];
}

export interface Lease {
  readonly address: Ipv4;
  readonly mac: string;
  /** What the host calls itself. */
  readonly name: string | undefined;
  /** Seconds since 1970; undefined: for ever. */
  readonly expiresAt: number | undefined;
}

/** dnsmasq's lease file: expiry, MAC address, IP address, name or `*`, client id or `*`. Other lines are passed over. */
export function parseLeases(text: string): readonly Lease[] {
  const leases = text.split("\n").flatMap((line) => {
    const [, expiry = "", mac = "", dotted = "", name = "*"] =
      /^(\d{1,12}) ([0-9A-Fa-f:-]{2,60}) (\d[\d.]*) (\S+)/.exec(line) ?? [];
    const address = parseIpv4(dotted);
    if (address === undefined) return [];
    const expiresAt = expiry === "0" ? undefined : Number(expiry);
    return [{ address, mac: mac.replace(/^[0-9A-Fa-f]{2}-/, ""), name: name === "*" ? undefined : name, expiresAt }];
  });
  return leases.sort((a, b) => a.address - b.address);
}
