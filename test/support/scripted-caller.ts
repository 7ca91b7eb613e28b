/** A PPTP server under test, and callers played by the test: every word of theirs is the test's, every answer is kept. */
import assert from "node:assert/strict";
import { generateNtResponse, ntPasswordHash } from "../../appliance/crypto/mschap.ts";
import { Millis } from "../../appliance/ports.ts";
import type { LocalCallId } from "../../appliance/pptp/call-id.ts";
import type { AccessAnswer, AccessQuestion } from "../../appliance/radius/access.ts";
import type { SessionRecord } from "../../appliance/radius/accounting.ts";
import { ConnectionId, type Effect } from "../../appliance/tunnel/effect.ts";
import { PptpServer } from "../../appliance/tunnel/server.ts";
import type { Account, ServerSettings } from "../../appliance/tunnel/settings.ts";
import { emitChapValue, emitMsChapV2Response, parseChapValue } from "../../appliance/wire/chap.ts";
import { type ControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { CpCode, type CpPacket, emitCpPacket, parseCpPacket } from "../../appliance/wire/cp-packet.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitPppFrame, Protocol, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { WINDOWS_CONTROL } from "./codecs.ts";
import { hex } from "./hex.ts";
import { ip, SERVER } from "./link-end.ts";
import { SeededRandom } from "./seeded-random.ts";

export const ALICE: Account = {
  user: "alice",
  password: "s3cret",
  enabled: true,
  address: undefined,
  routes: [],
  oneSession: "false",
  sessionTimeoutMs: undefined,
  rateLimit: { upload: undefined, download: undefined },
};
/** The product's defaults: MS-CHAPv2, MPPE 128 stateless required. */
export const SERVER_SETTINGS: ServerSettings = {
  enabled: true,
  localAddress: ip("192.168.1.1"),
  pool: { start: ip("192.168.1.200"), count: 4 },
  dns: [ip("192.168.1.1"), ip("192.168.1.2")],
  wins: [],
  mtu: 1400,
  authentication: ["mschap-v2"],
  encryption: SERVER.encryption,
  callback: "refuse",
  ipv6: "refuse",
  accountSources: ["local"],
  accounting: undefined,
};
/** Windows 7 and 10 once the callback was rejected: MRU 1400, magic, PFC, ACFC. */
export const WINDOWS_LCP = "01040578 050675eb25d5 0702 0802";
export const MPPE_128 = "120601000040";

const CODE_NAME: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(CpCode).map(([name, code]) => [code, name.replace("configure", "").toLowerCase()]),
);

/** One PPP control packet of the server. */
export interface Said extends CpPacket {
  readonly protocol: number;
  /** As on the wire, from the first byte of the PPP frame. */
  readonly wire: string;
}

/** `c021 nak 0305c22381`: protocol, code, data; codes of CHAP and CBCP by number. */
export function brief({ protocol, code, data }: Said): string {
  const numbered = protocol === Protocol.chap || protocol === Protocol.cbcp;
  const name = numbered ? String(code) : (CODE_NAME[code] ?? String(code));
  return `${protocol.toString(16)} ${name} ${data.toString("hex")}`.trimEnd();
}

export class Desk {
  readonly server: PptpServer;
  readonly log: string[] = [];
  /** What RADIUS servers are asked and told. */
  readonly questions: AccessQuestion[] = [];
  readonly records: SessionRecord[] = [];
  readonly #callers = new Map<ConnectionId, Caller>();
  now = 0;
  settings: ServerSettings;
  accounts: readonly Account[];

