/** What is wrong with a configuration as a whole: each value alone was checked when it was typed. */
import type { Ipv4Prefix } from "../ports.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path } from "./config.ts";
import { account, flag, integer, ipv4, prefix, serverAddress, text, words } from "./settings.ts";

export interface Problem {
  readonly path: Path;
  readonly problem: string;
  /** What to do about it; a command where one helps. */
  readonly hint: string;
}

/** All problems, in the order of the schema. A configuration with problems is never stored. */
export function validate(config: Config): readonly Problem[] {
  return [...interfaces(config), ...server(config), ...accounts(config)];
}

/** What a person should hear once, when `after` takes the place of `before`. */
export function warnings(before: Config, after: Config): readonly string[] {
  if (!flag(after, "vpn server enabled")) return [];
  const heard: string[] = [];
  if (!flag(before, "vpn server enabled")) {
    heard.push(
      "PPTP is broken cryptography: whoever records a session can find its password and read it all. " +
        "Use it only where nothing better is possible, and with passwords used nowhere else.",
    );
  }
  if (!entriesOf(after, "vpn account").some((user) => flag(after, `vpn account ${user} enabled`)))
    heard.push("The VPN server is on, but no account can dial in: set vpn account NAME password PASSWORD.");
  return heard;
}

function interfaces(config: Config): Problem[] {
  const problems: Problem[] = [];
  const found = (path: Path, problem: string, hint: string): void => void problems.push({ path, problem, hint });
  const wan = prefix(config, "interfaces wan address");
  const lan = prefix(config, "interfaces lan address");
  const gateway = ipv4(config, "interfaces wan gateway");
  for (const [name, own] of [["wan", wan] as const, ["lan", lan] as const]) {
    if (own !== undefined && !isHostIn(own, own.address))
      found(
        `interfaces ${name} address`,
        `${formatIpv4(own.address)} is the network or broadcast address of its network`,
        `choose a host address from ${rangeOf(own)}`,
      );
  }
  if (gateway !== undefined && wan === undefined)
    found("interfaces wan gateway", "there is no WAN address", "set interfaces wan address ADDRESS/LENGTH");
  else if (gateway !== undefined && wan !== undefined && !isHostIn(wan, gateway))
    found("interfaces wan gateway", "it is not in the WAN's network", `choose one from ${rangeOf(wan)}`);
  else if (gateway !== undefined && gateway === wan?.address)
    found("interfaces wan gateway", "it is our own WAN address", "the gateway is the provider's router");
  const device = text(config, "interfaces wan device");
  if (device === text(config, "interfaces lan device"))
    found("interfaces lan device", `${device} is the WAN device too`, "WAN and LAN need a device each");
  if (wan !== undefined && lan !== undefined && overlap(rangeIn(wan), rangeIn(lan)))
    found("interfaces lan address", "the LAN's network overlaps the WAN's", "choose another network for the LAN");
  return problems;
}

function server(config: Config): Problem[] {
  const problems: Problem[] = [];
  const found = (path: Path, problem: string, hint: string): void => void problems.push({ path, problem, hint });
  const enabled = flag(config, "vpn server enabled");
  const own = serverAddress(config);
  const start = ipv4(config, "vpn server pool start");
  const count = integer(config, "vpn server pool count");
  const needed = "the VPN server is on and needs it";
  if (enabled && own === undefined)
    found("vpn server address", needed, "set vpn server address, or interfaces lan address");
  if (start === undefined && (enabled || count !== undefined))
    found(
      "vpn server pool start",
      enabled ? needed : "the pool has a count but no start",
      "set vpn server pool start ADDRESS",
    );
  if (count === undefined && (enabled || start !== undefined))
    found(
      "vpn server pool count",
      enabled ? needed : "the pool has a start but no count",
      "set vpn server pool count NUMBER",
    );
  if (start !== undefined && count !== undefined)
    problems.push(...pool(config, { first: start, last: start + count - 1 }));
  problems.push(...protection(config));
  return problems;
}

