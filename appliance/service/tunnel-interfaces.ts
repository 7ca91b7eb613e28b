/**
 * The kernel's side of tunnels: one TUN interface per session with its routes, the host route that keeps a tunnel from
 * routing through itself, and the placeholder interface on which a dial-on-demand client waits for its first packet.
 */
import type { Ipv4Prefix, Log, Net, Tun } from "../ports.ts";
import type { LocalCallId } from "../pptp/call-id.ts";
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";

export interface TunnelInterfaceEvents {
  /** Packets wait on the interface of this call. */
  packets(callId: LocalCallId): void;
  /** A packet wants through the tunnel of a client that is not connected. */
  demand(client: string): void;
}

interface Interface {
  readonly tun: Tun;
  readonly routes: readonly Ipv4Prefix[];
}

/** Addresses of placeholder interfaces; RouterOS uses the same network for the same purpose. */
const PLACEHOLDER_LOCAL = Ipv4(0x0a707000);
const PLACEHOLDER_REMOTE = Ipv4(0x0a707100);

export class TunnelInterfaces {
  readonly #net: Net;
  readonly #log: Log;
  readonly #events: TunnelInterfaceEvents;
  readonly #sessions = new Map<LocalCallId, Interface>();
  readonly #placeholders = new Map<string, Interface & { readonly number: number }>();
  /** How many sessions lean on the host route to a server. */
  readonly #hostRoutes = new Map<Ipv4, number>();

  constructor(net: Net, log: Log, events: TunnelInterfaceEvents) {
    this.#net = net;
    this.#log = log;
    this.#events = events;
  }

  nameOf(callId: LocalCallId): string | undefined {
    return this.#sessions.get(callId)?.tun.name;
  }

  /** Throws a `SystemError` when the kernel refuses the interface; a refused route is logged, and the rest goes on. */
  up(
    callId: LocalCallId,
    ends: { local: Ipv4; remote: Ipv4; mtu: number },
    routes: readonly Ipv4Prefix[],
    nat: boolean,
  ): Tun {
    const tun = this.#net.openTun({ name: this.#freeName(nat), ...ends }, () => this.#events.packets(callId));
    this.#sessions.set(callId, { tun, routes });
    this.#addRoutes(tun.name, routes);
    return tun;
  }

  /**
   * The routes without those that would take a network of ours away: the kernel has one route to each. Configured ones
   * were checked before; a RADIUS server's come as they come.
   */
  withoutOwnNetworks(routes: readonly Ipv4Prefix[]): readonly Ipv4Prefix[] {
    if (routes.length === 0) return routes;
    const own = this.#net.interfaces().flatMap(({ mac, addresses }) => (mac === undefined ? [] : addresses));
    return routes.filter((route) => {
      const taken = own.some(({ address, length }) => length === route.length && isIn(address, route));
      if (taken)
        this.#log.write("warning", "pptp", `no route to ${text(route)} into a tunnel: that network is our own`);
      return !taken;
    });
  }

  down(callId: LocalCallId): void {
    this.#sessions.get(callId)?.tun.close(); // its routes go with it
    this.#sessions.delete(callId);
  }

  /** IPv6 on the interface of this call; `identifier` has 8 bytes. */
  addLinkLocal(callId: LocalCallId, identifier: Buffer): void {
    const name = this.nameOf(callId);
    if (name !== undefined) this.#attempt(() => this.#net.addLinkLocal(name, identifier));
  }

  /** Opens the interface on which a first packet dials `client`; its routes point there until the session's take over. */
  wait(client: string, routes: readonly Ipv4Prefix[], mtu: number, nat: boolean): void {
    if (this.#placeholders.has(client)) return;
    const number = this.#freeNumber();
    const ends = { local: Ipv4(PLACEHOLDER_LOCAL + number), remote: Ipv4(PLACEHOLDER_REMOTE + number), mtu };
    this.#attempt(() => {
      const tun: Tun = this.#net.openTun({ name: this.#freeName(nat), ...ends }, () => {
        tun.receive(() => {}); // the packet that dials is lost, as on any wire: who sent it sends it again
        this.#events.demand(client);
      });
      this.#placeholders.set(client, { tun, routes, number });
      this.#addRoutes(tun.name, routes);
    });
  }

  stopWaiting(client: string): void {
    this.#placeholders.get(client)?.tun.close();
    this.#placeholders.delete(client);
  }

  /**
   * Pins the way to a server before its tunnel has routes, so that none of them can lead the tunnel into itself: without
   * it a default route through the tunnel locks up the router (xl2tpd #109). Removed by `unpin`, also at exit.
   */
  pin(server: Ipv4): void {
    const users = this.#hostRoutes.get(server) ?? 0;
    this.#hostRoutes.set(server, users + 1);
    if (users > 0) return;
    this.#attempt(() => {
      const by = this.#net.nextHopTo(server);
      if (by !== undefined) this.#net.addRoute({ address: server, length: 32 }, by);
    });
  }

  unpin(server: Ipv4): void {
    const users = (this.#hostRoutes.get(server) ?? 0) - 1;
    if (users > 0) {
      this.#hostRoutes.set(server, users);
      return;
    }
    if (this.#hostRoutes.delete(server)) this.#attempt(() => this.#net.removeRoute({ address: server, length: 32 }));
  }

  close(): void {
    for (const callId of [...this.#sessions.keys()]) this.down(callId);
    for (const client of [...this.#placeholders.keys()]) this.stopWaiting(client);
    for (const server of [...this.#hostRoutes.keys()]) {
      this.#hostRoutes.set(server, 1);
      this.unpin(server);
    }
  }

  #addRoutes(interfaceName: string, routes: readonly Ipv4Prefix[]): void {
    for (const route of routes) this.#attempt(() => this.#net.addRoute(route, { interfaceName, gateway: undefined }));
  }

  #attempt(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#log.write("error", "pptp", error instanceof Error ? error.message : String(error));
    }
  }

  /** Two clients that wait have two addresses, whoever waited before them. */
  #freeNumber(): number {
    const taken = new Set([...this.#placeholders.values()].map(({ number }) => number));
    for (let n = 1; ; n++) if (!taken.has(n)) return n;
  }

  /**
   * By its name the firewall's ruleset knows whether to hide the LAN in a tunnel: no packet can pass before it does. The
   * placeholder has such a name too, or the connection whose first packet dials would keep its own address for good.
   */
  #freeName(nat: boolean): string {
    const stem = nat ? "pptp-nat" : "pptp";
    const taken = new Set([...this.#sessions.values(), ...this.#placeholders.values()].map(({ tun }) => tun.name));
    for (let n = 0; ; n++) if (!taken.has(`${stem}${n}`)) return `${stem}${n}`;
  }
}

function isIn(address: Ipv4, { address: network, length }: Ipv4Prefix): boolean {
  const size = 2 ** (32 - length);
  return Math.floor(address / size) === Math.floor(network / size);
}
function text({ address, length }: Ipv4Prefix): string {
  return `${formatIpv4(address)}/${length}`;
}
