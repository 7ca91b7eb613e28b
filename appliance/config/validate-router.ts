/** What is wrong with the router's part of a configuration as a whole. */
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path } from "./config.ts";
import type { Problem } from "./problem.ts";
import { contains, isHostIn, isInside, overlap, type Range, rangeIn, rangeOf, showRange } from "./range.ts";
import { enabledClients, flag, integer, ipv4, prefix, serverAddress, text } from "./settings.ts";
import { type PortMapping, type PortRange, parsePorts, portMappings, type Transport } from "./settings-router.ts";
import { parsePrefix } from "./value.ts";

type Found = (path: Path, problem: string, hint: string) => void;

const PPTP_PORT = 1723;

export function router(config: Config): readonly Problem[] {
  const problems: Problem[] = [];
  const found: Found = (path, problem, hint) => void problems.push({ path, problem, hint });
  dhcpServer(config, found);
  mappings(config, found);
  openServices(config, found);
  if (flag(config, "firewall routed") && flag(config, "nat enabled"))
    found(
      "firewall routed",
      "with NAT the Internet knows no address behind us",
      "set nat mapping NAME for single ports, or set nat enabled false",
    );
  staticRoutes(config, found);
  return problems;
}

function dhcpServer(config: Config, found: Found): void {
  const enabled = flag(config, "dhcp-server enabled");
  const lan = prefix(config, "interfaces lan address");
  const start = ipv4(config, "dhcp-server pool start");
  const count = integer(config, "dhcp-server pool count");
  const needed = "the DHCP server is on and needs it";
  if (enabled && lan === undefined)
    found("interfaces lan address", needed, "set interfaces lan address ADDRESS/LENGTH");
  if (enabled && start === undefined) found("dhcp-server pool start", needed, "set dhcp-server pool start ADDRESS");
  if (enabled && count === undefined) found("dhcp-server pool count", needed, "set dhcp-server pool count NUMBER");
  if (start !== undefined && count !== undefined && lan !== undefined)
    dhcpPool(config, { first: start, last: start + count - 1 }, found);
  dhcpHosts(config, found);
}

function dhcpPool(config: Config, range: Range, found: Found): void {
  const path = "dhcp-server pool start";
  const lan = prefix(config, "interfaces lan address");
  const shown = showRange(range);
  if (lan === undefined) return;
  if (!isInside(range, lan))
    found(path, `the pool ${shown} is not all inside the LAN's network`, `choose it whole from ${rangeOf(lan)}`);
  else if (contains(range, lan.address))
    found(path, `the pool ${shown} contains the LAN address ${formatIpv4(lan.address)}`, "move the pool");
  const first = ipv4(config, "vpn server pool start");
  const dialIn =
    first === undefined ? undefined : { first, last: first + (integer(config, "vpn server pool count") ?? 1) - 1 };
  if (dialIn !== undefined && overlap(range, dialIn))
    found(path, `the pool ${shown} overlaps the VPN server's, ${showRange(dialIn)}`, "one address, one owner: move it");
  const server = serverAddress(config);
  if (server !== undefined && server !== lan.address && contains(range, server))
    found(path, `the pool ${shown} contains the VPN server's address ${formatIpv4(server)}`, "move the pool");
}

function dhcpHosts(config: Config, found: Found): void {
  const lan = prefix(config, "interfaces lan address");
  const owners = new Map<string, string>();
  for (const name of entriesOf(config, "dhcp-server host")) {
    const path = `dhcp-server host ${name}`;
    const mac = text(config, `${path} mac`)?.toLowerCase();
    const address = ipv4(config, `${path} address`);
    if (mac === undefined) found(`${path} mac`, "the host needs it", `set ${path} mac XX:XX:XX:XX:XX:XX`);
    if (address === undefined) found(`${path} address`, "the host needs it", `set ${path} address ADDRESS`);
    if (mac !== undefined && Number.parseInt(mac.slice(0, 2), 16) % 2 === 1)
      found(`${path} mac`, `${mac} is a group's address, no host's`, "see the label, or `show dhcp leases`");
    if (address !== undefined && lan !== undefined && !isHostIn(lan, address))
      found(`${path} address`, "it is not in the LAN's network", `choose one from ${rangeOf(lan)}`);
    if (address !== undefined && address === lan?.address)
      found(`${path} address`, "it is our own LAN address", "choose an address that nobody has");
    for (const [setting, value] of [["mac", mac] as const, ["address", address && formatIpv4(address)] as const]) {
      if (value === undefined) continue;
      const owner = owners.get(value);
      if (owner !== undefined) found(`${path} ${setting}`, `host ${owner} has ${value} already`, "each host its own");
      else owners.set(value, name);
    }
  }
}

