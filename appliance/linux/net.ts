/** Interfaces, addresses and routes of the kernel, by rtnetlink and /proc/sys. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Addon } from "../native/addon.ts";
import { type Net, type NetInterface, SystemError } from "../ports.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { parseRouteTable } from "./route-table.ts";
import { RouteNetlink } from "./rtnetlink.ts";
import { systemCall } from "./system-call.ts";
import { KernelTun } from "./tun.ts";

export function kernelNet(addon: Addon): Net {
  const netlink = new RouteNetlink(addon);

  const indexOf = (operation: string, name: string): number => {
    const link = netlink.links().find((each) => each.name === name);
    if (link === undefined) throw new SystemError(operation, "ENODEV");
    return link.index;
  };

  return {
    interfaces() {
      const addresses = netlink.addresses();
      return netlink.links().map((link): NetInterface => {
        const { index, hardwareAddress, master: _, ...seen } = link;
        return {
          ...seen,
          mac: hardwareAddress?.toString("hex").replace(/..(?!$)/g, "$&:"),
          addresses: addresses.filter((each) => each.index === index).map((each) => each.prefix),
        };
      });
    },

    setUp(name, up) {
      const operation = `set ${name} ${up ? "up" : "down"}`;
      netlink.setLink(operation, indexOf(operation, name), { up });
    },

    addAddress(name, prefix) {
      const operation = `add ${formatIpv4(prefix.address)}/${prefix.length} to ${name}`;
      unless("EEXIST", () => netlink.addAddress(operation, indexOf(operation, name), prefix));
    },

    removeAddress(name, prefix) {
      const operation = `remove ${formatIpv4(prefix.address)}/${prefix.length} from ${name}`;
      unless("EADDRNOTAVAIL", () => netlink.removeAddress(operation, indexOf(operation, name), prefix));
    },

    setDefaultGateway(gateway) {
      if (gateway === undefined) unless("ESRCH", () => netlink.deleteDefaultRoute("remove the default route"));
      else netlink.setDefaultGateway(`set the default route to ${formatIpv4(gateway)}`, gateway);
    },

    defaultGateway: (): Ipv4 | undefined => netlink.defaultGateway(),

    addRoute(destination, { interfaceName, gateway }) {
      const by = gateway === undefined ? interfaceName : `${formatIpv4(gateway)} on ${interfaceName}`;
      const operation = `route ${formatIpv4(destination.address)}/${destination.length} by ${by}`;
      netlink.setRoute(operation, destination, indexOf(operation, interfaceName), gateway);
    },

    removeRoute(destination) {
      const operation = `remove the route to ${formatIpv4(destination.address)}/${destination.length}`;
      unless("ESRCH", () => netlink.deleteRoute(operation, destination));
    },

    routes: () => parseRouteTable(systemCall(() => readFileSync("/proc/net/route", "latin1"), "read the routes")),

    nextHopTo(address) {
      try {
        const { outputInterface, gateway } = netlink.lookUp(`look up the route to ${formatIpv4(address)}`, address);
        const found = netlink.links().find(({ index }) => index === outputInterface);
        return found && { interfaceName: found.name, gateway };
      } catch (error) {
        if (error instanceof SystemError && error.errno === "ENETUNREACH") return undefined;
        throw error;
      }
    },

    setForwarding: (on) => setKernelValue("net/ipv4/ip_forward", on ? "1" : "0"),
    setProxyArp(name, on) {
      // Waiting up to 0.8 s lets others answer first (arp(7)): nobody else has these addresses. It would also let a host's
      // first packets arrive as one burst, of which connection tracking drops all pings but the first.
      setKernelValue(`net/ipv4/neigh/${name}/proxy_delay`, on ? "0" : "80");
      setKernelValue(`net/ipv4/conf/${name}/proxy_arp`, on ? "1" : "0");
    },

    setBridge(name, members) {
      const before = netlink.links();
      const present = before.find((link) => link.name === name);
      if (members === undefined) {
        if (present !== undefined) netlink.deleteLink(`take bridge ${name} away`, present.index);
        return;
      }
      const operation = `bridge ${name} of ${members.join(", ")}`;
      const cards = members.map((member) => ({ index: indexOf(operation, member), member }));
      if (present === undefined) {
        const first = before.find((link) => link.name === members[0]);
        netlink.addBridge(operation, name, first?.hardwareAddress);
      }
      const bridge = indexOf(operation, name);
      for (const { index, master } of before)
        if (master === bridge && !cards.some((card) => card.index === index)) netlink.setMaster(operation, index, 0);
      for (const { index } of cards) {
        if (before.find((link) => link.index === index)?.master !== bridge) netlink.setMaster(operation, index, bridge);
        netlink.setLink(operation, index, { up: true });
      }
    },

    addLinkLocal(name, identifier) {
      const operation = `give ${name} its IPv6 link-local address`;
      setKernelValue(`net/ipv6/conf/${name}/disable_ipv6`, "0");
      netlink.addLinkLocal(operation, indexOf(operation, name), identifier);
    },

    openTun({ name, local, remote, mtu }, onReadable) {
      const handle = systemCall(() => addon.tunOpen(name), `open TUN interface ${name}`);
      const tun = new KernelTun(addon, handle, name, mtu);
      try {
        const index = indexOf(`set up ${name}`, name);
        // Or the kernel gives it a link-local address and sends router solicitations into the tunnel.
        unless("ENOENT", () => setKernelValue(`net/ipv6/conf/${name}/disable_ipv6`, "1"));
        const operation = `give ${name} the address ${formatIpv4(local)}, peer ${formatIpv4(remote)}`;
        netlink.addAddress(operation, index, { address: local, length: 32 }, remote);
        netlink.setLink(`set ${name} up with MTU ${mtu}`, index, { up: true, mtu });
        systemCall(() => addon.watch(handle, onReadable));
      } catch (error) {
        tun.close();
        throw error;
      }
      return tun;
    },
  };
}

/** Runs `change`; a refusal with this errno means that things are as they should be. */
function unless(errno: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === errno)) throw error;
  }
}

function setKernelValue(path: string, value: string): void {
  systemCall(() => writeFileSync(`/proc/sys/${path}`, value), `write ${value} to /proc/sys/${path}`);
}
