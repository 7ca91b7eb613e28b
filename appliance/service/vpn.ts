/**
 * Runs the PPTP server over the device's sockets and interfaces: feeds it bytes, frames and time, and carries out its
 * effects in order. This is the only place where protocol meets IO.
 */
import { UserSpaceDataPlane } from "../dataplane/user-space.ts";
import type {
  Clock,
  ControlSocket,
  ControlSocketEvents,
  ControlTransport,
  GreSocket,
  GreTransport,
  Log,
  Millis,
  Net,
  Random,
  Timers,
  Tun,
} from "../ports.ts";
import type { LocalCallId } from "../pptp/call-id.ts";
import { ConnectionId, type Effect } from "../tunnel/effect.ts";
import { PptpServer } from "../tunnel/server.ts";
import type { SessionInput } from "../tunnel/session.ts";
import type { Account, ServerSettings } from "../tunnel/settings.ts";
import type { SessionStatus, TrafficCounters } from "../tunnel/status.ts";

/** RFC 2637 §3.1. */
const PPTP_PORT = 1723;
const NO_TRAFFIC: TrafficCounters = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0, dropped: {} };
/** How long `close` waits for the peers to confirm. */
const GOODBYE_MS = 3000;

export interface VpnPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly net: Net;
  readonly gre: GreTransport;
  readonly control: ControlTransport;
  readonly log: Log;
}

export interface VpnSettings {
  readonly server: ServerSettings;
  readonly accounts: readonly Account[];
}

export class VpnService {
  readonly #ports: VpnPorts;
  readonly #sockets = new Map<ConnectionId, ControlSocket>();
  readonly #tuns = new Map<LocalCallId, Tun>();
  #server: PptpServer | undefined;
  #gre: GreSocket | undefined;
  #plane: UserSpaceDataPlane | undefined;
  #listener: { close(): void } | undefined;
  #nextConnection = 1;
  #timer: { readonly at: Millis; readonly cancel: () => void } | undefined;
  #onIdle: (() => void) | undefined;

  constructor(ports: VpnPorts) {
    this.#ports = ports;
  }

