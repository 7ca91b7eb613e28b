/** The router: firewall, interfaces, routes, the servers on the LAN, and what the device asks of the Internet itself. */
import type { Disk } from "../config/disk.ts";
import type { RouterSettings, StaticRoute } from "../config/settings-router.ts";
import type { Millis, Net, Route } from "../ports.ts";
import { SystemError } from "../ports.ts";
import { dnsmasqConfig, type Lease, parseLeases } from "../router/dnsmasq.ts";
import { type FirewallRule, parseFirewallCounters } from "../router/firewall-counters.ts";
import { ruleset, TABLE } from "../router/ruleset.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { attemptProgram, Daemon } from "./daemon.ts";
import type { Network } from "./network.ts";
import { RemoteLog, type RemoteLogPorts } from "./remote-log.ts";
import { TimeClient, type TimeClientPorts, type TimeServerStatus } from "./time-client.ts";
import { Wan, type WanPorts, type WanStatus } from "./wan.ts";

export interface RouterPorts extends WanPorts, RemoteLogPorts, TimeClientPorts {
  readonly net: Net;
  readonly network: Network;
  /** Leases outlive a restart. */
  readonly leases: { readonly disk: Disk; readonly folder: string };
}

const DNSMASQ_FILE = "dnsmasq.conf";
const LEASES_FILE = "dhcp.leases";
const RESOLVER_FILE = "resolv.conf";

export class Router {
  readonly #ports: RouterPorts;
  readonly #wan: Wan;
  readonly #dnsmasq: Daemon;
  readonly #remoteLog: RemoteLog;
  readonly #timeClient: TimeClient;
  #settings: RouterSettings | undefined;
  /** The ruleset in force; undefined: there is none. */
  #ruleset: string | undefined;
  #routes: readonly StaticRoute[] = [];
  #resolver: string | undefined;

  constructor(ports: RouterPorts) {
    this.#ports = ports;
    this.#wan = new Wan(ports, () => this.#learned());
    this.#dnsmasq = new Daemon("dnsmasq", ports);
    this.#remoteLog = new RemoteLog(ports);
    this.#timeClient = new TimeClient(ports);
  }

  /** Puts in force what differs. Returns what could not be, one sentence each; the rest is in force. */
  apply(settings: RouterSettings): readonly string[] {
    this.#settings = settings;
    // First of all: no packet passes, and no interface has an address, before the rules for it are there.
    const firewall = this.#applyFirewall(ruleset(settings.firewall));
    this.#remoteLog.apply(settings.syslog);
    if (settings.wan.mode !== "static") this.#ports.network.switchOn(settings.wan.device);
    // Before the interfaces: it may have to give up what a provider told.
    this.#wan.apply(settings.wan);
    const network = this.#applyNetwork(settings);
    this.#timeClient.apply(settings.timeServers);
    return [...firewall, ...network];
  }

  /** The provider's connection, if there is one, is given back. */
  close(): void {
    this.#wan.close();
    this.#dnsmasq.want(undefined);
    this.#timeClient.close();
    this.#remoteLog.close();
  }

  wan(): WanStatus {
    return this.#wan.status();
  }
  now(): Millis {
    return this.#ports.clock.now();
  }
  timeMs(): number {
    return this.#ports.wallClock.nowMs();
  }
  routes(): readonly Route[] {
    return this.#ports.net.routes();
  }
  leases(): readonly Lease[] {
    return parseLeases(this.#ports.leases.disk.read(LEASES_FILE)?.toString() ?? "");
  }
  timeServers(): readonly TimeServerStatus[] {
    return this.#timeClient.status();
  }

  /** What the firewall did so far; the reason, as a sentence, when it cannot be asked. */
  firewallRules(): Promise<readonly FirewallRule[] | string> {
    return new Promise((resolve) => {
      const lines: string[] = [];
      this.#ports.programs.start(
        { program: "nft", arguments: ["-j", "list", "table", "inet", TABLE] },
        {
          line: (text) => lines.push(text),
          ended: (how) =>
            resolve(how === undefined ? parseFirewallCounters(lines.join("\n")) : `nft: ${how}, ${lines.at(-1) ?? ""}`),
        },
      );
    });
  }

