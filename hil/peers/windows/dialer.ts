/**
 * Carries out one PptpClient over the sockets and interfaces of this machine, for the Windows profile: the client's
 * effects, and nothing that the device adds to them (no firewall, no redial, no dial on demand).
 */
import { UserSpaceDataPlane } from "../../../appliance/dataplane/user-space.ts";
import {
  type Clock,
  type ControlSocket,
  type ControlTransport,
  type GreSocket,
  type GreTransport,
  type Log,
  Millis,
  type Net,
  type Random,
  type Timers,
} from "../../../appliance/ports.ts";
import type { CallIds, LocalCallId } from "../../../appliance/pptp/call-id.ts";
import { PptpClient } from "../../../appliance/tunnel/client.ts";
import type { SessionFailure } from "../../../appliance/tunnel/diagnosis.ts";
import { ConnectionId, type Effect } from "../../../appliance/tunnel/effect.ts";
import type { ClientSettings } from "../../../appliance/tunnel/settings.ts";
import { STAGES, type Stage } from "../../../appliance/tunnel/status.ts";
import { parseControlMessage } from "../../../appliance/wire/control-message.ts";
import type { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { SpokenTun } from "./spoken-tun.ts";

export interface DialerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly net: Net;
  readonly gre: GreTransport;
  readonly control: ControlTransport;
  readonly log: Log;
}

export interface NetworkUp {
  readonly interfaceName: string;
  readonly local: Ipv4;
  readonly remote: Ipv4;
  readonly mtu: number;
  readonly dns: readonly Ipv4[];
  /** Sends an IP packet into the tunnel as if it came from this machine. */
  readonly say: (packet: Buffer) => void;
}

export interface DialerEvents {
  /** The correlation id of the call that is asked for; empty where this Windows has none. */
  called(correlationId: Buffer): void;
  /** Once per stage, in order. */
  reached(stage: Stage): void;
  up(network: NetworkUp): void;
  /** Once, last. */
  ended(failure: SessionFailure, stage: Stage): void;
}

const PPTP_PORT = 1723;
const INTERFACE = "vpn0";

/** One dial, from `dial` to `ended`. */
export class Dialer {
  readonly #ports: DialerPorts;
  readonly #events: DialerEvents;
  readonly #client: PptpClient;
  readonly #plane: UserSpaceDataPlane;
  readonly #gre: GreSocket;
  #connection = 0;
  #abort: (() => void) | undefined;
  #socket: ControlSocket | undefined;
  #tun: SpokenTun | undefined;
  #stage = 0;
  #ended = false;
  #timer: { cancel(): void } | undefined;

