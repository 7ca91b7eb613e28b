/**
 * Requests to RADIUS servers and their answers: RFC 2865 §2.4. One exchange is one question; it is repeated to a server
 * with growing waits, then put to the next one, until somebody answers or nobody is left. An answer counts only if it is
 * from the server that was asked, to the identifier that is open, and signed for this very request: late, double and
 * forged ones change nothing.
 */

import { sameSecret } from "../crypto/chap.ts";
import {
  authenticatorAttributeAt,
  checkResponseAuthenticator,
  messageAuthenticator,
  radiusAuthenticator,
} from "../crypto/radius.ts";
import { type LogLevel, Millis, type Random } from "../ports.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { AUTHENTICATOR_BYTES, emitRadiusPacket, parseRadiusPacket, RadiusCode } from "../wire/radius.ts";
import {
  emitRadiusAttribute,
  interpretRadiusAttributes,
  MESSAGE_AUTHENTICATOR,
  type RadiusAttribute,
} from "../wire/radius-attribute.ts";
import type { RadiusServerSettings, RadiusSettings } from "./settings.ts";

/** Each has a source port of its own, and so 256 identifiers per server. */
export type Purpose = "access" | "accounting";

/** What a request is made from, anew for each server. */
export interface Recipient {
  readonly server: RadiusServerSettings;
  /** 16 random bytes; hidden attributes are made with them. All zeros in accounting. */
  readonly authenticator: Buffer;
  readonly now: Millis;
}

export interface Reply {
  readonly server: RadiusServerSettings;
  readonly code: number;
  readonly attributes: readonly RadiusAttribute[];
  /** Of the request: hidden attributes are revealed with it. */
  readonly authenticator: Buffer;
}

export type ExchangeOutput =
  | {
      readonly type: "send";
      readonly purpose: Purpose;
      readonly to: Ipv4;
      readonly port: number;
      readonly bytes: Buffer;
    }
  | { readonly type: "reply"; readonly id: number; readonly reply: Reply }
  | { readonly type: "unanswered"; readonly id: number }
  | { readonly type: "log"; readonly level: LogLevel; readonly text: string };

/** What `show vpn radius` prints of a server. */
export interface RadiusServerStatus {
  readonly name: string;
  readonly address: Ipv4;
  /** `unknown` until the first answer or the first silence. */
  readonly state: "unknown" | "answers" | "silent";
  readonly requests: number;
  readonly repeated: number;
  readonly accepts: number;
  readonly rejects: number;
  readonly accounted: number;
  /** Nobody answered, after all tries. */
  readonly unanswered: number;
  /** Answers that were not believed: wrong secret, forged, or without the Message-Authenticator they need. */
  readonly distrusted: number;
  /** Answers to nothing that was open. */
  readonly late: number;
}

interface Server {
  readonly settings: RadiusServerSettings;
  readonly open: Readonly<Record<Purpose, Map<number, Exchange>>>;
  readonly next: Record<Purpose, number>;
  readonly counters: Record<keyof Omit<RadiusServerStatus, "name" | "address" | "state">, number>;
  deadUntil: Millis | undefined;
  lastHeard: Millis | undefined;
  /** One line per run of distrusted answers. */
  complained: boolean;
}

interface Attempt {
  readonly server: Server;
  readonly identifier: number;
  readonly authenticator: Buffer;
  readonly bytes: Buffer;
  readonly since: Millis;
  sent: number;
  deadline: Millis;
}

interface Exchange {
  readonly id: number;
  readonly purpose: Purpose;
  readonly draft: (recipient: Recipient) => readonly RadiusAttribute[];
  /** Servers not yet asked. */
  left: Server[];
  attempt: Attempt | undefined;
}

const IDENTIFIERS = 256;
const LONGEST_WAIT_MS = 8000;
const NO_AUTHENTICATOR = Buffer.alloc(AUTHENTICATOR_BYTES);
const REQUEST: Readonly<Record<Purpose, number>> = {
  access: RadiusCode.accessRequest,
  accounting: RadiusCode.accountingRequest,
};
const ANSWERS: Readonly<Record<Purpose, readonly number[]>> = {
  access: [RadiusCode.accessAccept, RadiusCode.accessReject, RadiusCode.accessChallenge],
  accounting: [RadiusCode.accountingResponse],
};

export class Exchanges {
  readonly #random: Random;
  #settings: RadiusSettings;
  #servers: Server[];
  readonly #exchanges = new Map<number, Exchange>();
  #nextId = 1;
  #out: ExchangeOutput[] = [];

  constructor(settings: RadiusSettings, random: Random) {
    this.#random = random;
    this.#settings = settings;
    this.#servers = settings.servers.map(newServer);
  }

