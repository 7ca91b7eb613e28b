/** The configuration as the values that the services work with. */
import type { Ipv4Prefix } from "../ports.ts";
import { CULVERT_CLIENT } from "../pptp/quirks.ts";
import type { RadiusServerSettings, RadiusSettings } from "../radius/settings.ts";
import type { Account, ClientSettings, ServerSettings } from "../tunnel/settings.ts";
import { DEFAULT_REDIAL } from "../tunnel/virtual-interface.ts";
import { Ipv4, parseIpv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path, valueAt } from "./config.ts";
import { parsePrefix } from "./value.ts";

const NOWHERE = Ipv4(0);

export interface InterfaceSettings {
  /** The kernel's name. */
  readonly device: string;
  readonly address: Ipv4Prefix | undefined;
}

/** Interfaces and the default route, as they shall be; what a provider tells takes the place of what is set. */
export interface NetworkSettings {
  readonly wan: InterfaceSettings & { readonly gateway: Ipv4 | undefined };
  readonly lan: InterfaceSettings;
  /** Whether packets pass from one interface to another. */
  readonly forwarding: boolean;
  /** Hosts on the LAN reach tunnel addresses that lie in their own network. */
  readonly lanProxyArp: boolean;
}

export interface VpnSettings {
  readonly server: ServerSettings;
  readonly accounts: readonly Account[];
  readonly clients: readonly ClientSettings[];
  /** Without servers: nobody is asked, nobody is told. */
  readonly radius: RadiusSettings;
}

export function systemName(config: Config): string {
  return text(config, "system name") ?? "";
}

export function networkSettings(config: Config): NetworkSettings {
  return {
    wan: { ...interfaceSettings(config, "wan"), gateway: ipv4(config, "interfaces wan gateway") },
    lan: interfaceSettings(config, "lan"),
    forwarding: true,
    lanProxyArp: flag(config, "vpn server enabled"),
  };
}

/**
 * Of a configuration without problems; the words of a choice are the words of the type, as the schema lists them. A
 * server that is off may have no addresses yet: they are 0.0.0.0 then.
 */
export function vpnSettings(config: Config): VpnSettings {
  return {
    server: {
      enabled: flag(config, "vpn server enabled"),
      localAddress: serverAddress(config) ?? NOWHERE,
      pool: {
        start: ipv4(config, "vpn server pool start") ?? NOWHERE,
        count: integer(config, "vpn server pool count") ?? 0,
      },
      dns: addresses(config, "vpn server dns"),
      wins: addresses(config, "vpn server wins"),
      mtu: integer(config, "vpn server mtu") ?? 0,
      ...protection(config, "vpn server"),
      callback: text(config, "vpn server callback") as ServerSettings["callback"],
      ipv6: text(config, "vpn server ipv6") as ServerSettings["ipv6"],
      accountSources: words(config, "vpn server accounts") as ServerSettings["accountSources"],
      accounting: flag(config, "vpn radius accounting")
        ? { interimMs: milliseconds(config, "vpn radius interim-interval") }
        : undefined,
    },
    accounts: entriesOf(config, "vpn account").map((user) => account(config, user)),
    clients: enabledClients(config).map((name) => client(config, name)),
    radius: radiusSettings(config),
  };
}

function radiusSettings(config: Config): RadiusSettings {
  const heard = flag(config, "vpn radius disconnect-messages");
  return {
    servers: radiusServers(config).map((name) => radiusServer(config, name)),
    timeoutMs: milliseconds(config, "vpn radius timeout") ?? 0,
    tries: integer(config, "vpn radius tries") ?? 0,
    deadTimeMs: milliseconds(config, "vpn radius dead-time") ?? 0,
    nasIdentifier: text(config, "vpn radius nas-identifier") ?? systemName(config),
    nasAddress: ipv4(config, "vpn radius nas-address"),
    dynamicPort: heard ? integer(config, "vpn radius disconnect-port") : undefined,
  };
}

/** Names of the RADIUS servers, first to be asked first. */
export function radiusServers(config: Config): readonly string[] {
  const priority = (name: string): number => integer(config, `vpn radius server ${name} priority`) ?? 0;
  return [...entriesOf(config, "vpn radius server")].sort((a, b) => priority(a) - priority(b));
}

function radiusServer(config: Config, name: string): RadiusServerSettings {
  const path = `vpn radius server ${name}`;
  return {
    name,
    address: ipv4(config, `${path} address`) ?? NOWHERE,
    authenticationPort: integer(config, `${path} authentication-port`) ?? 0,
    accountingPort: integer(config, `${path} accounting-port`) ?? 0,
    secret: text(config, `${path} secret`) ?? "",
    requireMessageAuthenticator: text(config, `${path} message-authenticator`) === "required",
  };
}

