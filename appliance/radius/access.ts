/** A caller's credentials as an Access-Request, and what a server's answer means for the session (RFC 2865 §4, RFC 2548). */

import { getStartKey, type MppeStartKeys } from "../crypto/mppe-keys.ts";
import { hideUserPassword, revealMppeKey, revealUserPassword } from "../crypto/radius.ts";
import type { Ipv4Prefix } from "../ports.ts";
import type { AuthErrorCode, AuthRequest, AuthVerdict, SessionKeys } from "../ppp/credentials.ts";
import { NO_KEYS } from "../ppp/credentials.ts";
import { parseMsChapFailure } from "../wire/chap.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { RadiusCode } from "../wire/radius.ts";
import {
  addressOf,
  emitMsChapAttribute,
  numberOf,
  octetsOf,
  parseFramedRoute,
  type RadiusAttribute,
} from "../wire/radius-attribute.ts";
import type { Recipient, Reply } from "./exchange.ts";
import type { RadiusSettings } from "./settings.ts";

/** One session, as servers are told of it. */
export interface RadiusSession {
  /** NAS-Port: the session's number. */
  readonly number: number;
  /** Acct-Session-Id: no other session of this device has it, not even after a restart. */
  readonly acctSessionId: string;
  /** Outer addresses: Calling- and Called-Station-Id. */
  readonly peer: Ipv4;
  readonly local: Ipv4;
}

export interface AccessQuestion {
  /** The answer names it: the session may have gone on to another question, or be over. */
  readonly ticket: number;
  readonly session: RadiusSession;
  readonly request: AuthRequest;
}

/** What a server allows a session beside letting it in. */
export interface SessionGrants {
  /** Name of the server that grants. */
  readonly server: string;
  /** Of the far end; undefined leaves it to the pool. */
  readonly address: Ipv4 | undefined;
  /** Networks behind the far end. */
  readonly routes: readonly Ipv4Prefix[];
  readonly dns: readonly Ipv4[];
  readonly sessionTimeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  /** Acct-Interim-Interval. */
  readonly interimMs: number | undefined;
  /** No session without MPPE, whatever our own settings say. */
  readonly requireEncryption: boolean;
  /** Given back in every accounting record. */
  readonly classes: readonly Buffer[];
}

export type AccessAnswer =
  | {
      readonly result: "accepted";
      readonly verdict: Extract<AuthVerdict, { ok: true }>;
      readonly grants: SessionGrants;
    }
  | { readonly result: "rejected"; readonly verdict: Extract<AuthVerdict, { ok: false }> }
  /** An Accept that cannot be carried out. */
  | { readonly result: "unusable"; readonly server: string; readonly text: string }
  | { readonly result: "unanswered" };

const FRAMED = 2;
const PPP = 1;
const VIRTUAL = 5;
/** "NAS should select an address for the user", and "allow the user to select": we select in both cases. */
const ANY_ADDRESS: readonly number[] = [0xfffffffe, 0xffffffff];
const ENCRYPTION_REQUIRED = 2;
/** Bits of MS-MPPE-Encryption-Types; 56 bit came after RFC 2548, from Microsoft. */
const TYPE_BIT = { 40: 0x2, 56: 0x8, 128: 0x4 } as const;
const SHORTEST_INTERIM_SECONDS = 60;
const MOST_ROUTES = 32;
const LONGEST_MESSAGE = 128;

/** Whether these credentials can be put into a request. A change of the password cannot. */
export function canAsk(request: AuthRequest): boolean {
  if (request.userName.length === 0 || request.userName.length > 253) return false;
  if (request.method === "pap") return request.password.length <= 128;
  return request.method !== "mschap-v2" || request.change === undefined;
}

export function accessAttributes(
  { session, request }: AccessQuestion,
  settings: RadiusSettings,
  recipient: Recipient,
): readonly RadiusAttribute[] {
  return [
    { kind: "user-name", octets: request.userName },
    ...proof(request, recipient),
    { kind: "service-type", number: FRAMED },
    { kind: "framed-protocol", number: PPP },
    ...sessionAttributes(session, settings),
  ];
}

