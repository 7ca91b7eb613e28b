/** What is wrong with a configuration as a whole: each value alone was checked when it was typed. */
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path } from "./config.ts";
import type { Problem } from "./problem.ts";
import { contains, isHostIn, isInside, overlap, type Range, rangeIn, rangeOf, showRange } from "./range.ts";
import {
  account,
  enabledClients,
  flag,
  integer,
  ipv4,
  networks,
  prefix,
  radiusServers,
  serverAddress,
  text,
  tunnelRoutes,
  words,
} from "./settings.ts";
import { router } from "./validate-router.ts";
import { ssh } from "./validate-ssh.ts";

/** All problems, in the order of the schema. A configuration with problems is never stored. */
export function validate(config: Config): readonly Problem[] {
  return [
    ...ssh(config),
    ...interfaces(config),
    ...server(config),
    ...accounts(config),
    ...radius(config),
    ...clients(config),
    ...routesIntoTunnels(config),
    ...router(config),
  ];
}

/** What a person should hear once, when `after` takes the place of `before`. */
export function warnings(before: Config, after: Config): readonly string[] {
  const heard: string[] = [];
  const [usedBefore, used] = [endsOf(before), endsOf(after)];
  if (usedBefore.length === 0 && used.length > 0) {
    heard.push(
      "PPTP is broken cryptography: whoever records a session can find its password and read it all. " +
        "Use it only where nothing better is possible, and with passwords used nowhere else.",
    );
  }
  for (const end of used.filter((each) => hasRepeatedKeys(after, each))) {
    if (usedBefore.includes(end) && hasRepeatedKeys(before, end)) continue;
    heard.push(
      `${end}: after MS-CHAPv1 the keys of 40 and 56 bits are the same in every session of an account, and a password ` +
        "of more than 14 characters has none. Use MS-CHAPv2, or 128 bits.",
    );
  }
  const mayDialIn = entriesOf(after, "vpn account").some((user) => flag(after, `vpn account ${user} enabled`));
  const asksRadius = words(after, "vpn server accounts").includes("radius");
  if (flag(after, "vpn server enabled") && !mayDialIn && !asksRadius)
    heard.push("The VPN server is on, but no account can dial in: set vpn account NAME password PASSWORD.");
  return heard;
}

/** Where the tunnels that are in use are configured. */
function endsOf(config: Config): readonly Path[] {
  const server = flag(config, "vpn server enabled") ? ["vpn server"] : [];
  return [...server, ...enabledClients(config).map((name) => `vpn client ${name}`)];
}

/** RFC 3079 §2: MS-CHAPv1 makes the short keys of the LAN Manager hash alone. */
function hasRepeatedKeys(config: Config, end: Path): boolean {
  const short = words(config, `${end} strengths`).some((bits) => bits !== "128");
  const encrypts = text(config, `${end} encryption`) !== "none";
  return encrypts && short && words(config, `${end} authentication`).includes("mschap-v1");
}