/** Our end of every tunnel: what is set, else the LAN address. */
export function serverAddress(config: Config): Ipv4 | undefined {
  return ipv4(config, "vpn server address") ?? prefix(config, "interfaces lan address")?.address;
}

export function account(config: Config, user: string): Account {
  const path = `vpn account ${user}`;
  return {
    user,
    password: text(config, `${path} password`) ?? "",
    enabled: flag(config, `${path} enabled`),
    address: ipv4(config, `${path} address`),
    routes: networks(config, `${path} route`),
    oneSession: text(config, `${path} one-session`) as Account["oneSession"],
    sessionTimeoutMs: milliseconds(config, `${path} session-timeout`),
    rateLimit: {
      upload: bitsPerSecond(config, `${path} rate-limit upload`),
      download: bitsPerSecond(config, `${path} rate-limit download`),
    },
  };
}

/** Names of the clients that exist for the tunnels; the others may be incomplete. */
export function enabledClients(config: Config): readonly string[] {
  return entriesOf(config, "vpn client").filter((name) => flag(config, `vpn client ${name} enabled`));
}

function client(config: Config, name: string): ClientSettings {
  const path = `vpn client ${name}`;
  return {
    name,
    server: ipv4(config, `${path} server`) ?? NOWHERE,
    user: text(config, `${path} user`) ?? "",
    password: text(config, `${path} password`) ?? "",
    newPassword: text(config, `${path} new-password`),
    ...protection(config, path),
    mtu: integer(config, `${path} mtu`) ?? 0,
    routes: [...networks(config, `${path} route`), ...tunnelRoutes(config, name)],
    nat: flag(config, `${path} nat`),
    dial: {
      mode: text(config, `${path} dial`) as ClientSettings["dial"]["mode"],
      idleMs: milliseconds(config, `${path} idle-timeout`),
      ...DEFAULT_REDIAL,
    },
    profile: { ...CULVERT_CLIENT, ipv6: text(config, `${path} ipv6`) === "link-local" },
  };
}

/** How the server or a client at `path` proves passwords and encrypts: the same settings for both. */
function protection(config: Config, path: Path): Pick<ServerSettings, "authentication" | "encryption"> {
  const mode = text(config, `${path} mppe-mode`);
  return {
    authentication: words(config, `${path} authentication`) as ServerSettings["authentication"],
    encryption: {
      use: text(config, `${path} encryption`) as ServerSettings["encryption"]["use"],
      strengths: words(config, `${path} strengths`).map(Number) as unknown as ServerSettings["encryption"]["strengths"],
      allowStateful: mode !== "stateless",
      preferStateful: mode === "prefer-stateful",
      mppc: text(config, `${path} compression`) === "mppc",
    },
  };
}

export function flag(config: Config, path: Path): boolean {
  return valueAt(config, path) === true;
}
export function integer(config: Config, path: Path): number | undefined {
  const value = valueAt(config, path);
  return typeof value === "number" ? value : undefined;
}
function milliseconds(config: Config, path: Path): number | undefined {
  const seconds = integer(config, path);
  return seconds === undefined ? undefined : seconds * 1000;
}
function bitsPerSecond(config: Config, path: Path): number | undefined {
  const kilobits = integer(config, path);
  return kilobits === undefined ? undefined : kilobits * 1000;
}
export function text(config: Config, path: Path): string | undefined {
  const value = valueAt(config, path);
  return typeof value === "string" ? value : undefined;
}
export function words(config: Config, path: Path): readonly string[] {
  const value = valueAt(config, path);
  return typeof value === "object" ? value : [];
}
export function ipv4(config: Config, path: Path): Ipv4 | undefined {
  return parseIpv4(text(config, path) ?? "");
}
export function prefix(config: Config, path: Path): Ipv4Prefix | undefined {
  return parsePrefix(text(config, path) ?? "");
}

export function networks(config: Config, path: Path): readonly Ipv4Prefix[] {
  return words(config, path).flatMap((each) => parsePrefix(each) ?? []);
}

/** Static routes into the tunnel of this client. */
export function tunnelRoutes(config: Config, client: string): readonly Ipv4Prefix[] {
  return entriesOf(config, "routes static")
    .filter((network) => text(config, `routes static ${network} via tunnel`) === client)
    .flatMap((network) => parsePrefix(network) ?? []);
}

export function addresses(config: Config, path: Path): Ipv4[] {
  return words(config, path).flatMap((each) => parseIpv4(each) ?? []);
}

function interfaceSettings(config: Config, name: "wan" | "lan"): InterfaceSettings {
  return {
    device: text(config, `interfaces ${name} device`) ?? "",
    address: prefix(config, `interfaces ${name} address`),
  };
}
