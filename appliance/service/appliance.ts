/** What the device can be asked to do: the only API of the front ends. */
import type { Config } from "../config/config.ts";
import { changedWithin } from "../config/diff.ts";
import { radiusServers, systemName, text, type VpnSettings, vpnSettings } from "../config/settings.ts";
import { ROUTER_BRANCHES, routerSettings } from "../config/settings-router.ts";
import { SSH_BRANCHES, sshSettings } from "../config/settings-ssh.ts";
import type { ConfigStore } from "../config/store.ts";
import { validate } from "../config/validate.ts";
import { type Clock, type LogLevel, type Millis, type Net, type Power, SystemError, type Timers } from "../ports.ts";
import type { RadiusStatus } from "../radius/client.ts";
import type { RadiusServerStatus } from "../radius/exchange.ts";
import type { SessionStatus, TrafficCounters } from "../tunnel/status.ts";
import { formatIpv4, parseIpv4 } from "../wire/ipv4.ts";
import type { Administrator } from "./administrator.ts";
import { Configuration, type HistoryEntry } from "./configuration.ts";
import { Edit } from "./edit.ts";
import type { Firmware } from "./firmware.ts";
import type { Journal, JournalLine } from "./journal.ts";
import { removeLeftovers } from "./leftovers.ts";
import { Logins } from "./logins.ts";
import type { Ports, PortView } from "./ports.ts";
import type { Router } from "./router.ts";
import { RouterViews } from "./router-views.ts";
import type { SshService } from "./ssh.ts";
import type { Supervision } from "./supervision.ts";
import type { Tracer } from "./trace.ts";
import type { Updates } from "./updates.ts";
import type { ClientStatus } from "./vpn.ts";

/** The tunnels, as the appliance needs them. */
export interface Vpn {
  /** Takes effect at once: sessions that the new settings forbid end. */
  apply(settings: VpnSettings): void;
  sessions(): readonly SessionStatus[];
  /** Every configured client, connected or not. A session of its has the same id. */
  clients(): readonly ClientStatus[];
  radius(): RadiusStatus;
  /** False when there is no such client. */
  dial(name: string): boolean;
  /** False when there is no such session or client. */
  hangUp(id: number): boolean;
  /** Ends all sessions in order. */
  close(): Promise<void>;
}

/** Who has dialed in, or a client of ours whether it is connected or not, as a person reads it. */
export interface SessionView {
  readonly id: number;
  readonly role: SessionStatus["role"];
  /** Of a client. */
  readonly name: string | undefined;
  /** `listening`: not dialing. `waiting`: for the next attempt. */
  readonly state: SessionStatus["state"] | "listening" | "waiting";
  /** How far the call came; undefined when there is none. */
  readonly stage: SessionStatus["stage"] | undefined;
  /** Why a client's last attempt failed. */
  readonly lastFailure: string | undefined;
  readonly user: string | undefined;
  readonly peer: string;
  readonly address: string | undefined;
  readonly interfaceName: string | undefined;
  readonly authentication: string | undefined;
  readonly encryption: string;
  readonly connectedForMs: number | undefined;
  readonly traffic: TrafficCounters;
}

/** The RADIUS servers, as a person reads of them. */
export interface RadiusView extends Omit<RadiusStatus, "servers"> {
  readonly servers: readonly (Omit<RadiusServerStatus, "address"> & { readonly address: string })[];
}

export interface InterfaceView {
  readonly name: string;
  readonly state: "down" | "no cable" | "up";
  readonly addresses: readonly string[];
  readonly mtu: number;
  readonly mac: string | undefined;
}

export interface ApplianceParts {
  readonly store: ConfigStore;
  readonly administrator: Administrator;
  readonly router: Router;
  readonly ports: Ports;
  readonly ssh: SshService;
  readonly vpn: Vpn;
  readonly net: Net;
  readonly tracer: Tracer;
  readonly journal: Journal;
  readonly power: Power;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly wallClock: () => Date;
  readonly firmware: Firmware;
  readonly supervision: Supervision;
  readonly updates: Updates;
}