function interfaces(config: Config): Problem[] {
  const problems: Problem[] = [];
  const found = (path: Path, problem: string, hint: string): void => void problems.push({ path, problem, hint });
  const wan = prefix(config, "interfaces wan address");
  const lan = prefix(config, "interfaces lan address");
  const gateway = ipv4(config, "interfaces wan gateway");
  const mode = text(config, "interfaces wan mode");
  for (const [name, own] of [["wan", wan] as const, ["lan", lan] as const]) {
    if (own !== undefined && !isHostIn(own, own.address))
      found(
        `interfaces ${name} address`,
        `${formatIpv4(own.address)} is the network or broadcast address of its network`,
        `choose a host address from ${rangeOf(own)}`,
      );
  }
  if (mode !== "static") problems.push(...learnedWan(config, mode ?? ""));
  else if (gateway !== undefined && wan === undefined)
    found("interfaces wan gateway", "there is no WAN address", "set interfaces wan address ADDRESS/LENGTH");
  else if (gateway !== undefined && wan !== undefined && !isHostIn(wan, gateway))
    found("interfaces wan gateway", "it is not in the WAN's network", `choose one from ${rangeOf(wan)}`);
  else if (gateway !== undefined && gateway === wan?.address)
    found("interfaces wan gateway", "it is our own WAN address", "the gateway is the provider's router");
  const device = text(config, "interfaces wan device");
  if (device === text(config, "interfaces lan device"))
    found("interfaces lan device", `${device} is the WAN device too`, "WAN and LAN need a device each");
  const ports = words(config, "interfaces lan ports");
  if (ports.length > 0 && config.has("interfaces lan device"))
    found("interfaces lan ports", "the LAN has a device of its own", "delete interfaces lan device, or these ports");
  if (device !== undefined && ports.includes(device) && config.has("interfaces wan device"))
    found("interfaces lan ports", `${device} is the WAN device too`, "WAN and LAN need a device each");
  if (wan !== undefined && lan !== undefined && overlap(rangeIn(wan), rangeIn(lan)))
    found("interfaces lan address", "the LAN's network overlaps the WAN's", "choose another network for the LAN");
  return problems;
}

/** A WAN whose address comes from the provider. */
function learnedWan(config: Config, mode: string): Problem[] {
  const problems: Problem[] = [];
  for (const setting of ["address", "gateway"]) {
    const path = `interfaces wan ${setting}`;
    if (text(config, path) !== undefined)
      problems.push({ path, problem: `with mode ${mode} it comes from the provider`, hint: `delete ${path}` });
  }
  for (const [setting, value] of [["user", "NAME"] as const, ["password", "PASSWORD"] as const]) {
    const path = `interfaces wan pppoe ${setting}`;
    if (mode === "pppoe" && text(config, path) === undefined)
      problems.push({ path, problem: "mode pppoe needs it", hint: `set ${path} ${value}` });
  }
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
  problems.push(...protection(config, "vpn server"));
  return problems;
}

