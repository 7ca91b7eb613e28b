/** What the router does, as a person reads it: addresses as text, times as durations. */
import type { WanSettings } from "../config/settings-router.ts";
import type { Ipv4Prefix, Route as KernelRoute } from "../ports.ts";
import type { FirewallRule as Rule } from "../router/firewall-counters.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import type { Router } from "./router.ts";
import type { TimeServerStatus as Status } from "./time-client.ts";

export interface WanStatus {
  readonly mode: WanSettings["mode"];
  readonly interfaceName: string;
  readonly address: string | undefined;
  readonly gateway: string | undefined;
  readonly dns: readonly string[];
  /** Undefined while there is no connection to the provider. */
  readonly connectedForMs: number | undefined;
  readonly lastFailure: string | undefined;
}
export interface Route {
  readonly network: string;
  readonly gateway: string | undefined;
  readonly interfaceName: string;
}
export interface Lease {
  readonly address: string;
  readonly mac: string;
  readonly name: string | undefined;
  /** Undefined: it does not end. */
  readonly leftMs: number | undefined;
}
export type FirewallRule = Rule;
export interface TimeServerStatus extends Omit<Status, "answeredAt"> {
  readonly answeredForMs: number | undefined;
}

export interface ProbeEvents {
  line(text: string): void;
  ended(how: string | undefined): void;
}

/** The router, for looking at: what it is to do it gets from the configuration. */
export class RouterViews {
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  wan(): WanStatus {
    const { mode, interfaceName, address, gateway, dns, since, lastFailure } = this.#router.wan();
    return {
      mode,
      interfaceName,
      address: address === undefined ? undefined : formatIpv4(address),
      gateway: gateway === undefined ? undefined : formatIpv4(gateway),
      dns: dns.map(formatIpv4),
      connectedForMs: since === undefined ? undefined : this.#router.now() - since,
      lastFailure,
    };
  }
  /** Narrow networks last, as the kernel prefers them. */
  routes(): readonly Route[] {
    const byWidth = (a: KernelRoute, b: KernelRoute): number =>
      a.destination.length - b.destination.length || a.destination.address - b.destination.address;
    return [...this.#router.routes()].sort(byWidth).map(({ destination, by }) => ({
      network: destination.length === 0 ? "default" : formatPrefix(destination),
      gateway: by.gateway === undefined ? undefined : formatIpv4(by.gateway),
      interfaceName: by.interfaceName,
    }));
  }
  leases(): readonly Lease[] {
    return this.#router.leases().map(({ address, mac, name, expiresAt }) => ({
      address: formatIpv4(address),
      mac,
      name,
      leftMs: expiresAt === undefined ? undefined : expiresAt * 1000 - this.#router.timeMs(),
    }));
  }
  /** Or why it cannot be told, as a sentence. */
  firewallRules(): Promise<readonly FirewallRule[] | string> {
    return this.#router.firewallRules();
  }
  timeServers(): readonly TimeServerStatus[] {
    return this.#router.timeServers().map(({ answeredAt, ...server }) => ({
      ...server,
      answeredForMs: answeredAt === undefined ? undefined : this.#router.now() - answeredAt,
    }));
  }
  /** The time of day, ISO 8601. */
  time(): string {
    return new Date(this.#router.timeMs()).toISOString();
  }
  probe(tool: "ping" | "traceroute", host: string, events: ProbeEvents): { stop(): void } {
    return this.#router.probe(tool, host, events);
  }
}

function formatPrefix({ address, length }: Ipv4Prefix): string {
  return `${formatIpv4(address)}/${length}`;
}
