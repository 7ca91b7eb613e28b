/** A PPTP client under test: against servers played by the test, or on a line to a real one whose every word is written down. */
import assert from "node:assert/strict";
import { Millis } from "../../appliance/ports.ts";
import { CallIds } from "../../appliance/pptp/call-id.ts";
import { CULVERT_CLIENT } from "../../appliance/pptp/quirks.ts";
import { PptpClient } from "../../appliance/tunnel/client.ts";
import { ConnectionId, type Effect } from "../../appliance/tunnel/effect.ts";
import type { ClientSettings } from "../../appliance/tunnel/settings.ts";
import { DEFAULT_REDIAL } from "../../appliance/tunnel/virtual-interface.ts";
import { type ControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { emitCpPacket } from "../../appliance/wire/cp-packet.ts";
import { emitPppFrame } from "../../appliance/wire/ppp-frame.ts";
import { WINDOWS_CONTROL } from "./codecs.ts";
import { hex } from "./hex.ts";
import { ip } from "./link-end.ts";
import { type Caller, Desk, SERVER_SETTINGS } from "./scripted-caller.ts";
import { SeededRandom } from "./seeded-random.ts";

export const SERVER = ip("203.0.113.1");
export const CLIENT = ip("198.51.100.7");
export const CLIENT_SETTINGS: ClientSettings = {
  name: "office",
  server: SERVER,
  user: "alice",
  password: "s3cret",
  newPassword: undefined,
  authentication: ["mschap-v2"],
  encryption: SERVER_SETTINGS.encryption,
  mtu: 1400,
  routes: [],
  nat: false,
  dial: { mode: "manual", idleMs: undefined, ...DEFAULT_REDIAL },
  profile: CULVERT_CLIENT,
};

/** Its Call ID is the one of Windows 7's capture, so that RRAS's reply fits. */
export class Dialer {
  readonly client: PptpClient;
  readonly effects: Effect[] = [];
  now = 0;
  #connections = 0;

  constructor(settings: Partial<ClientSettings> = {}) {
    const callIds = new CallIds({ bytes: () => hex("9d49") });
    const allocate = () => ConnectionId(++this.#connections);
    const all = { ...CLIENT_SETTINGS, ...settings };
    this.client = new PptpClient(1, all, new SeededRandom(1), callIds, allocate);
  }
  take(effects: readonly Effect[]): this {
    this.effects.push(...effects);
    return this;
  }
  dial(): this {
    return this.take(this.client.dial(Millis(this.now)));
  }
  /** TCP to the server is up. */
  connected(): this {
    return this.dial().take(this.client.connected(ConnectionId(this.#connections), CLIENT, Millis(this.now)));
  }
  receive(...messages: readonly Buffer[]): this {
    for (const bytes of messages) this.take(this.client.received(bytes, Millis(this.now)));
    return this;
  }
  /** The call is established, and it has digested that. */
  called(): this {
    return this.connected().receive(WINDOWS_CONTROL.startReply, WINDOWS_CONTROL.callReply).settle();
  }
  /** As long as it is deaf after an Outgoing-Call-Reply. */
  settle(): this {
    return this.advance(this.client.settings.profile.settleMs);
  }
  frame(protocol: number, payload: Buffer): this {
    const { callId } = this.client;
    if (callId === undefined) return this;
    return this.take(this.client.session(callId, { type: "frame", protocol, payload }, Millis(this.now)));
  }
  packet(protocol: number, code: number, identifier: number, data: string): this {
    return this.frame(protocol, emitCpPacket({ code, identifier, data: hex(data) }));
  }
  advance(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let turn = 0; turn < 1000; turn++) {
      const { deadline } = this.client;
      if (deadline === undefined || deadline > until) break;
      this.now = Math.max(this.now, deadline);
      this.take(this.client.tick(Millis(this.now)));
    }
    this.now = until;
    return this;
  }
  get controls(): ControlMessage[] {
    return this.effects.flatMap((effect) => (effect.type === "send-control" ? [parsed(effect.bytes)] : []));
  }
  /** PPP frames sent, as on the wire. */
  get frames(): string[] {
    return this.effects.flatMap((effect) => (effect.type === "send-frame" ? [onTheWire(effect)] : []));
  }
  count(type: Effect["type"]): number {
    return this.effects.filter((effect) => effect.type === type).length;
  }
}

/** Client and server, every message between them in order: `C tcp set-link-info`, `S gre ff03c021…`, `C FIN`. */
export class Line {
  readonly transcript: string[] = [];
  /** Words that get lost on the way. */
  loses: (said: string) => boolean = () => false;
  readonly dialer: Dialer;
  readonly desk: Desk;
  readonly caller: Caller;
  #fromClient = 0;
  #fromServer = 0;

  constructor(client: Partial<ClientSettings> = {}, server: ConstructorParameters<typeof Desk>[0] = {}) {
    this.dialer = new Dialer(client);
    this.desk = new Desk(server);
    this.caller = this.desk.accept(CLIENT) ?? assert.fail("refused");
  }
  /** Dials and lets both ends talk until they have nothing more to say. */
  connect(): this {
    this.dialer.connected();
    this.settle().dialer.settle();
    return this.settle();
  }
  hangUp(): this {
    this.dialer.take(this.dialer.client.hangUp(Millis(this.dialer.now)));
    return this.settle();
  }
  settle(): this {
    for (let turn = 0; turn < 1000; turn++) {
      const fromClient = this.dialer.effects[this.#fromClient];
      const fromServer = this.caller.effects[this.#fromServer];
      if (fromClient !== undefined) {
        this.#fromClient++;
        this.#carry("C", fromClient);
      } else if (fromServer !== undefined) {
        this.#fromServer++;
        this.#carry("S", fromServer);
      } else return this;
    }
    return assert.fail("the two never stop talking");
  }
  #carry(from: "C" | "S", effect: Effect): void {
    const said = inWords(effect);
    if (said === undefined) return;
    this.transcript.push(`${from} ${said}`);
    if (this.loses(`${from} ${said}`)) return;
    if (effect.type === "send-control") {
      if (from === "C") this.caller.control(effect.bytes);
      else this.dialer.receive(effect.bytes);
    }
    if (effect.type === "send-frame") {
      const { protocol, payload } = effect;
      if (from === "S") this.dialer.frame(protocol, payload);
      else if (this.caller.callId !== undefined)
        this.desk.carryOut(
          this.desk.server.session(this.caller.callId, { type: "frame", protocol, payload }, Millis(this.desk.now)),
        );
    }
  }
}

function inWords(effect: Effect): string | undefined {
  if (effect.type === "close-control") return "FIN";
  if (effect.type === "send-control") return `tcp ${parsed(effect.bytes).type}`;
  return effect.type === "send-frame" ? `gre ${onTheWire(effect)}` : undefined;
}

function parsed(bytes: Buffer): ControlMessage {
  const message = parseControlMessage(bytes);
  assert.ok(message.ok, bytes.toString("hex"));
  return message.value;
}

function onTheWire(effect: Extract<Effect, { type: "send-frame" }>): string {
  return emitPppFrame(effect, effect.framing).toString("hex");
}
