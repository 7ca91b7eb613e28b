/** The router's part of the configuration as the values that its services work with. */
import type { Ipv4Prefix, LogLevel } from "../ports.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path } from "./config.ts";
import {
  addresses,
  enabledClients,
  flag,
  integer,
  ipv4,
  type NetworkSettings,
  networkSettings,
  networks,
  prefix,
  systemName,
  text,
  words,
} from "./settings.ts";
import { parsePrefix } from "./value.ts";

export type WanMode = "static" | "dhcp" | "pppoe";

export interface PppoeSettings {
  readonly user: string;
  readonly password: string;
  readonly service: string | undefined;
  readonly mtu: number;
}

export interface WanSettings {
  readonly device: string;
  readonly mode: WanMode;
  readonly pppoe: PppoeSettings;
  /** What a DHCP server is told as our name. */
  readonly hostName: string;
}

export interface DhcpHost {
  readonly name: string;
  readonly mac: string;
  readonly address: Ipv4;
}

/** What the hosts on the LAN are served. */
export interface LanServiceSettings {
  readonly device: string;
  readonly address: Ipv4Prefix | undefined;
  readonly proxy: boolean;
  /** Fixed name servers; empty: the provider's. */
  readonly servers: readonly Ipv4[];
  readonly dhcp:
    | {
        readonly first: Ipv4;
        readonly count: number;
        readonly leaseMinutes: number;
        readonly dns: readonly Ipv4[];
        readonly domain: string | undefined;
        readonly hosts: readonly DhcpHost[];
      }
    | undefined;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}
export type Transport = "tcp" | "udp";

export interface PortMapping {
  readonly name: string;
  readonly transports: readonly Transport[];
  readonly ports: PortRange;
  readonly address: Ipv4;
  readonly toPort: number;
}

export interface OpenService {
  readonly name: string;
  readonly transports: readonly Transport[];
  readonly ports: PortRange;
  /** Empty: from anywhere. */
  readonly from: readonly Ipv4Prefix[];
}

export interface FirewallSettings {
  /** The interface on which the Internet is: the device, or the PPP link over it. */
  readonly wan: string;
  readonly lan: string;
  readonly lanNetwork: Ipv4Prefix | undefined;
  readonly nat: boolean;
  readonly mappings: readonly PortMapping[];
  readonly pingFromWan: boolean;
  readonly management: "lan" | "lan-and-tunnels" | "anywhere";
  readonly sshPort: number;
  readonly routed: boolean;
  readonly services: readonly OpenService[];
  readonly vpnServer: boolean;
  /** Far ends of our clients: their GRE packets come in unasked. */
  readonly vpnServers: readonly Ipv4[];
  /** Packets that come out of a tunnel or a PPP link are no larger: bytes, the smallest of all tunnels. */
  readonly tunnelMtu: number;
  readonly wanMtu: number | undefined;
}

export interface StaticRoute {
  readonly destination: Ipv4Prefix;
  readonly gateway: Ipv4;
}

export interface SyslogSettings {
  readonly server: string;
  readonly port: number;
  readonly transport: Transport;
  readonly facility: string;
  readonly level: LogLevel;
  readonly hostName: string;
}

export interface RouterSettings {
  readonly network: NetworkSettings;
  readonly wan: WanSettings;
  readonly lan: LanServiceSettings;
  readonly firewall: FirewallSettings;
  readonly routes: readonly StaticRoute[];
  readonly syslog: SyslogSettings | undefined;
  readonly timeServers: readonly string[];
}

/** The branches of the schema that `routerSettings` reads. */
export const ROUTER_BRANCHES: readonly Path[] = [
  ...[
    "interfaces",
    "system name",
    "system ssh port",
    "dhcp-server",
    "dns",
    "nat",
    "firewall",
    "routes",
    "syslog",
    "ntp",
  ],
  ...["vpn server enabled", "vpn server mtu", "vpn client"],
];

/** The name of the PPP interface of a WAN by PPPoE. */
export const PPPOE_INTERFACE = "ppp0";

/** Of a configuration without problems; what is incomplete is left out. */
export function routerSettings(config: Config): RouterSettings {
  const lan = {
    device: text(config, "interfaces lan device") ?? "",
    address: prefix(config, "interfaces lan address"),
  };
  return {
    network: networkSettings(config),
    wan: wanSettings(config),
    lan: {
      ...lan,
      proxy: flag(config, "dns proxy"),
      servers: addresses(config, "dns servers"),
      dhcp: flag(config, "dhcp-server enabled") ? dhcpSettings(config) : undefined,
    },
    firewall: firewallSettings(config),
    routes: staticRoutes(config),
    syslog: syslogSettings(config),
    timeServers: words(config, "ntp servers"),
  };
}