  get deadline(): Millis | undefined {
    let earliest: Millis | undefined;
    for (const { attempt } of this.#exchanges.values())
      if (attempt !== undefined && (earliest === undefined || attempt.deadline < earliest)) earliest = attempt.deadline;
    return earliest;
  }

  status(now: Millis): readonly RadiusServerStatus[] {
    return this.#servers.map(({ settings: { name, address }, counters, deadUntil, lastHeard }) => {
      const silent = deadUntil !== undefined && now < deadUntil;
      const state = silent ? "silent" : lastHeard === undefined ? "unknown" : "answers";
      return { name, address, state, ...counters };
    });
  }

  /** What is open with a server that changed or went is put to those that are there now. */
  configure(settings: RadiusSettings, now: Millis): readonly ExchangeOutput[] {
    return this.#collect(() => {
      const before = this.#servers;
      this.#settings = settings;
      this.#servers = settings.servers.map(
        (each) => before.find((old) => sameServer(old.settings, each)) ?? newServer(each),
      );
      for (const exchange of [...this.#exchanges.values()]) {
        exchange.left = exchange.left.filter((server) => this.#servers.includes(server));
        if (exchange.attempt !== undefined && this.#servers.includes(exchange.attempt.server)) continue;
        exchange.left = this.#candidates(now);
        this.#nextServer(exchange, now);
      }
    });
  }

  /** Returns the number that `reply` or `unanswered` will name; either may come at once. */
  start(purpose: Purpose, draft: Exchange["draft"], now: Millis): { id: number; outputs: readonly ExchangeOutput[] } {
    const id = this.#nextId++;
    const exchange: Exchange = { id, purpose, draft, left: this.#candidates(now), attempt: undefined };
    this.#exchanges.set(id, exchange);
    return { id, outputs: this.#collect(() => this.#nextServer(exchange, now)) };
  }

  received(purpose: Purpose, from: Ipv4, port: number, datagram: Buffer, now: Millis): readonly ExchangeOutput[] {
    return this.#collect(() => {
      const server = this.#servers.find(
        (each) => each.settings.address === from && portOf(each.settings, purpose) === port,
      );
      const packet = parseRadiusPacket(Buffer.from(datagram));
      if (server === undefined || !packet.ok || !ANSWERS[purpose].includes(packet.value.code)) return;
      const exchange = server.open[purpose].get(packet.value.identifier);
      const attempt = exchange?.attempt;
      if (exchange === undefined || attempt === undefined) {
        server.counters.late++;
        return;
      }
      const problem = distrust(datagram, purpose, attempt);
      if (problem !== undefined) {
        this.#complain(server, problem);
        return;
      }
      server.lastHeard = now;
      server.deadUntil = undefined;
      server.complained = false;
      const { code, attributes } = packet.value;
      if (code === RadiusCode.accessAccept) server.counters.accepts++;
      else if (code === RadiusCode.accountingResponse) server.counters.accounted++;
      else server.counters.rejects++;
      this.#finish(exchange);
      const meaning = interpretRadiusAttributes(attributes);
      const reply = { server: server.settings, code, attributes: meaning, authenticator: attempt.authenticator };
      this.#out.push({ type: "reply", id: exchange.id, reply });
    });
  }

  tick(now: Millis): readonly ExchangeOutput[] {
    return this.#collect(() => {
      for (const exchange of [...this.#exchanges.values()]) {
        const { attempt } = exchange;
        if (attempt === undefined || now < attempt.deadline) continue;
        if (attempt.sent < this.#settings.tries) {
          attempt.server.counters.repeated++;
          this.#transmit(exchange.purpose, attempt, now);
        } else this.#giveUp(exchange, attempt, now);
      }
    });
  }

  #collect(run: () => void): readonly ExchangeOutput[] {
    this.#out = [];
    run();
    return this.#out;
  }

  /** Servers that were silent lately come last, the one whose time is up first among them. */
  #candidates(now: Millis): Server[] {
    const dead = ({ deadUntil }: Server): number => (deadUntil !== undefined && now < deadUntil ? deadUntil : 0);
    return [...this.#servers].sort((a, b) => dead(a) - dead(b));
  }

  #nextServer(exchange: Exchange, now: Millis): void {
    this.#release(exchange);
    for (let server = exchange.left.shift(); server !== undefined; server = exchange.left.shift()) {
      const attempt = this.#attempt(exchange, server, now);
      if (attempt === undefined) continue; // 256 questions are open with it already
      exchange.attempt = attempt;
      server.counters.requests++;
      this.#transmit(exchange.purpose, attempt, now);
      return;
    }
    this.#finish(exchange);
    this.#out.push({ type: "unanswered", id: exchange.id });
  }

  #attempt(exchange: Exchange, server: Server, now: Millis): Attempt | undefined {
    const { purpose } = exchange;
    const open = server.open[purpose];
    if (open.size >= IDENTIFIERS) return undefined;
    while (open.has(server.next[purpose])) server.next[purpose] = (server.next[purpose] + 1) % IDENTIFIERS;
    const identifier = server.next[purpose];
    server.next[purpose] = (identifier + 1) % IDENTIFIERS;
    open.set(identifier, exchange);
    const random = purpose === "access" ? this.#random.bytes(AUTHENTICATOR_BYTES) : NO_AUTHENTICATOR;
    const { secret } = server.settings;
    const attributes = exchange.draft({ server: server.settings, authenticator: random, now });
    const bytes = sign(REQUEST[purpose], identifier, random, attributes, secret);
    if (purpose === "accounting") radiusAuthenticator(bytes, NO_AUTHENTICATOR, secret).copy(bytes, 4);
    const authenticator = Buffer.from(bytes.subarray(4, 4 + AUTHENTICATOR_BYTES));
    return { server, identifier, authenticator, bytes, since: now, sent: 0, deadline: now };
  }

  #transmit(purpose: Purpose, attempt: Attempt, now: Millis): void {
    const wait = Math.min(LONGEST_WAIT_MS, this.#settings.timeoutMs * 2 ** attempt.sent);
    const jitter = (this.#random.bytes(1)[0] ?? 0) / 255; // 90 % to 110 %: a power cut must not make all NAS speak at once
    attempt.sent++;
    attempt.deadline = Millis(now + wait * (0.9 + 0.2 * jitter));
    const { settings } = attempt.server;
    this.#out.push({
      type: "send",
      purpose,
      to: settings.address,
      port: portOf(settings, purpose),
      bytes: attempt.bytes,
    });
  }

  /** All tries were in vain. Who has answered somebody else meanwhile is not dead. */
  #giveUp(exchange: Exchange, { server, since }: Attempt, now: Millis): void {
    server.counters.unanswered++;
    const heard = server.lastHeard !== undefined && server.lastHeard >= since;
    const wasDead = server.deadUntil !== undefined && now < server.deadUntil;
    if (!heard) {
      server.deadUntil = Millis(now + this.#settings.deadTimeMs);
      if (!wasDead) this.#log("warning", `${nameOf(server)} does not answer`);
    }
    this.#nextServer(exchange, now);
  }

  #complain(server: Server, problem: string): void {
    server.counters.distrusted++;
    if (!server.complained) this.#log("warning", `an answer of ${nameOf(server)} was ignored: ${problem}`);
    server.complained = true;
  }

  #release(exchange: Exchange): void {
    if (exchange.attempt === undefined) return;
    exchange.attempt.server.open[exchange.purpose].delete(exchange.attempt.identifier);
    exchange.attempt = undefined;
  }
  #finish(exchange: Exchange): void {
    this.#release(exchange);
    this.#exchanges.delete(exchange.id);
  }
  #log(level: LogLevel, text: string): void {
    this.#out.push({ type: "log", level, text });
  }
}