/** Who we are and which session it is: the same in access and accounting. */
export function sessionAttributes(session: RadiusSession, settings: RadiusSettings): readonly RadiusAttribute[] {
  return [
    ...nasAttributes(settings),
    { kind: "nas-port", number: session.number },
    { kind: "nas-port-type", number: VIRTUAL },
    { kind: "calling-station-id", octets: Buffer.from(formatIpv4(session.peer)) },
    { kind: "called-station-id", octets: Buffer.from(formatIpv4(session.local)) },
    { kind: "acct-session-id", octets: Buffer.from(session.acctSessionId) },
  ];
}

export function nasAttributes({ nasIdentifier, nasAddress }: RadiusSettings): readonly RadiusAttribute[] {
  return [
    { kind: "nas-identifier", octets: Buffer.from(nasIdentifier) },
    ...(nasAddress === undefined ? [] : [{ kind: "nas-ip-address", address: nasAddress } as const]),
  ];
}

function proof(request: AuthRequest, { authenticator, server }: Recipient): readonly RadiusAttribute[] {
  switch (request.method) {
    case "pap": {
      const hidden = hideUserPassword(request.password, authenticator, server.secret);
      return hidden === undefined ? [] : [{ kind: "user-password", octets: hidden }];
    }
    case "chap-md5":
      return [
        { kind: "chap-password", octets: Buffer.concat([Buffer.from([request.identifier]), request.response]) },
        { kind: "chap-challenge", octets: request.challenge },
      ];
    case "mschap-v1": {
      // Flags 1: the NT-Response counts; the LM-Response is never looked at.
      const value = emitMsChapAttribute(request.identifier, 1, Buffer.alloc(24), 24, request.ntResponse);
      return [
        { kind: "ms-chap-challenge", octets: request.challenge },
        { kind: "ms-chap-response", octets: value },
      ];
    }
    case "mschap-v2": {
      const value = emitMsChapAttribute(request.identifier, 0, request.peerChallenge, 16, request.ntResponse);
      return [
        { kind: "ms-chap-challenge", octets: request.challenge },
        { kind: "ms-chap2-response", octets: value },
      ];
    }
  }
}

export function readAnswer({ request }: AccessQuestion, reply: Reply): AccessAnswer {
  if (reply.code !== RadiusCode.accessAccept) return { result: "rejected", verdict: refusal(reply) };
  const unusable = (text: string): AccessAnswer => ({ result: "unusable", server: reply.server.name, text });
  const serviceType = numberOf(reply.attributes, "service-type") ?? FRAMED;
  if (serviceType !== FRAMED) return unusable(`it grants Service-Type ${serviceType}, and only Framed can be had here`);
  const message = request.method === "mschap-v2" ? v2Success(reply, request.identifier) : (textOf(reply) ?? "");
  if (message === undefined) return unusable("its Accept has no MS-CHAP2-Success, without which the caller hangs up");
  const address = addressOf(reply.attributes, "framed-ip-address");
  const wanted = address === undefined || ANY_ADDRESS.includes(address) ? undefined : address;
  if (wanted !== undefined && !isHostAddress(wanted)) return unusable(`${formatIpv4(wanted)} is no address for a host`);
  return {
    result: "accepted",
    verdict: { ok: true, message, keys: keysOf(request, reply) },
    grants: grants(reply, wanted),
  };
}

/** RFC 2548 §2.3.3: Ident, then `S=` and 40 hexadecimal digits, to be handed to the caller as they are. */
function v2Success({ attributes }: Reply, identifier: number): string | undefined {
  const octets = octetsOf(attributes, "ms-chap2-success");
  const text = octets?.subarray(1).toString("latin1");
  return octets?.[0] === identifier && text !== undefined && /^S=[0-9A-Fa-f]{40}/.test(text) ? text : undefined;
}

const ERROR_CODES: readonly AuthErrorCode[] = [646, 647, 648, 649, 691, 709];

function refusal(reply: Reply): Extract<AuthVerdict, { ok: false }> {
  const octets = octetsOf(reply.attributes, "ms-chap-error");
  const parsed = octets && parseMsChapFailure(octets.subarray(1)); // behind Ident
  const said = parsed?.ok ? parsed.value : undefined;
  const errorCode = ERROR_CODES.find((code) => code === said?.errorCode) ?? 691;
  return { ok: false, errorCode, message: textOf(reply) ?? "Authentication failure" };
}