  /** Runs a tool that asks the network something; `stop` ends it early. */
  probe(
    tool: "ping" | "traceroute",
    host: string,
    events: { line(text: string): void; ended(how: string | undefined): void },
  ): { stop(): void } {
    const words = tool === "ping" ? ["-c", "5", "-W", "2"] : ["-w", "2", "-q", "2", "-m", "30"];
    const program = this.#ports.programs.start({ program: tool, arguments: [...words, host] }, events);
    return { stop: () => program.stop("SIGINT") };
  }

  #applyFirewall(wanted: string): readonly string[] {
    if (wanted === this.#ruleset) return [];
    const failure = attemptProgram(this.#ports.programs, { program: "nft", arguments: ["-f", "-"] }, wanted);
    if (failure === undefined) {
      this.#ruleset = wanted;
      return [];
    }
    const consequence = this.#ruleset === undefined ? "nothing is routed" : "the rules from before hold";
    return [this.#refused("firewall", `${failure}; ${consequence}`)];
  }

  /** Interfaces, routes and the LAN's servers, with what the provider has told. */
  #applyNetwork(settings: RouterSettings): readonly string[] {
    const { network } = settings;
    const { address, gateway } = this.#wan.learned;
    const wan = settings.wan.mode === "static" ? network.wan : { device: network.wan.device, address, gateway };
    const refused = this.#ports.network.apply({ ...network, wan, forwarding: this.#ruleset !== undefined });
    const routes = this.#applyRoutes(settings.routes);
    this.#applyNames(settings);
    return [...refused, ...routes];
  }

  #learned(): void {
    if (this.#settings === undefined) return;
    this.#applyNetwork(this.#settings);
    this.#timeClient.retry();
  }

  #applyRoutes(wanted: readonly StaticRoute[]): readonly string[] {
    const { net } = this.#ports;
    const refused: string[] = [];
    const attempt = (what: StaticRoute, change: () => void): void => {
      try {
        change();
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        refused.push(this.#refused("routes", `static ${shown(what)}: ${error.message}`));
      }
    };
    for (const old of this.#routes)
      if (!wanted.some((route) => shown(route) === shown(old))) attempt(old, () => net.removeRoute(old.destination));
    const present = net.routes();
    for (const route of wanted)
      attempt(route, () => {
        const by = net.nextHopTo(route.gateway);
        // A network of ours that is not there yet, such as the provider's: it is tried again when it is.
        if (by === undefined || by.gateway !== undefined) return;
        const here = present.some(
          ({ destination, by: { gateway, interfaceName } }) =>
            destination.address === route.destination.address &&
            destination.length === route.destination.length &&
            gateway === route.gateway &&
            interfaceName === by.interfaceName,
        );
        if (!here) net.addRoute(route.destination, { interfaceName: by.interfaceName, gateway: route.gateway });
      });
    this.#routes = wanted;
    return refused;
  }

  /** dnsmasq for the LAN, and the resolver of the device's own programs. */
  #applyNames(settings: RouterSettings): void {
    const { lan } = settings;
    const { folder, leases, disk } = this.#ports;
    const upstream = this.#wan.learned.dns;
    const config = dnsmasqConfig(lan, upstream, { leases: `${leases.folder}/${LEASES_FILE}` });
    this.#dnsmasq.want(
      config === undefined
        ? undefined
        : {
            program: "dnsmasq",
            arguments: ["--keep-in-foreground", "--log-facility=-", `--conf-file=${folder}/${DNSMASQ_FILE}`],
            files: new Map([[DNSMASQ_FILE, config]]),
          },
    );
    const own: readonly Ipv4[] = lan.servers.length > 0 ? lan.servers : upstream;
    const resolver = own.map((server) => `nameserver ${formatIpv4(server)}\n`).join("");
    if (resolver === this.#resolver) return;
    this.#resolver = resolver;
    disk.write(RESOLVER_FILE, Buffer.from(resolver));
  }

  #refused(area: string, problem: string): string {
    this.#ports.log.write("error", area, problem);
    return `${area}: ${problem}`;
  }
}

function shown({ destination, gateway }: StaticRoute): string {
  return `${formatIpv4(destination.address)}/${destination.length} via ${formatIpv4(gateway)}`;
}