const NO_TRAFFIC: TrafficCounters = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0, dropped: {} };
/** The LAN address is the server's when it has none of its own; static routes may lead into tunnels. */
const VPN_BRANCHES = ["vpn", "interfaces lan address", "routes"];

export class Appliance {
  readonly #parts: ApplianceParts;
  readonly #configuration: Configuration;
  readonly #views: RouterViews;
  /** Front ends enter theirs. */
  readonly logins: Logins;

  constructor(parts: ApplianceParts) {
    this.#parts = parts;
    this.#views = new RouterViews(parts.router);
    const { store, clock, timers, journal, wallClock } = parts;
    this.logins = new Logins(clock, wallClock);
    const apply = (before: Config, after: Config) => this.#apply(before, after);
    this.#configuration = new Configuration({ store, timers, wallClock, apply, log: journal });
  }

  /** Puts the stored configuration in force. */
  start(): void {
    const { journal, firmware, supervision, net } = this.#parts;
    supervision.start();
    removeLeftovers(net, journal);
    const config = this.#configuration.load();
    // A newer firmware may be stricter than the one that stored it: what is left of the network is the way back in.
    const problems = validate(config);
    for (const { path, problem } of problems) journal.write("error", "config", `${path}: ${problem}`);
    journal.write("info", "system", `Culvert ${firmware.version} started`);
    this.#applyRouter(config);
    this.#applySsh(config);
    if (problems.length === 0) this.#applyVpn(config);
    else journal.write("error", "vpn", "the VPN stays off: the configuration has problems");
  }