  constructor(settings: ClientSettings, callIds: CallIds, ports: DialerPorts, events: DialerEvents) {
    this.#ports = ports;
    this.#events = events;
    const allocate = (): ConnectionId => ConnectionId(++this.#connection);
    this.#client = new PptpClient(1, settings, ports.random, callIds, allocate);
    this.#gre = ports.gre.open(() => {
      this.#plane.receive(this.#now);
      this.#settle();
    });
    this.#plane = new UserSpaceDataPlane(
      this.#gre,
      {
        control: (callId, protocol, payload) =>
          this.#carryOut(this.#client.session(callId, { type: "frame", protocol, payload }, this.#now)),
        resetNeeded: (callId) => this.#carryOut(this.#client.session(callId, { type: "mppe-reset-needed" }, this.#now)),
      },
      settings.profile.greTimes,
    );
  }

  dial(): void {
    this.#carryOut(this.#client.dial(this.#now));
  }

  hangUp(): void {
    this.#carryOut(this.#client.hangUp(this.#now));
  }

  get #now(): Millis {
    return this.#ports.clock.now();
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) this.#perform(effect);
    this.#lookAtStage();
    const { lastEnd } = this.#client;
    if (lastEnd !== undefined && !this.#ended) this.#end(lastEnd.failure, lastEnd.stage);
    this.#settle();
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "connect":
        this.#connect(effect.connection, effect.peer);
        break;
      case "send-control": {
        const message = parseControlMessage(effect.bytes);
        if (message.ok && message.value.type === "outgoing-call-request") {
          const { subaddress } = message.value;
          this.#events.called(Buffer.from(subaddress.subarray(0, 16)));
        }
        this.#socket?.write(effect.bytes);
        break;
      }
      case "close-control":
        this.#socket?.end();
        this.#abort?.();
        break;
      case "open-call":
        this.#plane.open(effect.call, effect.requireEncryption);
        break;
      case "send-frame":
        this.#plane.sendFrame(effect.callId, effect.protocol, effect.payload, effect.framing);
        break;
      case "encrypt":
        this.#plane.encrypt(effect.callId, effect.send, effect.receive);
        break;
      case "flush-encryption":
        this.#plane.flushEncryption(effect.callId);
        break;
      case "forget-encryption":
        this.#plane.forgetEncryption(effect.callId);
        break;
      case "network-up":
        this.#networkUp(effect);
        break;
      case "network-down":
        this.#networkDown(effect.callId);
        break;
      case "close-call":
        this.#networkDown(effect.callId);
        this.#plane.close(effect.callId);
        break;
      case "ipv6-up": // negotiated as Windows does; these guests carry no IPv6
      case "ask-radius":
      case "account":
        break;
      case "log":
        this.#ports.log.write(effect.level, "pptp", effect.text);
        break;
    }
  }

  #connect(connection: ConnectionId, server: Ipv4): void {
    const dial = this.#ports.control.connect(
      server,
      PPTP_PORT,
      (socket) => {
        this.#abort = undefined;
        this.#socket = socket;
        this.#carryOut(this.#client.connected(connection, socket.local, this.#now));
        return {
          data: (bytes) => this.#carryOut(this.#client.received(bytes, this.#now)),
          closed: (reason) => this.#carryOut(this.#client.disconnected(reason, this.#now)),
        };
      },
      (error) => this.#carryOut(this.#client.connectFailed(connection, error.errno, this.#now)),
    );
    this.#abort = () => dial.abort();
  }

  #networkUp(up: Extract<Effect, { type: "network-up" }>): void {
    const { callId, local, remote, mtu, dns, framing } = up;
    const tun = this.#ports.net.openTun({ name: INTERFACE, local, remote, mtu }, () => {
      this.#plane.transmit(callId, this.#now);
      this.#settle();
    });
    const spoken = new SpokenTun(tun);
    this.#tun = spoken;
    this.#plane.attach(callId, spoken, framing);
    const say = (packet: Buffer): void => {
      spoken.say(packet);
      this.#plane.transmit(callId, this.#now);
      this.#settle();
    };
    this.#lookAtStage();
    this.#events.up({ interfaceName: INTERFACE, local, remote, mtu, dns, say });
  }

  #networkDown(callId: LocalCallId): void {
    this.#plane.detach(callId);
    this.#tun?.close();
    this.#tun = undefined;
  }

  /** Stages that were passed since the last look, also those in between. */
  #lookAtStage(): void {
    const stage = this.#client.status()?.stage;
    for (const next = stage === undefined ? 0 : STAGES.indexOf(stage); this.#stage < next; ) {
      const reached = STAGES[++this.#stage];
      if (reached !== undefined) this.#events.reached(reached);
    }
  }

  #end(failure: SessionFailure, stage: Stage): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#gre.flush();
    this.#gre.close();
    this.#events.ended(failure, stage);
  }

  /** What is queued leaves, and the timer stands at the earliest deadline. */
  #settle(): void {
    if (this.#ended) return;
    this.#plane.flush();
    this.#timer?.cancel();
    const deadlines = [this.#plane.deadline, this.#client.deadline].filter((instant) => instant !== undefined);
    if (deadlines.length === 0) return;
    const at = Millis(Math.min(...deadlines));
    this.#timer = this.#ports.timers.after(Math.max(1, at - this.#now), () => {
      this.#plane.tick(this.#now);
      this.#carryOut(this.#client.tick(this.#now));
    });
  }
}
