/**
 * Runs the PPTP server and clients over the device's sockets and interfaces: feeds them bytes, frames and time, and
 * carries out their effects in order. This is the only place where protocol meets IO.
 */
import type { VpnSettings } from "../config/settings.ts";
import { UserSpaceDataPlane } from "../dataplane/user-space.ts";
import type {
  Clock,
  ControlSocket,
  ControlSocketEvents,
  ControlTransport,
  DatagramTransport,
  GreSocket,
  GreTransport,
  Log,
  Millis,
  Net,
  Random,
  Timers,
} from "../ports.ts";
import type { LocalCallId } from "../pptp/call-id.ts";
import { CallIds } from "../pptp/call-id.ts";
import type { RadiusStatus } from "../radius/client.ts";
import { PptpClient } from "../tunnel/client.ts";
import type { ConnectionId, Effect } from "../tunnel/effect.ts";
import { LAST_SERVER_SESSION_ID, PptpServer } from "../tunnel/server.ts";
import type { SessionInput } from "../tunnel/session.ts";
import type { ClientSettings } from "../tunnel/settings.ts";
import type { SessionStatus, TrafficCounters } from "../tunnel/status.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import { ControlConnections } from "./control-connections.ts";
import { RadiusService } from "./radius.ts";
import { isSameData } from "./same-data.ts";
import { TunnelInterfaces } from "./tunnel-interfaces.ts";

const NO_TRAFFIC: TrafficCounters = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0, dropped: {} };

export interface VpnPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly net: Net;
  readonly gre: GreTransport;
  readonly control: ControlTransport;
  readonly datagrams: DatagramTransport;
  readonly log: Log;
}

export interface ClientStatus {
  readonly id: number;
  readonly name: string;
  readonly state: "listening" | "waiting" | "dialing" | "connected" | "disconnecting";
  /** What went wrong last, in words; undefined after an orderly end. */
  readonly lastFailure: string | undefined;
}

/** Client sessions have their own numbers, so that one list can show both roles. */
const FIRST_CLIENT_ID = LAST_SERVER_SESSION_ID + 1;

/** Who the packets of a connection or a call are for. */
type Owner = PptpServer | PptpClient;

export class VpnService {
  readonly #ports: VpnPorts;
  readonly #callIds: CallIds;
  readonly #connections: ControlConnections;
  readonly #owners = new Map<LocalCallId, Owner>();
  readonly #interfaces: TunnelInterfaces;
  readonly #radius: RadiusService;
  /** What ended calls had carried, until the accounting has asked for it. */
  readonly #finalTraffic = new Map<LocalCallId, TrafficCounters>();
  readonly #clients = new Map<string, PptpClient>();
  #server: PptpServer | undefined;
  #gre: GreSocket | undefined;
  #plane: UserSpaceDataPlane | undefined;
  /** A client keeps its number as long as this process knows its name. */
  readonly #clientIds = new Map<string, number>();
  #timer: { readonly at: Millis; readonly cancel: () => void } | undefined;