/** A whole packet whose first attribute is its Message-Authenticator, as long as access is its matter. */
function sign(
  code: number,
  identifier: number,
  authenticator: Buffer,
  attributes: readonly RadiusAttribute[],
  secret: string,
): Buffer {
  const signed = code === RadiusCode.accessRequest;
  const all = signed
    ? [{ kind: "message-authenticator", octets: NO_AUTHENTICATOR } as const, ...attributes]
    : attributes;
  const bytes = emitRadiusPacket({ code, identifier, authenticator, attributes: all.map(emitRadiusAttribute) });
  const at = signed ? authenticatorAttributeAt(bytes, MESSAGE_AUTHENTICATOR) : undefined;
  if (at !== undefined) messageAuthenticator(bytes, at, authenticator, secret).copy(bytes, at);
  return bytes;
}

/** Why an answer is not believed; undefined when it is. */
function distrust(datagram: Buffer, purpose: Purpose, { server, authenticator }: Attempt): string | undefined {
  const { secret, requireMessageAuthenticator } = server.settings;
  const packet = datagram.subarray(0, datagram.readUInt16BE(2)); // parsed before: padding is no part of it
  if (!checkResponseAuthenticator(packet, authenticator, secret))
    return "its authenticator is wrong: compare the shared secret on both sides";
  const at = authenticatorAttributeAt(packet, MESSAGE_AUTHENTICATOR);
  if (at === undefined)
    return purpose === "access" && requireMessageAuthenticator
      ? "it has no Message-Authenticator: update the server, or set message-authenticator optional for it"
      : undefined;
  const found = packet.subarray(at, at + AUTHENTICATOR_BYTES);
  return sameSecret(messageAuthenticator(packet, at, authenticator, secret), found)
    ? undefined
    : "its Message-Authenticator is wrong";
}

function newServer(settings: RadiusServerSettings): Server {
  return {
    settings,
    open: { access: new Map(), accounting: new Map() },
    next: { access: 0, accounting: 0 },
    counters: {
      requests: 0,
      repeated: 0,
      accepts: 0,
      rejects: 0,
      accounted: 0,
      unanswered: 0,
      distrusted: 0,
      late: 0,
    },
    deadUntil: undefined,
    lastHeard: undefined,
    complained: false,
  };
}

function sameServer(a: RadiusServerSettings, b: RadiusServerSettings): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function portOf({ authenticationPort, accountingPort }: RadiusServerSettings, purpose: Purpose): number {
  return purpose === "access" ? authenticationPort : accountingPort;
}
function nameOf({ settings }: Server): string {
  return `RADIUS server ${settings.name} (${formatIpv4(settings.address)})`;
}
