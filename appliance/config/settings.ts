/** The configuration as the values that the services work with. */
import type { Ipv4Prefix } from "../ports.ts";
import type { Account, ClientSettings, ServerSettings } from "../tunnel/settings.ts";
import { Ipv4, parseIpv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path, valueAt } from "./config.ts";
import { parsePrefix } from "./value.ts";

export interface InterfaceSettings {
  /** The kernel's name. */
  readonly device: string;
  readonly address: Ipv4Prefix | undefined;
}

export interface NetworkSettings {
  readonly wan: InterfaceSettings & { readonly gateway: Ipv4 | undefined };
  readonly lan: InterfaceSettings;
  /** Hosts on the LAN reach tunnel addresses that lie in their own network. */
  readonly lanProxyArp: boolean;
}

export interface VpnSettings {
  readonly server: ServerSettings;
  readonly accounts: readonly Account[];
  readonly clients: readonly ClientSettings[];
}

export function systemName(config: Config): string {
  return text(config, "system name") ?? "";
}

export function networkSettings(config: Config): NetworkSettings {
  return {
    wan: { ...interfaceSettings(config, "wan"), gateway: ipv4(config, "interfaces wan gateway") },
    lan: interfaceSettings(config, "lan"),
    lanProxyArp: flag(config, "vpn server enabled"),
  };
}

/** Of a configuration without problems; the words of a choice are the words of the type, as the schema lists them. A server that is off may have no addresses yet: they are 0.0.0.0 then. */
export function vpnSettings(config: Config): VpnSettings {
  const nowhere = Ipv4(0);
  return {
    server: {
      enabled: flag(config, "vpn server enabled"),
      localAddress: serverAddress(config) ?? nowhere,
      pool: {
        start: ipv4(config, "vpn server pool start") ?? nowhere,
        count: integer(config, "vpn server pool count") ?? 0,
      },
      dns: addresses(config, "vpn server dns"),
      wins: addresses(config, "vpn server wins"),
      mtu: integer(config, "vpn server mtu") ?? 0,
      authentication: words(config, "vpn server authentication") as ServerSettings["authentication"],
      encryption: {
        use: text(config, "vpn server encryption") as ServerSettings["encryption"]["use"],
        strengths: words(config, "vpn server strengths").map(
          Number,
        ) as unknown as ServerSettings["encryption"]["strengths"],
        allowStateful: false,
        preferStateful: false,
      },
      callback: "refuse",
      ipv6: "refuse",
    },
    accounts: entriesOf(config, "vpn account").map((user) => account(config, user)),
    clients: [],
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
  };
}

export function flag(config: Config, path: Path): boolean {
  return valueAt(config, path) === true;
}
export function integer(config: Config, path: Path): number | undefined {
  const value = valueAt(config, path);
  return typeof value === "number" ? value : undefined;
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

function addresses(config: Config, path: Path): Ipv4[] {
  return words(config, path).flatMap((each) => parseIpv4(each) ?? []);
}

function interfaceSettings(config: Config, name: "wan" | "lan"): InterfaceSettings {
  return {
    device: text(config, `interfaces ${name} device`) ?? "",
    address: prefix(config, `interfaces ${name} address`),
  };
}