/** The pool against every address that is something else. */
function pool(config: Config, range: Range): Problem[] {
  const problems: Problem[] = [];
  const path = "vpn server pool start";
  const found = (problem: string, hint: string): void => void problems.push({ path, problem, hint });
  const shown = showRange(range);
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

/** MPPE takes its keys from MS-CHAP (RFC 3079 §2–§3): other ways to authenticate leave none. */
function protection(config: Config, end: Path): Problem[] {
  const methods = words(config, `${end} authentication`);
  const keyless = methods.filter((method) => !method.startsWith("mschap"));
  const use = text(config, `${end} encryption`);
  if (use === "required" && keyless.length > 0)
    return [
      {
        path: `${end} authentication`,
        problem: `${keyless.join(" and ")} cannot be used with required encryption, which takes its keys from MS-CHAP`,
        hint: `set ${end} authentication mschap-v2, or set ${end} encryption optional`,
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
    const taken = owner === undefined ? ownUse(config, address) : `account ${owner}`;
    if (taken !== undefined)
      problems.push({
        path: `${path} address`,
        problem: `${taken} has the address ${formatIpv4(address)} already`,
        hint: "choose an address that nobody has",
      });
  }
  return problems;
}

function radius(config: Config): Problem[] {
  const problems: Problem[] = [];
  const found = (path: Path, problem: string, hint: string): void => void problems.push({ path, problem, hint });
  const names = radiusServers(config);
  const places = new Map<string, string>();
  for (const name of names) {
    const path = `vpn radius server ${name}`;
    for (const [setting, value] of Object.entries({ address: "ADDRESS", secret: "SECRET" })) {
      if (text(config, `${path} ${setting}`) === undefined)
        found(`${path} ${setting}`, "the RADIUS server needs it", `set ${path} ${setting} ${value}`);
    }
    const address = ipv4(config, `${path} address`);
    const ports = ["authentication-port", "accounting-port"].map((word) => integer(config, `${path} ${word}`));
    if (ports[0] === ports[1])
      found(`${path} accounting-port`, `${ports[0]} is the authentication port too`, "each needs a port of its own");
    for (const port of address === undefined ? [] : new Set(ports)) {
      const owner = places.get(`${address} ${port}`);
      if (owner !== undefined)
        found(`${path} address`, `server ${owner} is at the same address and port ${port}`, "delete one of the two");
      places.set(`${address} ${port}`, owner ?? name);
    }
  }
  if (words(config, "vpn server accounts").includes("radius") && names.length === 0)
    found(
      "vpn radius server",
      "RADIUS is to be asked about callers, and no server is there",
      "set vpn radius server NAME address ADDRESS",
    );
  return problems;
}

/** A client that is off may be unfinished, or stand by for another with the same routes. */
function clients(config: Config): Problem[] {
  const problems: Problem[] = [];
  const found = (path: Path, problem: string, hint: string): void => void problems.push({ path, problem, hint });
  for (const name of enabledClients(config)) {
    const path = `vpn client ${name}`;
    for (const [setting, value] of Object.entries({ server: "ADDRESS", user: "NAME", password: "PASSWORD" })) {
      if (text(config, `${path} ${setting}`) === undefined)
        found(`${path} ${setting}`, "the client needs it", `set ${path} ${setting} ${value}`);
    }
    const server = ipv4(config, `${path} server`);
    const own = server === undefined ? undefined : ownUse(config, server);
    if (server !== undefined && own !== undefined)
      found(
        `${path} server`,
        `${formatIpv4(server)} is our own address: ${own} has it`,
        "set the address of the far end",
      );
    problems.push(...protection(config, path));
    const routes = networks(config, `${path} route`);
    const leadsIn = routes.length + tunnelRoutes(config, name).length;
    if (text(config, `${path} dial`) === "on-demand" && leadsIn === 0)
      found(`${path} route`, "no packet can ever make it dial", `set ${path} route NETWORK/LENGTH, or dial always`);
  }
  return problems;
}

/** Each network behind a tunnel is behind one tunnel. Accounts that are disabled and clients that are off stand by. */
function routesIntoTunnels(config: Config): Problem[] {
  const problems: Problem[] = [];
  const takenBy = fixedRoutes(config);
  const users = entriesOf(config, "vpn account").filter((user) => flag(config, `vpn account ${user} enabled`));
  const ends = [...users.map((name) => `account ${name}`), ...enabledClients(config).map((name) => `client ${name}`)];
  for (const end of ends) {
    const path = `vpn ${end} route`;
    for (const { address, length } of networks(config, path)) {
      const route = `${formatIpv4(address)}/${length}`;
      const owner = takenBy.get(route);
      const hint = "a network can be reached one way only";
      if (owner !== undefined) problems.push({ path, problem: `${route} is ${owner} already`, hint });
      else takenBy.set(route, `a route of ${end}`);
    }
  }
  return problems;
}

/**
 * Networks that a tunnel's route would take away from us, by what they are: the kernel has one route to each. A wider
 * route is harmless, as the narrower one wins.
 */
function fixedRoutes(config: Config): Map<string, string> {
  const routes = new Map<string, string>();
  for (const name of ["wan", "lan"]) {
    const own = prefix(config, `interfaces ${name} address`);
    if (own !== undefined)
      routes.set(`${formatIpv4(Ipv4(rangeIn(own).first))}/${own.length}`, `the network of the ${name.toUpperCase()}`);
  }
  for (const network of entriesOf(config, "routes static")) routes.set(network, "a static route");
  for (const name of enabledClients(config)) {
    const server = ipv4(config, `vpn client ${name} server`);
    if (server !== undefined) routes.set(`${formatIpv4(server)}/32`, `the way to the server of client ${name}`);
  }
  return routes;
}

function ownUse(config: Config, address: Ipv4): string | undefined {
  if (address === ipv4(config, "vpn server address")) return "the VPN server";
  if (address === prefix(config, "interfaces lan address")?.address) return "the LAN interface";
  if (address === prefix(config, "interfaces wan address")?.address) return "the WAN interface";
  return undefined;
}