function wanSettings(config: Config): WanSettings {
  return {
    device: text(config, "interfaces wan device") ?? "",
    mode: text(config, "interfaces wan mode") as WanMode,
    pppoe: {
      user: text(config, "interfaces wan pppoe user") ?? "",
      password: text(config, "interfaces wan pppoe password") ?? "",
      service: text(config, "interfaces wan pppoe service"),
      mtu: integer(config, "interfaces wan pppoe mtu") ?? 0,
    },
    hostName: systemName(config),
  };
}

function dhcpSettings(config: Config): LanServiceSettings["dhcp"] {
  const first = ipv4(config, "dhcp-server pool start");
  const count = integer(config, "dhcp-server pool count");
  if (first === undefined || count === undefined) return undefined;
  return {
    first,
    count,
    leaseMinutes: integer(config, "dhcp-server lease-time") ?? 0,
    dns: addresses(config, "dhcp-server dns"),
    domain: text(config, "dhcp-server domain"),
    hosts: entriesOf(config, "dhcp-server host").flatMap((name) => {
      const mac = text(config, `dhcp-server host ${name} mac`)?.toLowerCase();
      const address = ipv4(config, `dhcp-server host ${name} address`);
      return mac === undefined || address === undefined ? [] : [{ name, mac, address }];
    }),
  };
}

function firewallSettings(config: Config): FirewallSettings {
  const clients = enabledClients(config);
  const serverOn = flag(config, "vpn server enabled");
  const ends = [...(serverOn ? ["vpn server"] : []), ...clients.map((name) => `vpn client ${name}`)];
  const mode = text(config, "interfaces wan mode");
  return {
    wan: mode === "pppoe" ? PPPOE_INTERFACE : (text(config, "interfaces wan device") ?? ""),
    lan: text(config, "interfaces lan device") ?? "",
    lanNetwork: prefix(config, "interfaces lan address"),
    nat: flag(config, "nat enabled"),
    mappings: flag(config, "nat enabled") ? portMappings(config) : [],
    pingFromWan: flag(config, "firewall ping-from-wan"),
    management: text(config, "firewall management") as FirewallSettings["management"],
    sshPort: integer(config, "system ssh port") ?? 0,
    routed: flag(config, "firewall routed"),
    services: entriesOf(config, "firewall service").flatMap((name) => {
      const path = `firewall service ${name}`;
      const ports = parsePorts(text(config, `${path} port`));
      if (ports === undefined) return [];
      return [{ name, transports: transports(config, path), ports, from: networks(config, `${path} from`) }];
    }),
    vpnServer: serverOn,
    vpnServers: [...new Set(clients.flatMap((name) => ipv4(config, `vpn client ${name} server`) ?? []))],
    tunnelMtu: Math.min(...ends.map((end) => integer(config, `${end} mtu`) ?? 0), 1460),
    wanMtu: mode === "pppoe" ? integer(config, "interfaces wan pppoe mtu") : undefined,
  };
}

/** The port mappings that are in force, in the order of their names. */
export function portMappings(config: Config): readonly PortMapping[] {
  return entriesOf(config, "nat mapping").flatMap((name) => {
    const path = `nat mapping ${name}`;
    const ports = parsePorts(text(config, `${path} port`));
    const address = ipv4(config, `${path} address`);
    if (!flag(config, `${path} enabled`) || ports === undefined || address === undefined) return [];
    const toPort = integer(config, `${path} to-port`) ?? ports.first;
    return [{ name, transports: transports(config, path), ports, address, toPort }];
  });
}

function transports(config: Config, path: Path): readonly Transport[] {
  const protocol = text(config, `${path} protocol`);
  return protocol === "both" ? ["tcp", "udp"] : [protocol as Transport];
}

/** `80` or `8000-8010`; undefined when a port is above 65535, or the second below the first. */
export function parsePorts(ports: string | undefined): PortRange | undefined {
  if (ports === undefined) return undefined;
  const [first = Number.NaN, last = first] = ports.split("-").map(Number);
  return first >= 1 && first <= last && last <= 65_535 ? { first, last } : undefined;
}

function staticRoutes(config: Config): readonly StaticRoute[] {
  return entriesOf(config, "routes static").flatMap((network) => {
    const destination = parsePrefix(network);
    const gateway = ipv4(config, `routes static ${network} via gateway`);
    return destination === undefined || gateway === undefined ? [] : [{ destination, gateway }];
  });
}

function syslogSettings(config: Config): SyslogSettings | undefined {
  const server = text(config, "syslog server");
  if (server === undefined) return undefined;
  return {
    server,
    port: integer(config, "syslog port") ?? 0,
    transport: text(config, "syslog transport") as Transport,
    facility: text(config, "syslog facility") ?? "",
    level: text(config, "syslog level") as LogLevel,
    hostName: systemName(config),
  };
}
