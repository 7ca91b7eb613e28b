/** What the provider tells: an address by DHCP, or a PPP link over PPPoE, and the name servers that come with it. */
import { PPPOE_INTERFACE, type WanSettings } from "../config/settings-router.ts";
import type { Ipv4Prefix, Millis } from "../ports.ts";
import { parseDhcpReport, udhcpcArguments } from "../router/dhcp-client.ts";
import { parsePppdLine, pppoeOptions } from "../router/pppoe.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { attemptProgram, Daemon, type DaemonPorts, type DaemonSpec } from "./daemon.ts";
import { isSameData } from "./same-data.ts";

/** What is known of the Internet side at this moment. */
export interface Learned {
  /** To be given to the device; undefined on a PPP link, to which pppd gives it. */
  readonly address: Ipv4Prefix | undefined;
  readonly gateway: Ipv4 | undefined;
  readonly dns: readonly Ipv4[];
}

export interface WanStatus {
  readonly mode: WanSettings["mode"];
  readonly state: "static" | "waiting" | "connected";
  readonly interfaceName: string;
  /** Our own address on it. */
  readonly address: Ipv4 | undefined;
  readonly gateway: Ipv4 | undefined;
  readonly dns: readonly Ipv4[];
  /** Since when it is connected. */
  readonly since: Millis | undefined;
  readonly lastFailure: string | undefined;
}

export interface WanPorts extends DaemonPorts {
  /** Where the disk's files lie. */
  readonly folder: string;
  /** What udhcpc runs at each event: it prints one line. */
  readonly leaseScript: string;
}

const NOTHING: Learned = { address: undefined, gateway: undefined, dns: [] };
const OPTIONS_FILE = "pppoe.options";

/** The part of the settings with which the provider is asked. */
function whoAsks({ mode, device, pppoe, hostName }: WanSettings): unknown {
  return [mode, device, mode === "pppoe" ? pppoe : undefined, mode === "dhcp" ? hostName : undefined];
}

export class Wan {
  readonly #ports: WanPorts;
  readonly #changed: () => void;
  readonly #dhcp: Daemon;
  readonly #pppoe: Daemon;
  #settings: WanSettings | undefined;
  #learned = NOTHING;
  /** Our end of the PPP link. */
  #local: Ipv4 | undefined;
  #since: Millis | undefined;
  #lastFailure: string | undefined;

  /** `changed`: there is something else to know. */
  constructor(ports: WanPorts, changed: () => void) {
    this.#ports = ports;
    this.#changed = changed;
    this.#dhcp = new Daemon(
      "udhcpc",
      ports,
      (line) => this.#dhcpLine(line),
      () => this.#lost("the DHCP client ended"),
    );
    this.#pppoe = new Daemon(
      "pppd",
      ports,
      (line) => this.#pppoeLine(line),
      () => this.#lost(undefined),
    );
  }

  get learned(): Learned {
    return this.#learned;
  }

  status(): WanStatus {
    const { mode = "static", device = "" } = this.#settings ?? {};
    const { address, gateway, dns } = this.#learned;
    return {
      mode,
      state: mode === "static" ? "static" : this.#since === undefined ? "waiting" : "connected",
      interfaceName: mode === "pppoe" ? PPPOE_INTERFACE : device,
      address: address?.address ?? this.#local,
      gateway,
      dns,
      since: this.#since,
      lastFailure: this.#lastFailure,
    };
  }

  apply(settings: WanSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    // Another call or another client asks anew: what the old one was told is not ours any more.
    if (!isSameData(before && whoAsks(before), whoAsks(settings))) this.#forget();
    if (settings.mode === "pppoe" && before?.mode !== "pppoe") this.#loadPppoe();
    this.#dhcp.want(settings.mode === "dhcp" ? this.#dhcpSpec(settings) : undefined);
    this.#pppoe.want(settings.mode === "pppoe" ? this.#pppoeSpec(settings) : undefined);
  }

  /** Gives the address back and hangs up. */
  close(): void {
    this.#dhcp.want(undefined);
    this.#pppoe.want(undefined);
  }

  #dhcpSpec({ device, hostName }: WanSettings): DaemonSpec {
    return {
      program: "udhcpc",
      arguments: udhcpcArguments(device, hostName, this.#ports.leaseScript),
      files: new Map(),
    };
  }

  #pppoeSpec({ device, pppoe }: WanSettings): DaemonSpec {
    const files = new Map([[OPTIONS_FILE, pppoeOptions(device, pppoe)]]);
    return { program: "pppd", arguments: ["file", `${this.#ports.folder}/${OPTIONS_FILE}`], files };
  }

  /** The kernel makes /dev/ppp when the module comes; pppd gives up without it. */
  #loadPppoe(): void {
    const failure = attemptProgram(this.#ports.programs, { program: "modprobe", arguments: ["pppoe"] });
    if (failure !== undefined) this.#ports.log.write("error", "wan", `PPPoE is not to be had: ${failure}`);
  }

  #dhcpLine(line: string): void {
    const report = parseDhcpReport(line);
    if (report.event === "deconfig") this.#lost("no DHCP server lends an address");
    if (report.event !== "bound") return;
    const { address, gateway, dns, server } = report.lease;
    const isNew = this.#learned.address?.address !== address.address;
    const from = server === undefined ? "" : ` from ${formatIpv4(server)}`;
    if (isNew) this.#ports.log.write("info", "wan", `DHCP: ${formatIpv4(address.address)}/${address.length}${from}`);
    this.#learn({ address, gateway, dns });
  }

  #pppoeLine(line: string): void {
    const report = parsePppdLine(line);
    switch (report.event) {
      case "local":
        this.#local = report.address;
        break;
      case "remote":
        this.#ports.log.write("info", "wan", `PPPoE: ${formatIpv4(this.#local ?? report.address)} is our address`);
        this.#learn({ address: undefined, gateway: report.address, dns: [] });
        break;
      case "dns":
        this.#learn({ ...this.#learned, dns: [...this.#learned.dns, report.address] });
        break;
      case "failure":
        if (report.text !== this.#lastFailure) this.#ports.log.write("warning", "wan", `PPPoE: ${report.text}`);
        this.#lastFailure = report.text;
        break;
      case "down":
        this.#lost(undefined);
        break;
      case "other":
        break;
    }
  }

  #learn(learned: Learned): void {
    this.#learned = learned;
    this.#since ??= this.#ports.clock.now();
    this.#lastFailure = undefined;
    this.#changed();
  }

  #lost(why: string | undefined): void {
    if (this.#since === undefined) {
      this.#lastFailure ??= why;
      return;
    }
    this.#ports.log.write("warning", "wan", "the connection to the provider is gone");
    this.#forget();
    this.#lastFailure = why;
    this.#changed();
  }

  #forget(): void {
    this.#learned = NOTHING;
    this.#local = undefined;
    this.#since = undefined;
    this.#lastFailure = undefined;
  }
}