/** Reply-Message: for the caller's eyes, in one line. */
function textOf({ attributes }: Reply): string | undefined {
  const text = octetsOf(attributes, "reply-message")?.toString("latin1").slice(0, LONGEST_MESSAGE);
  return text?.replace(/[^\x20-\x7e]/g, "?");
}

function keysOf(request: AuthRequest, { attributes, authenticator, server: { secret } }: Reply): SessionKeys {
  const types = numberOf(attributes, "ms-mppe-encryption-types") ?? TYPE_BIT[40] | TYPE_BIT[56] | TYPE_BIT[128];
  const allowed = ([40, 56, 128] as const).filter((strength) => (types & TYPE_BIT[strength]) !== 0);
  const pairs = request.method === "mschap-v1" ? v1Keys() : v2Keys();
  return Object.fromEntries(allowed.flatMap((strength) => (pairs[strength] ? [[strength, pairs[strength]]] : [])));

  /** Send is what the NAS sends with (RFC 2548 §2.4.2): no exchange of roles. The short keys are the beginning of the long. */
  function v2Keys(): SessionKeys {
    const reveal = (kind: "ms-mppe-send-key" | "ms-mppe-recv-key") => {
      const hidden = octetsOf(attributes, kind);
      return hidden && revealMppeKey(hidden, authenticator, secret);
    };
    const send = reveal("ms-mppe-send-key");
    const receive = reveal("ms-mppe-recv-key");
    if (send === undefined || receive === undefined || Math.min(send.length, receive.length) < 8) return NO_KEYS;
    const cut = (length: number): MppeStartKeys => ({
      send: send.subarray(0, length),
      receive: receive.subarray(0, length),
    });
    const short = { 40: cut(8), 56: cut(8) };
    return Math.min(send.length, receive.length) < 16 ? short : { ...short, 128: cut(16) };
  }

  /** MS-CHAP-MPPE-Keys: 8 octets of the LAN Manager hash, then the hash of the NT hash, as servers send it. */
  function v1Keys(): SessionKeys {
    const hidden = octetsOf(attributes, "ms-chap-mppe-keys");
    const plain = hidden && revealUserPassword(hidden, authenticator, secret);
    if (plain === undefined || plain.length < 24 || request.method !== "mschap-v1") return NO_KEYS;
    const same = (key: Buffer): MppeStartKeys => ({ send: key, receive: key });
    const lm = plain.subarray(0, 8);
    const long = { 128: same(getStartKey(request.challenge, plain.subarray(8, 24))) };
    // A server that knows no LAN Manager hash sends zeros: a key everybody has.
    return lm.every((octet) => octet === 0) ? long : { ...long, 40: same(lm), 56: same(lm) };
  }
}

function grants({ attributes, server }: Reply, address: Ipv4 | undefined): SessionGrants {
  const milliseconds = (kind: "session-timeout" | "idle-timeout"): number | undefined => {
    const seconds = numberOf(attributes, kind);
    return seconds === undefined || seconds === 0 ? undefined : seconds * 1000;
  };
  const interim = numberOf(attributes, "acct-interim-interval");
  const dns = (["ms-primary-dns-server", "ms-secondary-dns-server"] as const).map((kind) =>
    addressOf(attributes, kind),
  );
  return {
    server: server.name,
    address,
    routes: routesOf(attributes),
    dns: dns.filter((each) => each !== undefined),
    sessionTimeoutMs: milliseconds("session-timeout"),
    idleTimeoutMs: milliseconds("idle-timeout"),
    interimMs: interim === undefined ? undefined : Math.max(SHORTEST_INTERIM_SECONDS, interim) * 1000,
    requireEncryption: numberOf(attributes, "ms-mppe-encryption-policy") === ENCRYPTION_REQUIRED,
    classes: attributes.flatMap((each) => (each.kind === "class" ? [each.octets] : [])),
  };
}

/** A default route would take away the device's own way out, and with it the way to the server: it is left out. */
function routesOf(attributes: readonly RadiusAttribute[]): readonly Ipv4Prefix[] {
  return attributes
    .flatMap((each) => (each.kind === "framed-route" ? [parseFramedRoute(each.octets)] : []))
    .flatMap((route) => (route.ok && route.value.length > 0 && isHostAddress(route.value.address) ? [route.value] : []))
    .slice(0, MOST_ROUTES);
}

function isHostAddress(address: Ipv4): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}