  get name(): string {
    return systemName(this.running);
  }
  get firmware(): Firmware {
    return this.#parts.firmware;
  }
  get administrator(): Administrator {
    return this.#parts.administrator;
  }
  get ssh(): SshService {
    return this.#parts.ssh;
  }
  get running(): Config {
    return this.#configuration.running;
  }
  get supervision(): Supervision {
    return this.#parts.supervision;
  }
  /** What whoever stands before the device should hear first: why it is not as it was left. */
  get notices(): readonly string[] {
    return [...this.#parts.supervision.notices, ...this.#configuration.findings];
  }
  /** Newest commit first. */
  history(): readonly HistoryEntry[] {
    return this.#configuration.history();
  }
  /** How long the running configuration holds unless somebody confirms it; undefined when it is stored. */
  get trialMinutes(): number | undefined {
    return this.#configuration.trialMinutes;
  }

  /** `who` changes something, in the words of the log: `SSH from 192.168.1.10`. */
  beginEdit(who: string): Edit {
    return new Edit(this.#configuration, who);
  }

  sessions(): readonly SessionView[] {
    const { vpn, clock } = this.#parts;
    const sessions = vpn.sessions().map((session) => sessionView(session, clock.now()));
    const clients = vpn.clients().map((client) => {
      const session = sessions.find(({ role, id }) => role === "client" && id === client.id);
      return this.#clientView(client, session);
    });
    return [...sessions.filter(({ role }) => role === "server"), ...clients];
  }
  radius(): RadiusView {
    const { servers, ...records } = this.#parts.vpn.radius();
    return { ...records, servers: servers.map((server) => ({ ...server, address: formatIpv4(server.address) })) };
  }
  /** Returns the state the client was in: a listening or waiting one dials now. Undefined when there is no such client. */
  dial(name: string): ClientStatus["state"] | undefined {
    const client = this.#parts.vpn.clients().find((each) => each.name === name);
    if (client !== undefined) this.#parts.vpn.dial(name);
    return client?.state;
  }
  /** A waiting client dials no more. False when there is no such session or client. */
  hangUp(id: number): boolean {
    return this.#parts.vpn.hangUp(id);
  }

  /** Records what passes between us and a peer: of a session by its number, a client by its name, or an address, which is returned. */
  startTrace(who: string): string | undefined {
    const session = this.sessions().find(({ id, name }) => name === who || String(id) === who);
    const peer = parseIpv4(session?.peer ?? who);
    if (peer === undefined) return undefined;
    this.#parts.tracer.start(peer);
    return formatIpv4(peer);
  }
  get tracer(): Tracer {
    return this.#parts.tracer;
  }

  interfaces(): readonly InterfaceView[] {
    return this.#parts.net.interfaces().map(({ name, up, carrier, addresses, mtu, mac }) => ({
      name,
      state: up ? (carrier ? "up" : "no cable") : "down",
      addresses: addresses.map(({ address, length }) => `${formatIpv4(address)}/${length}`),
      mtu,
      mac,
    }));
  }

  ports(): readonly PortView[] {
    return this.#parts.ports.views();
  }
  /** What whoever logs in should know about the hardware, one sentence each. */
  get hardwareNotices(): readonly string[] {
    return this.#parts.ports.notices();
  }

  get router(): RouterViews {
    return this.#views;
  }

  get updates(): Updates {
    return this.#parts.updates;
  }

  lastLog(count: number): readonly JournalLine[] {
    return this.#parts.journal.last(count);
  }
  log(level: LogLevel, area: string, text: string): void {
    this.#parts.journal.write(level, area, text);
  }

  /** Forgets settings and password, and restarts as a new device. The password goes last: a power cut leaves nothing open. */
  factoryReset(): void {
    this.log("warning", "system", "factory reset");
    this.#configuration.reset();
    this.#parts.ssh.reset();
    this.#parts.administrator.reset();
    this.#parts.power.reboot();
  }
  reboot(): void {
    this.log("info", "system", "reboot");
    this.#parts.power.reboot();
  }
  powerOff(): void {
    this.log("info", "system", "power off");
    this.#parts.power.powerOff();
  }

  /** Ends all sessions in order, and what the router has running. Addresses and rules that were set here stay. */
  async close(): Promise<void> {
    this.#parts.ssh.close();
    this.#parts.updates.close();
    await this.#parts.vpn.close();
    this.#parts.router.close();
  }

  #clientView(client: ClientStatus, session: SessionView | undefined): SessionView {
    const { id, name, lastFailure } = client;
    const state = client.state === "dialing" ? "connecting" : client.state;
    if (session !== undefined) return { ...session, name, state, lastFailure };
    const setting = (word: string) => text(this.running, `vpn client ${name} ${word}`);
    return {
      id,
      role: "client",
      name,
      state,
      stage: undefined,
      lastFailure,
      user: setting("user"),
      peer: setting("server") ?? "",
      address: undefined,
      interfaceName: undefined,
      authentication: undefined,
      encryption: "none",
      connectedForMs: undefined,
      traffic: NO_TRAFFIC,
    };
  }

  #apply(before: Config, after: Config): readonly string[] {
    const router = changedWithin(before, after, ROUTER_BRANCHES) ? this.#applyRouter(after) : [];
    // RADIUS servers know us by the host name, as long as nothing else is set.
    const renamed = radiusServers(after).length > 0 && changedWithin(before, after, ["system name"]);
    const vpn = renamed || changedWithin(before, after, VPN_BRANCHES) ? this.#applyVpn(after) : [];
    // After the router: the LAN has its address by then.
    const ssh = changedWithin(before, after, SSH_BRANCHES) ? this.#applySsh(after) : [];
    return [...router, ...vpn, ...ssh];
  }

  #applySsh(config: Config): readonly string[] {
    return this.#parts.ssh.apply(sshSettings(config));
  }

  #applyRouter(config: Config): readonly string[] {
    const ports = this.#parts.ports.apply(config);
    return [...ports.refused, ...this.#parts.router.apply(routerSettings(ports.config))];
  }
  #applyVpn(config: Config): readonly string[] {
    try {
      this.#parts.vpn.apply(vpnSettings(config));
      return [];
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.log("error", "vpn", error.message);
      return [`vpn: ${error.message}`];
    }
  }
}

function sessionView(session: SessionStatus, now: Millis): SessionView {
  return {
    id: session.id,
    role: session.role,
    name: undefined,
    state: session.state,
    stage: session.stage,
    lastFailure: undefined,
    user: session.user,
    peer: formatIpv4(session.peer),
    address: session.address === undefined ? undefined : formatIpv4(session.address),
    interfaceName: session.interfaceName,
    authentication: session.authentication,
    encryption: session.encryption,
    connectedForMs: session.connectedAt === undefined ? undefined : now - session.connectedAt,
    traffic: session.traffic,
  };
}