  constructor(settings: Partial<ServerSettings> = {}, accounts: readonly Account[] = [ALICE]) {
    this.settings = { ...SERVER_SETTINGS, ...settings };
    this.accounts = accounts;
    this.server = new PptpServer(this.settings, new SeededRandom(7));
    this.configure({});
  }
  configure(settings: Partial<ServerSettings>, accounts = this.accounts): void {
    this.settings = { ...this.settings, ...settings };
    this.accounts = accounts;
    this.carryOut(this.server.configure(this.settings, accounts, Millis(this.now)));
  }
  /** A RADIUS server's answer to one of the questions. */
  answer(question: AccessQuestion | undefined, answer: AccessAnswer): void {
    this.carryOut(
      this.server.answered((question ?? assert.fail("nothing was asked")).ticket, answer, Millis(this.now)),
    );
  }
  hangUp(id: number): boolean {
    const effects = this.server.hangUp(id, Millis(this.now));
    this.carryOut(effects ?? []);
    return effects !== undefined;
  }
  /** Time passes, with a tick at every deadline. */
  advance(milliseconds: number): void {
    const until = this.now + milliseconds;
    for (let turn = 0; turn < 10_000; turn++) {
      const deadline = this.server.deadline;
      if (deadline === undefined || deadline > until) {
        this.now = until;
        return;
      }
      this.now = Math.max(this.now, deadline);
      this.carryOut(this.server.tick(Millis(this.now)));
    }
    assert.fail("deadlines do not move on");
  }
  carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "log") this.log.push(`${effect.level} ${effect.text}`);
      else if (effect.type === "ask-radius") this.questions.push(effect.question);
      else if (effect.type === "account") this.records.push(effect.record);
      else if ("connection" in effect) this.#callers.get(effect.connection)?.take(effect);
      else {
        const callId = effect.type === "open-call" ? effect.call.callId : effect.callId;
        const isTheirs = (caller: Caller) =>
          effect.type === "open-call" ? caller.isDialing(effect.call.peer) : caller.callId === callId;
        [...this.#callers.values()].find(isTheirs)?.take(effect);
      }
    }
  }
  /** A TCP connection; `undefined` when the server refuses it. */
  accept(peer: Ipv4): Caller | undefined {
    const connection = ConnectionId(this.#callers.size + 1);
    const caller = new Caller(this, connection, peer);
    this.#callers.set(connection, caller);
    const { accepted, effects } = this.server.accept(connection, ip("203.0.113.1"), peer, Millis(this.now));
    this.carryOut(effects);
    return accepted ? caller : undefined;
  }
  /** A caller with its own address. */
  caller(): Caller {
    return this.accept(Ipv4(ip("198.51.100.1") + this.#callers.size)) ?? assert.fail("refused");
  }
  /** The log below `debug`. */
  get told(): string[] {
    return this.log.filter((line) => !line.startsWith("debug"));
  }
}

export class Caller {
  readonly desk: Desk;
  readonly connection: ConnectionId;
  readonly peer: Ipv4;
  /** The server's Call ID of our call. */
  callId: LocalCallId | undefined;
  closed = false;
  /** Effects that concern this caller, but for what it said. */
  readonly effects: Effect[] = [];
  #controls: ControlMessage[] = [];
  #said: Said[] = [];
  readonly #requests = new Map<number, Said>();
  #identifier = 0;

  constructor(desk: Desk, connection: ConnectionId, peer: Ipv4) {
    this.desk = desk;
    this.connection = connection;
    this.peer = peer;
  }
  isDialing(peer: Ipv4): boolean {
    return this.peer === peer && this.callId === undefined;
  }
  take(effect: Effect): void {
    this.effects.push(effect);
    if (effect.type === "open-call") this.callId = effect.call.callId;
    if (effect.type === "close-control") this.closed = true;
    if (effect.type === "send-control") {
      const message = parseControlMessage(effect.bytes);
      assert.ok(message.ok);
      this.#controls.push(message.value);
    }
    if (effect.type !== "send-frame") return;
    const wire = emitPppFrame(effect, effect.framing);
    const frame = parsePppFrame(wire);
    const packet = frame.ok ? parseCpPacket(frame.value.payload) : frame;
    assert.ok(frame.ok && packet.ok);
    const said = { ...packet.value, protocol: frame.value.protocol, wire: wire.toString("hex") };
    this.#said.push(said);
    if (said.code === CpCode.configureRequest) this.#requests.set(said.protocol, said);
  }
  /** Control messages since the last call. */
  controls(): ControlMessage[] {
    return this.#controls.splice(0);
  }
  /** PPP packets since the last call. */
  said(): Said[] {
    return this.#said.splice(0);
  }
  heard(): string[] {
    return this.said().map(brief);
  }
  has(type: Effect["type"]): boolean {
    return this.effects.some((effect) => effect.type === type);
  }
  get session() {
    return this.desk.server.sessions().find(({ callId }) => callId === this.callId);
  }

  // --- what we say -------------------------------------------------------------------------------------------------

  control(...messages: readonly Buffer[]): this {
    for (const bytes of messages)
      this.desk.carryOut(this.desk.server.received(this.connection, bytes, Millis(this.desk.now)));
    return this;
  }
  hangUpTcp(reason?: string): void {
    this.desk.carryOut(this.desk.server.disconnected(this.connection, reason, Millis(this.desk.now)));
  }
  packet(protocol: number, code: number, identifier: number, data: string | Buffer): this {
    const payload = emitCpPacket({ code, identifier, data: Buffer.isBuffer(data) ? data : hex(data) });
    const { callId, desk } = this;
    assert.ok(callId !== undefined, "no call yet");
    desk.carryOut(desk.server.session(callId, { type: "frame", protocol, payload }, Millis(desk.now)));
    return this;
  }
  /** A Configure-Request with the next identifier. */
  ask(protocol: number, options: string): this {
    return this.packet(protocol, CpCode.configureRequest, this.#identifier++, options);
  }
  /** Answers the server's latest Configure-Request of this protocol. */
  answer(protocol: number, code: number, options?: string): this {
    const request = this.#requests.get(protocol) ?? assert.fail(`no request of ${protocol.toString(16)}`);
    return this.packet(protocol, code, request.identifier, options ?? request.data);
  }
  acknowledge(protocol: number): this {
    return this.answer(protocol, CpCode.configureAck);
  }

  // --- up the stairs -----------------------------------------------------------------------------------------------

  /** The control connection, as Windows 7 opens it. */
  start(): this {
    return this.control(WINDOWS_CONTROL.startRequest);
  }
  call(): this {
    return this.start().control(WINDOWS_CONTROL.callRequest);
  }
  /** LCP open; `options` are ours. */
  lcp(options = WINDOWS_LCP): this {
    return this.call().ask(Protocol.lcp, options).acknowledge(Protocol.lcp);
  }
  /** Answers the Challenge as `respond` does, and takes the silence that follows. */
  claim(user = "bob", password = "b0b"): this {
    const challenge = this.#said.findLast(({ protocol, code }) => protocol === Protocol.chap && code === 1);
    assert.ok(challenge, "no challenge");
    const value = parseChapValue(challenge.data);
    assert.ok(value.ok);
    this.#respond(challenge.identifier, value.value.value, user, password, user);
    return this;
  }
  /** Answers the Challenge; returns the server's answer, Success or Failure. */
  respond(user: string | Buffer = "alice", password = "s3cret", hashed = user): Said {
    const challenge = this.#said.findLast(({ protocol, code }) => protocol === Protocol.chap && code === 1);
    assert.ok(challenge, "no challenge");
    const value = parseChapValue(challenge.data);
    assert.ok(value.ok);
    return this.respondTo(challenge.identifier, value.value.value, user, password, hashed);
  }
  respondTo(identifier: number, challenge: Buffer, user: string | Buffer, password: string, hashed = user): Said {
    this.#respond(identifier, challenge, user, password, hashed);
    const answer = this.#said.findLast(({ protocol, code }) => protocol === Protocol.chap && code >= 3);
    return answer ?? assert.fail("no answer to the Response");
  }
  #respond(
    identifier: number,
    challenge: Buffer,
    user: string | Buffer,
    password: string,
    hashed: string | Buffer,
  ): void {
    const peerChallenge = Buffer.alloc(16, 0x33);
    const exchange = { authenticatorChallenge: challenge, peerChallenge, userName: Buffer.from(hashed) };
    const ntResponse = generateNtResponse(exchange, ntPasswordHash(password));
    const name = Buffer.isBuffer(user) ? user : Buffer.from(user);
    const data = emitChapValue({ value: emitMsChapV2Response({ peerChallenge, ntResponse, flags: 0 }), name });
    this.packet(Protocol.chap, 2, identifier, data);
  }
  authenticated(user = "alice", password = "s3cret"): this {
    assert.equal(this.lcp().respond(user, password).code, 3);
    return this;
  }
  ccp(): this {
    return this.ask(Protocol.ccp, MPPE_128).acknowledge(Protocol.ccp);
  }
  /** Asks for an address as Windows does, and takes the one it is told. */
  ipcp(): this {
    this.acknowledge(Protocol.ipcp).ask(Protocol.ipcp, "030600000000");
    const nak = this.#said.findLast(({ protocol, code }) => protocol === Protocol.ipcp && code === CpCode.configureNak);
    return this.ask(Protocol.ipcp, (nak ?? assert.fail("no address offered")).data.toString("hex"));
  }
  connected(user = "alice", password = "s3cret"): this {
    this.authenticated(user, password).ccp().ipcp();
    assert.equal(this.session?.state, "connected", this.desk.log.join("\n"));
    return this;
  }
}