  /** The server as it shall be from now on; sessions that the change does not concern go on undisturbed. */
  apply({ server, accounts }: VpnSettings): void {
    const now = this.#ports.clock.now();
    if (server.enabled && this.#plane === undefined) this.#openPlane();
    this.#server ??= new PptpServer(server, this.#ports.random);
    this.#carryOut(this.#server.configure(server, accounts, now), now);
    if (server.enabled && this.#listener === undefined) this.#listen();
    if (!server.enabled) {
      this.#listener?.close();
      this.#listener = undefined;
    }
  }

  sessions(): readonly SessionStatus[] {
    return (this.#server?.sessions() ?? []).map((status) => {
      const callId = status.callId as LocalCallId;
      const traffic = this.#plane?.counters(callId) ?? NO_TRAFFIC;
      return { ...status, traffic, interfaceName: this.#tuns.get(callId)?.name };
    });
  }

  /** Whether there was such a session. It ends a moment later, when the peer has confirmed. */
  hangUp(id: number): boolean {
    const now = this.#ports.clock.now();
    const effects = this.#server?.hangUp(id, now);
    if (effects === undefined) return false;
    this.#carryOut(effects, now);
    return true;
  }

  /** Ends every session, telling the peers, and gives back every socket and interface. */
  async close(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    const now = this.#ports.clock.now();
    if (this.#server) this.#carryOut(this.#server.stop(now), now);
    if (this.#sockets.size > 0)
      await new Promise<void>((resolve) => {
        const limit = this.#ports.timers.after(GOODBYE_MS, resolve);
        this.#onIdle = () => {
          limit.cancel();
          resolve();
        };
      });
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const callId of [...this.#tuns.keys()]) this.#closeTun(callId);
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
    if (this.#server) this.#carryOut(this.#server.session(callId, input, now), now);
  }

  #listen(): void {
    this.#listener = this.#ports.control.listen(
      PPTP_PORT,
      (socket) => this.#accept(socket),
      (error) => {
        this.#listener = undefined;
        this.#ports.log.write("error", "pptp", `cannot listen on TCP port ${PPTP_PORT}: ${error.message}`);
      },
    );
  }

  #accept(socket: ControlSocket): ControlSocketEvents | undefined {
    const now = this.#ports.clock.now();
    const connection = ConnectionId(this.#nextConnection++);
    const effects = this.#server?.accept(connection, socket.local, socket.peer, now);
    if (effects === undefined) return undefined;
    this.#sockets.set(connection, socket);
    this.#carryOut(effects, now);
    return {
      data: (bytes) => {
        const at = this.#ports.clock.now();
        if (this.#server) this.#carryOut(this.#server.received(connection, bytes, at), at);
      },
      closed: (reason) => {
        const at = this.#ports.clock.now();
        this.#sockets.delete(connection);
        if (this.#server) this.#carryOut(this.#server.disconnected(connection, reason, at), at);
        if (this.#sockets.size === 0) this.#onIdle?.();
      },
    };
  }

  #tick(): void {
    this.#timer = undefined;
    const now = this.#ports.clock.now();
    this.#plane?.tick(now);
    if (this.#server) this.#carryOut(this.#server.tick(now), now);
    this.#settle();
  }

  // --- out ---------------------------------------------------------------------------------------------------------

  #carryOut(effects: readonly Effect[], now: Millis): void {
    for (const effect of effects) this.#perform(effect, now);
    this.#settle();
  }

  #perform(effect: Effect, now: Millis): void {
    switch (effect.type) {
      case "send-control":
        this.#sockets.get(effect.connection)?.write(effect.bytes);
        break;
      case "close-control":
        this.#sockets.get(effect.connection)?.end();
        break;
      case "open-call":
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
      case "network-up":
        this.#openTun(effect, now);
        break;
      case "network-down":
        this.#closeTun(effect.callId);
        break;
      case "close-call":
        this.#closeTun(effect.callId);
        this.#plane?.close(effect.callId);
        break;
      case "log":
        this.#ports.log.write(effect.level, "pptp", effect.text);
        break;
    }
  }

  #openTun(up: Extract<Effect, { type: "network-up" }>, now: Millis): void {
    const { callId, local, remote, mtu, framing } = up;
    try {
      const tun = this.#ports.net.openTun({ name: this.#freeName(), local, remote, mtu }, () => {
        const at = this.#ports.clock.now();
        this.#plane?.transmit(callId, at);
        this.#settle();
      });
      this.#tuns.set(callId, tun);
      this.#plane?.attach(callId, tun, framing);
    } catch (error) {
      // Without an interface the session is of no use: it ends, and the peer is told.
      this.#ports.log.write("error", "pptp", `cannot make the tunnel interface: ${String(error)}`);
      const failure = { reason: "administrative" } as const;
      if (this.#server) this.#carryOut(this.#server.session(callId, { type: "hang-up", failure }, now), now);
    }
  }

  #closeTun(callId: LocalCallId): void {
    this.#plane?.detach(callId);
    this.#tuns.get(callId)?.close();
    this.#tuns.delete(callId);
  }

  #freeName(): string {
    const names = new Set([...this.#tuns.values()].map((tun) => tun.name));
    for (let n = 0; ; n++) if (!names.has(`pptp${n}`)) return `pptp${n}`;
  }

  /** Everything queued leaves, and the one timer stands at the earliest deadline. */
  #settle(): void {
    this.#plane?.flush();
    const deadlines = [this.#server?.deadline, this.#plane?.deadline].filter((instant) => instant !== undefined);
    if (deadlines.length === 0) return;
    const at = Math.min(...deadlines) as Millis;
    if (this.#timer !== undefined && this.#timer.at <= at) return; // it will fire early enough, and look again
    this.#timer?.cancel();
    const wait = Math.max(0, at - this.#ports.clock.now());
    this.#timer = { at, cancel: this.#ports.timers.after(wait, () => this.#tick()).cancel };
  }
}