/** The pool against every address that is something else. */
function pool(config: Config, range: Range): Problem[] {
  const problems: Problem[] = [];
  const path = "vpn server pool start";
  const found = (problem: string, hint: string): void => void problems.push({ path, problem, hint });
  const shown = show(range);
  if (range.last >>> 24 > 223 || range.last > 0xffffffff)
    found(`the pool ${shown} runs out of the host addresses`, "choose a lower start or a smaller count");
  const own = serverAddress(config);
  if (own !== undefined && contains(range, own))
    found(`the pool ${shown} contains the server's own address ${formatIpv4(own)}`, "move the pool");
  const lan = prefix(config, "interfaces lan address");
  if (lan !== undefined && lan.address !== own && contains(range, lan.address))
    found(`the pool ${shown} contains the LAN address ${formatIpv4(lan.address)}`, "move the pool");
  if (lan !== undefined && !isInside(range, lan) && overlap(range, rangeIn(lan)))
    found(
      `the pool ${shown} lies partly inside the LAN's network, or holds its network or broadcast address`,
      `choose it whole from ${rangeOf(lan)}, or outside`,
    );
  const wan = prefix(config, "interfaces wan address");
  if (wan !== undefined && overlap(range, rangeIn(wan)))
    found(`the pool ${shown} overlaps the WAN's network`, "choose addresses that the Internet side does not use");
  return problems;
}

/** MPPE takes its keys from MS-CHAP (RFC 3079 §1): other ways to authenticate leave none. */
function protection(config: Config): Problem[] {
  const methods = words(config, "vpn server authentication");
  const keyless = methods.filter((method) => !method.startsWith("mschap"));
  const use = text(config, "vpn server encryption");
  if (use === "required" && keyless.length > 0)
    return [
      {
        path: "vpn server authentication",
        problem: `${keyless.join(" and ")} cannot be used with required encryption, which takes its keys from MS-CHAP`,
        hint: "remove it, or set vpn server encryption optional",
      },
    ];
  return [];
}

function accounts(config: Config): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<Ipv4, string>();
  for (const name of entriesOf(config, "vpn account")) {
    const { password, address } = account(config, name);
    const path = `vpn account ${name}`;
    if (password === "")
      problems.push({
        path: `${path} password`,
        problem: "the account has no password",
        hint: `set ${path} password PASSWORD`,
      });
    if (address === undefined) continue;
    const owner = owners.get(address);
    owners.set(address, owner ?? name);
    const taken = owner === undefined ? ownUse(config, address) : `account ${owner} has`;
    if (taken !== undefined)
      problems.push({
        path: `${path} address`,
        problem: `${taken} the address ${formatIpv4(address)} already`,
        hint: "choose an address that nobody has",
      });
  }
  return problems;
}

function ownUse(config: Config, address: Ipv4): string | undefined {
  if (address === ipv4(config, "vpn server address")) return "the VPN server has";
  if (address === prefix(config, "interfaces lan address")?.address) return "the LAN interface has";
  if (address === prefix(config, "interfaces wan address")?.address) return "the WAN interface has";
  return undefined;
}

/** Addresses from `first` to `last`, both included. */
interface Range {
  readonly first: number;
  readonly last: number;
}

function rangeIn({ address, length }: Ipv4Prefix): Range {
  const size = 2 ** (32 - length);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}
/** The host addresses of a network: all of it for /31 and /32 (RFC 3021). */
function hostsIn(prefix: Ipv4Prefix): Range {
  const { first, last } = rangeIn(prefix);
  return prefix.length >= 31 ? { first, last } : { first: first + 1, last: last - 1 };
}
function contains({ first, last }: Range, address: number): boolean {
  return first <= address && address <= last;
}
function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}
function isInside(range: Range, prefix: Ipv4Prefix): boolean {
  const hosts = hostsIn(prefix);
  return contains(hosts, range.first) && contains(hosts, range.last);
}
function isHostIn(prefix: Ipv4Prefix, address: Ipv4): boolean {
  return contains(hostsIn(prefix), address);
}
function rangeOf(prefix: Ipv4Prefix): string {
  return show(hostsIn(prefix));
}
function show({ first, last }: Range): string {
  const end = Math.min(last, 0xffffffff);
  return `${formatIpv4(first as Ipv4)} to ${formatIpv4(end as Ipv4)}`;
}