function mappings(config: Config, found: Found): void {
  for (const name of entriesOf(config, "nat mapping")) {
    const path = `nat mapping ${name}`;
    const text_ = text(config, `${path} port`);
    const ports = parsePorts(text_);
    if (!flag(config, `${path} enabled`)) continue;
    if (text_ === undefined) found(`${path} port`, "the mapping needs it", `set ${path} port PORT`);
    else if (ports === undefined)
      found(`${path} port`, `${text_} is no range of ports`, "from 1 to 65535, lower first");
    if (ipv4(config, `${path} address`) === undefined)
      found(`${path} address`, "the mapping needs it", `set ${path} address ADDRESS`);
    if (ports !== undefined && ports.first < ports.last && integer(config, `${path} to-port`) !== undefined)
      found(`${path} to-port`, "the ports of a range stay as they are", `delete ${path} to-port`);
  }
  const all = portMappings(config);
  for (const [i, mapping] of all.entries()) mappingTarget(config, mapping, all.slice(0, i), found);
}

function mappingTarget(config: Config, mapping: PortMapping, earlier: readonly PortMapping[], found: Found): void {
  const path = `nat mapping ${mapping.name}`;
  const { address } = mapping;
  const own = ["interfaces lan address", "interfaces wan address"].some(
    (each) => prefix(config, each)?.address === address,
  );
  if (own)
    found(`${path} address`, `${formatIpv4(address)} is our own address`, "firewall service opens ports of the device");
  const rival = earlier.find((each) => portsMeet(each, mapping));
  if (rival !== undefined)
    found(`${path} port`, `mapping ${rival.name} has a port of it already`, "a port leads to one host only");
  const service = openPorts(config).find((each) => portsMeet(each, mapping));
  if (service !== undefined)
    found(`${path} port`, `firewall service ${service.name} opens a port of it on the device`, "delete one of the two");
  const pptp = { transports: ["tcp"] as const, ports: { first: PPTP_PORT, last: PPTP_PORT } };
  if (flag(config, "vpn server enabled") && portsMeet(pptp, mapping))
    found(`${path} port`, "the VPN server of the device answers at TCP port 1723", "set vpn server enabled false");
}

interface Ports {
  readonly transports: readonly Transport[];
  readonly ports: PortRange;
}

function portsMeet(a: Ports, b: Ports): boolean {
  return a.transports.some((each) => b.transports.includes(each)) && overlap(a.ports, b.ports);
}

function openPorts(config: Config): readonly (Ports & { readonly name: string })[] {
  return entriesOf(config, "firewall service").flatMap((name) => {
    const ports = parsePorts(text(config, `firewall service ${name} port`));
    const protocol = text(config, `firewall service ${name} protocol`);
    const transports: readonly Transport[] = protocol === "both" ? ["tcp", "udp"] : [protocol as Transport];
    return ports === undefined ? [] : [{ name, transports, ports }];
  });
}

function openServices(config: Config, found: Found): void {
  for (const name of entriesOf(config, "firewall service")) {
    const path = `firewall service ${name} port`;
    const ports = text(config, path);
    if (ports === undefined) found(path, "the service needs it", `set ${path} PORT`);
    else if (parsePorts(ports) === undefined)
      found(path, `${ports} is no range of ports`, "from 1 to 65535, lower first");
  }
}

function staticRoutes(config: Config, found: Found): void {
  const lan = prefix(config, "interfaces lan address");
  const wan = prefix(config, "interfaces wan address");
  const isStatic = text(config, "interfaces wan mode") === "static";
  for (const network of entriesOf(config, "routes static")) {
    const path = `routes static ${network}`;
    const destination = parsePrefix(network);
    if (destination === undefined) continue;
    const base = `${formatIpv4(Ipv4(rangeIn(destination).first))}/${destination.length}`;
    if (base !== network)
      found(
        path,
        `${network} has bits behind its prefix`,
        `the network is ${base}: delete this, set routes static ${base}`,
      );
    for (const [what, own] of [["LAN", lan] as const, ["WAN", wan] as const]) {
      if (own === undefined || own.length !== destination.length || rangeIn(own).first !== destination.address)
        continue;
      found(path, `it is the network of the ${what}`, "a network can be reached one way only");
    }
    const gateway = ipv4(config, `${path} via gateway`);
    const tunnel = text(config, `${path} via tunnel`);
    if (gateway !== undefined && tunnel !== undefined)
      found(`${path} via`, "there are a gateway and a tunnel", "a network can be reached one way only: delete one");
    if (tunnel !== undefined && !enabledClients(config).includes(tunnel))
      found(
        `${path} via tunnel`,
        `there is no enabled client ${tunnel}`,
        `clients: ${enabledClients(config).join(", ") || "none"}`,
      );
    if (gateway === undefined) continue;
    if (gateway === lan?.address || gateway === wan?.address)
      found(`${path} via gateway`, "it is our own address", "the gateway is another router");
    // What a provider gives us later is not known here.
    else if (isStatic && ![lan, wan].some((own) => own !== undefined && isHostIn(own, gateway)))
      found(`${path} via gateway`, "it is in no network of ours", "choose a router on the LAN or the WAN");
  }
}