  constructor(ports: VpnPorts) {
    this.#ports = ports;
    this.#callIds = new CallIds(ports.random);
    this.#connections = new ControlConnections(ports.control, ports.timers, ports.log);
    this.#radius = new RadiusService(ports, {
      answered: (ticket, answer) => {
        const now = ports.clock.now();
        if (this.#server) this.#carryOut(this.#server, this.#server.answered(ticket, answer, now), now);
      },
      dynamic: (request) => {
        const now = ports.clock.now();
        if (this.#server === undefined) return 0;
        const { count, effects } = this.#server.dynamic(request, now);
        this.#carryOut(this.#server, effects, now);
        return count;
      },
    });
    this.#interfaces = new TunnelInterfaces(ports.net, ports.log, {
      packets: (callId) => {
        this.#plane?.transmit(callId, ports.clock.now());
        this.#settle();
      },
      demand: (name) => {
        const client = this.#clients.get(name);
        const now = ports.clock.now();
        if (client) this.#carryOut(client, client.packet(now), now);
      },
    });
  }

  /** Server and clients as they shall be from now on; sessions that the change does not concern go on undisturbed. */
  apply({ server, accounts, clients, radius }: VpnSettings): void {
    const now = this.#ports.clock.now();
    this.#radius.apply(radius, server.enabled && server.accounting !== undefined);
    if ((server.enabled || clients.length > 0) && this.#plane === undefined) this.#openPlane();
    this.#server ??= new PptpServer(server, this.#ports.random, this.#callIds, (local, peer) =>
      this.#answersStart(local, peer),
    );
    this.#carryOut(this.#server, this.#server.configure(server, accounts, now), now);
    if (server.enabled) this.#connections.listen((connection, socket) => this.#accept(connection, socket));
    else this.#connections.stopListening();
    this.#applyClients(clients, now);
  }

  /** RFC 2637 §3.1.3: when both ends dial at once, the higher address wins, compared as 32-bit numbers. */
  #answersStart(local: Ipv4, peer: Ipv4): boolean {
    const rival = [...this.#clients.values()].find((client) => client.isStarting && client.settings.server === peer);
    if (rival === undefined) return true;
    if (local > peer) return false; // ours goes on; the peer closes the one it opened
    const now = this.#ports.clock.now();
    this.#carryOut(rival, rival.yieldToPeer(now), now);
    return true;
  }

  #applyClients(clients: readonly ClientSettings[], now: Millis): void {
    for (const [name, client] of [...this.#clients]) {
      const wanted = clients.find((settings) => settings.name === name);
      if (wanted !== undefined && isSameData(wanted, client.settings)) continue;
      this.#clients.delete(name);
      this.#interfaces.stopWaiting(name);
      this.#retiring.add(client);
      this.#carryOut(client, client.hangUp(now), now);
    }
    for (const settings of clients) {
      if (this.#clients.has(settings.name)) continue;
      const allocate = () => this.#connections.allocate();
      const client = new PptpClient(
        this.#clientId(settings.name),
        settings,
        this.#ports.random,
        this.#callIds,
        allocate,
      );
      this.#clients.set(settings.name, client);
      this.#carryOut(client, client.start(now), now);
    }
  }

  #clientId(name: string): number {
    const id = this.#clientIds.get(name) ?? FIRST_CLIENT_ID + this.#clientIds.size;
    this.#clientIds.set(name, id);
    return id;
  }

  /** Clients that were taken out of the configuration and still say goodbye. */
  readonly #retiring = new Set<PptpClient>();

  sessions(): readonly SessionStatus[] {
    const clients = [...this.#clients.values()].map((client) => client.status());
    const all = [...(this.#server?.sessions() ?? []), ...clients.filter((status) => status !== undefined)];
    return all.map((status) => {
      const callId = status.callId as LocalCallId;
      const traffic = this.#plane?.counters(callId) ?? NO_TRAFFIC;
      return { ...status, traffic, interfaceName: this.#interfaces.nameOf(callId) };
    });
  }

  /** Every configured client, connected or not. */
  clients(): readonly ClientStatus[] {
    return [...this.#clients.values()].map((client) => ({
      id: client.id,
      name: client.settings.name,
      state: client.at,
      lastFailure: client.lastFailure,
    }));
  }

  radius(): RadiusStatus {
    return this.#radius.status();
  }

  /** False when there is no such client. */
  dial(name: string): boolean {
    const client = this.#clients.get(name);
    const now = this.#ports.clock.now();
    if (client) this.#carryOut(client, client.dial(now), now);
    return client !== undefined;
  }

  /** Whether there was such a session. It ends a moment later, when the peer has confirmed. */
  hangUp(id: number): boolean {
    const now = this.#ports.clock.now();
    const client = [...this.#clients.values()].find((candidate) => candidate.id === id);
    if (client) {
      this.#carryOut(client, client.hangUp(now), now);
      return true;
    }
    const effects = this.#server?.hangUp(id, now);
    if (effects === undefined || this.#server === undefined) return false;
    this.#carryOut(this.#server, effects, now);
    return true;
  }

  /** Ends every session, telling the peers, and gives back every socket and interface. */
  async close(): Promise<void> {
    this.#connections.stopListening();
    const now = this.#ports.clock.now();
    if (this.#server) this.#carryOut(this.#server, this.#server.stop(now), now);
    for (const client of this.#clients.values()) this.#carryOut(client, client.hangUp(now), now);
    await this.#connections.close();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#radius.close();
    this.#interfaces.close();
    this.#gre?.close();
    this.#gre = undefined;
    this.#plane = undefined;
  }

  // --- in ----------------------------------------------------------------------------------------------------------

  #openPlane(): void {
    const gre = this.#ports.gre.open(() => {
      const now = this.#ports.clock.now();
      this.#plane?.receive(now);
      this.#settle();
    });
    this.#gre = gre;
    this.#plane = new UserSpaceDataPlane(gre, {
      control: (callId, protocol, payload) => this.#session(callId, { type: "frame", protocol, payload }),
      resetNeeded: (callId) => this.#session(callId, { type: "mppe-reset-needed" }),
    });
  }

  #session(callId: LocalCallId, input: SessionInput): void {
    const now = this.#ports.clock.now();
    const owner = this.#owners.get(callId);
    if (owner) this.#carryOut(owner, owner.session(callId, input, now), now);
  }

  #accept(connection: ConnectionId, socket: ControlSocket): ControlSocketEvents | undefined {
    const now = this.#ports.clock.now();
    const server = this.#server;
    if (server === undefined) return undefined;
    const { accepted, effects } = server.accept(connection, socket.local, socket.peer, now);
    this.#carryOut(server, effects, now);
    if (!accepted) return undefined;
    return this.#feed(server, {
      data: (bytes, at) => server.received(connection, bytes, at),
      closed: (reason, at) => server.disconnected(connection, reason, at),
    });
  }

  #connect(client: PptpClient, connection: ConnectionId): void {
    this.#connections.connect(connection, client.settings.server, {
      connected: (socket) => {
        const now = this.#ports.clock.now();
        this.#carryOut(client, client.connected(connection, socket.local, now), now);
        return this.#feed(client, {
          data: (bytes, at) => client.received(bytes, at),
          closed: (reason, at) => client.disconnected(reason, at),
        });
      },
      failed: (error) => {
        const now = this.#ports.clock.now();
        this.#carryOut(client, client.connectFailed(connection, error.errno, now), now);
      },
    });
  }

  /** What a socket says goes to its owner, with the time. */
  #feed(
    owner: Owner,
    to: {
      data(bytes: Buffer, now: Millis): readonly Effect[];
      closed(reason: string | undefined, now: Millis): readonly Effect[];
    },
  ): ControlSocketEvents {
    return {
      data: (bytes) => {
        const now = this.#ports.clock.now();
        this.#carryOut(owner, to.data(bytes, now), now);
      },
      closed: (reason) => {
        const now = this.#ports.clock.now();
        this.#carryOut(owner, to.closed(reason, now), now);
      },
    };
  }

  #tick(): void {
    this.#timer = undefined;
    const now = this.#ports.clock.now();
    this.#plane?.tick(now);
    for (const owner of this.#allOwners()) {
      if (owner instanceof PptpClient) owner.traffic(this.#plane?.lastTraffic(owner.callId));
      else owner.traffic((callId) => this.#plane?.lastTraffic(callId));
      this.#carryOut(owner, owner.tick(now), now);
    }
    for (const client of this.#retiring) if (client.status() === undefined) this.#retiring.delete(client);
    this.#settle();
  }

  *#allOwners(): Generator<Owner> {
    if (this.#server) yield this.#server;
    yield* this.#clients.values();
    yield* this.#retiring;
  }

  // --- out ---------------------------------------------------------------------------------------------------------

  #carryOut(owner: Owner, effects: readonly Effect[], now: Millis): void {
    for (const effect of effects) this.#perform(owner, effect, now);
    // Listening again: the next packet dials.
    if (owner instanceof PptpClient && owner.awaitsPacket && this.#clients.get(owner.settings.name) === owner)
      this.#interfaces.wait(owner.settings.name, owner.settings.routes, owner.settings.mtu, owner.settings.nat);
    this.#settle();
  }

  #perform(owner: Owner, effect: Effect, now: Millis): void {
    switch (effect.type) {
      case "connect":
        if (owner instanceof PptpClient) this.#connect(owner, effect.connection);
        break;
      case "send-control":
        this.#connections.write(effect.connection, effect.bytes);
        break;
      case "close-control":
        this.#connections.end(effect.connection);
        break;
      case "open-call":
        this.#owners.set(effect.call.callId, owner);
        this.#plane?.open(effect.call, effect.requireEncryption);
        break;
      case "send-frame":
        this.#plane?.sendFrame(effect.callId, effect.protocol, effect.payload, effect.framing);
        break;
      case "encrypt":
        this.#plane?.encrypt(effect.callId, effect.send, effect.receive);
        break;
      case "flush-encryption":
        this.#plane?.flushEncryption(effect.callId);
        break;
      case "forget-encryption":
        this.#plane?.forgetEncryption(effect.callId);
        break;
      case "network-up":
        this.#networkUp(owner, effect, now);
        break;
      case "network-down":
        this.#networkDown(owner, effect.callId);
        break;
      case "ipv6-up":
        this.#interfaces.addLinkLocal(effect.callId, effect.local);
        this.#plane?.allowIpv6(effect.callId);
        break;
      case "close-call":
        this.#networkDown(owner, effect.callId);
        this.#keepTraffic(owner, effect.callId);
        this.#plane?.close(effect.callId);
        this.#owners.delete(effect.callId);
        break;
      case "ask-radius":
        this.#radius.ask(effect.question);
        break;
      case "account": {
        const { callId, record } = effect;
        const traffic = this.#plane?.counters(callId) ?? this.#finalTraffic.get(callId) ?? NO_TRAFFIC;
        this.#radius.account({ ...record, traffic });
        break;
      }
      case "log":
        this.#ports.log.write(effect.level, "pptp", effect.text);
        break;
    }
  }

  /** A server session's last accounting record comes after its call was closed, in the same breath. */
  #keepTraffic(owner: Owner, callId: LocalCallId): void {
    const traffic = owner instanceof PptpServer ? this.#plane?.counters(callId) : undefined;
    this.#finalTraffic.clear();
    if (traffic !== undefined) this.#finalTraffic.set(callId, traffic);
  }

  #networkUp(owner: Owner, up: Extract<Effect, { type: "network-up" }>, now: Millis): void {
    const { callId } = up;
    try {
      if (owner instanceof PptpClient) {
        this.#interfaces.pin(owner.settings.server);
        this.#interfaces.stopWaiting(owner.settings.name);
      }
      const { routes, nat, rateLimit } =
        owner instanceof PptpClient
          ? { ...owner.settings, rateLimit: undefined }
          : { ...owner.termsOf(callId), nat: false };
      const allowed = owner instanceof PptpClient ? routes : this.#interfaces.withoutOwnNetworks(routes);
      const tun = this.#interfaces.up(callId, up, allowed, nat);
      this.#plane?.attach(callId, tun, up.framing);
      if (rateLimit !== undefined) this.#plane?.limit(callId, rateLimit);
    } catch (error) {
      // Without an interface the session is of no use: it ends, and the peer is told.
      if (owner instanceof PptpClient) this.#interfaces.unpin(owner.settings.server);
      this.#ports.log.write("error", "pptp", `cannot make the tunnel interface: ${String(error)}`);
      const failure = { reason: "administrative" } as const;
      this.#carryOut(owner, owner.session(callId, { type: "hang-up", failure }, now), now);
    }
  }

  #networkDown(owner: Owner, callId: LocalCallId): void {
    if (this.#plane?.detach(callId) === undefined) return;
    this.#interfaces.down(callId);
    if (owner instanceof PptpClient) this.#interfaces.unpin(owner.settings.server);
  }

  /** Everything queued leaves, and the one timer stands at the earliest deadline. */
  #settle(): void {
    this.#plane?.flush();
    const owners = [...this.#allOwners()].map((owner) => owner.deadline);
    const deadlines = [this.#plane?.deadline, ...owners].filter((instant) => instant !== undefined);
    if (deadlines.length === 0) return;
    const at = Math.min(...deadlines) as Millis;
    if (this.#timer !== undefined && this.#timer.at <= at) return; // it will fire early enough, and look again
    this.#timer?.cancel();
    const wait = Math.max(1, at - this.#ports.clock.now());
    this.#timer = { at, cancel: this.#ports.timers.after(wait, () => this.#tick()).cancel };
  }
}
