/**
 * Servers that end or change a running session: Disconnect- and CoA-Requests of RFC 3576. A request counts if it comes
 * from a configured server and its authenticator was made with that server's secret; anything else gets no answer.
 */
import { sameSecret } from "../crypto/chap.ts";
import {
  authenticatorAttributeAt,
  checkRequestAuthenticator,
  messageAuthenticator,
  radiusAuthenticator,
} from "../crypto/radius.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import { AUTHENTICATOR_BYTES, emitRadiusPacket, parseRadiusPacket, RadiusCode } from "../wire/radius.ts";
import {
  emitRadiusAttribute,
  interpretRadiusAttributes,
  MESSAGE_AUTHENTICATOR,
  type RadiusAttribute,
} from "../wire/radius-attribute.ts";
import type { RadiusServerSettings, RadiusSettings } from "./settings.ts";

/** Which sessions are meant: those that agree with everything that is said here. */
export interface SessionSelector {
  readonly userName: string | undefined;
  readonly acctSessionId: string | undefined;
  readonly address: Ipv4 | undefined;
  /** Outer address of the peer, as text. */
  readonly callingStation: string | undefined;
  readonly number: number | undefined;
}

export type DynamicRequest =
  | { readonly type: "disconnect"; readonly selector: SessionSelector }
  /** Counted from the session's beginning; 0 takes the limit away. Undefined leaves it as it is. */
  | {
      readonly type: "change";
      readonly selector: SessionSelector;
      readonly sessionTimeoutMs: number | undefined;
      readonly idleTimeoutMs: number | undefined;
    };

/** RFC 3576 §3.1. */
export const ErrorCause = {
  unsupportedAttribute: 401,
  missingAttribute: 402,
  nasIdentificationMismatch: 403,
  unsupportedService: 405,
  sessionContextNotFound: 503,
} as const;

/** Answers that are said again when a request comes twice: a lost answer, or a replay, must not end a second session. */
const REMEMBERED = 256;

const IDENTIFYING: readonly RadiusAttribute["kind"][] = [
  "user-name",
  "acct-session-id",
  "framed-ip-address",
  "calling-station-id",
  "nas-port",
];
/** May be there without any consequence. */
const HARMLESS: readonly RadiusAttribute["kind"][] = [
  "nas-identifier",
  "nas-ip-address",
  "called-station-id",
  "message-authenticator",
  "event-timestamp",
  "proxy-state",
  "class",
  "reply-message",
  "acct-terminate-cause",
];
const CHANGEABLE: readonly RadiusAttribute["kind"][] = ["session-timeout", "idle-timeout"];

export class DynamicAuthorization {
  readonly #answers = new Map<string, Buffer>();
  /** Requests from strangers, or with a wrong authenticator. */
  refused = 0;

  /**
   * The answer to send back, or undefined for none. `act` carries the request out and returns how many sessions it
   * concerned.
   */
  receive(
    from: Ipv4,
    datagram: Buffer,
    settings: RadiusSettings,
    act: (request: DynamicRequest) => number,
  ): Buffer | undefined {
    const packet = parseRadiusPacket(Buffer.from(datagram));
    if (!packet.ok) return undefined;
    const bytes = datagram.subarray(0, datagram.readUInt16BE(2));
    const server = settings.servers.find((each) => each.address === from && isSigned(bytes, each));
    const { code, identifier, authenticator, attributes } = packet.value;
    if (server === undefined || (code !== RadiusCode.disconnectRequest && code !== RadiusCode.changeRequest)) {
      this.refused++;
      return undefined;
    }
    const key = `${from} ${identifier} ${authenticator.toString("hex")}`;
    const before = this.#answers.get(key);
    if (before !== undefined) return before;
    const meaning = interpretRadiusAttributes(attributes);
    const cause = this.#obey(code, meaning, settings, act);
    const disconnect = code === RadiusCode.disconnectRequest;
    const ack = disconnect ? RadiusCode.disconnectAck : RadiusCode.changeAck;
    const nak = disconnect ? RadiusCode.disconnectNak : RadiusCode.changeNak;
    const echoed = meaning.filter(({ kind }) => kind === "proxy-state");
    const answer: readonly RadiusAttribute[] =
      cause === undefined ? echoed : [{ kind: "error-cause", number: cause }, ...echoed];
    const reply = signed(cause === undefined ? ack : nak, identifier, authenticator, answer, server.secret);
    this.#remember(key, reply);
    return reply;
  }

  /** The Error-Cause of a refusal; undefined when it was done. */
  #obey(
    code: number,
    attributes: readonly RadiusAttribute[],
    settings: RadiusSettings,
    act: (request: DynamicRequest) => number,
  ): number | undefined {
    const change = code === RadiusCode.changeRequest;
    if (attributes.some(({ kind }) => kind === "service-type")) return ErrorCause.unsupportedService;
    const known = [...IDENTIFYING, ...HARMLESS, ...(change ? CHANGEABLE : [])];
    if (attributes.some(({ kind }) => !known.includes(kind))) return ErrorCause.unsupportedAttribute;
    if (attributes.some((each) => isOfAnotherNas(each, settings))) return ErrorCause.nasIdentificationMismatch;
    if (!attributes.some(({ kind }) => IDENTIFYING.includes(kind))) return ErrorCause.missingAttribute;
    const selector = selectorOf(attributes);
    if (!change) return act({ type: "disconnect", selector }) > 0 ? undefined : ErrorCause.sessionContextNotFound;
    const sessionTimeoutMs = millisecondsOf(attributes, "session-timeout");
    const idleTimeoutMs = millisecondsOf(attributes, "idle-timeout");
    if (sessionTimeoutMs === undefined && idleTimeoutMs === undefined) return ErrorCause.missingAttribute;
    const changed = act({ type: "change", selector, sessionTimeoutMs, idleTimeoutMs });
    return changed > 0 ? undefined : ErrorCause.sessionContextNotFound;
  }

  #remember(key: string, answer: Buffer): void {
    this.#answers.set(key, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > REMEMBERED && oldest !== undefined) this.#answers.delete(oldest);
  }
}

/** RFC 3576 §2.3: the authenticator of an Accounting-Request; a Message-Authenticator counts where there is one. */
function isSigned(packet: Buffer, { secret }: RadiusServerSettings): boolean {
  if (!checkRequestAuthenticator(packet, secret)) return false;
  const at = authenticatorAttributeAt(packet, MESSAGE_AUTHENTICATOR);
  if (at === undefined) return true;
  const expected = messageAuthenticator(packet, at, Buffer.alloc(AUTHENTICATOR_BYTES), secret);
  return sameSecret(expected, packet.subarray(at, at + AUTHENTICATOR_BYTES));
}

function signed(
  code: number,
  identifier: number,
  request: Buffer,
  attributes: readonly RadiusAttribute[],
  secret: string,
): Buffer {
  const empty = { kind: "message-authenticator", octets: Buffer.alloc(AUTHENTICATOR_BYTES) } as const;
  const all = [empty, ...attributes].map(emitRadiusAttribute);
  const bytes = emitRadiusPacket({ code, identifier, authenticator: request, attributes: all });
  const at = authenticatorAttributeAt(bytes, MESSAGE_AUTHENTICATOR);
  if (at !== undefined) messageAuthenticator(bytes, at, request, secret).copy(bytes, at);
  radiusAuthenticator(bytes, request, secret).copy(bytes, 4);
  return bytes;
}

function isOfAnotherNas(attribute: RadiusAttribute, { nasIdentifier, nasAddress }: RadiusSettings): boolean {
  if (attribute.kind === "nas-identifier") return attribute.octets.toString() !== nasIdentifier;
  return attribute.kind === "nas-ip-address" && nasAddress !== undefined && attribute.address !== nasAddress;
}

function selectorOf(attributes: readonly RadiusAttribute[]): SessionSelector {
  const text = (kind: "user-name" | "acct-session-id" | "calling-station-id"): string | undefined => {
    const found = attributes.find((each) => each.kind === kind);
    return found !== undefined && "octets" in found ? found.octets.toString() : undefined;
  };
  const address = attributes.find((each) => each.kind === "framed-ip-address");
  const port = attributes.find((each) => each.kind === "nas-port");
  return {
    userName: text("user-name"),
    acctSessionId: text("acct-session-id"),
    address: address !== undefined && "address" in address ? address.address : undefined,
    callingStation: text("calling-station-id"),
    number: port !== undefined && "number" in port ? port.number : undefined,
  };
}

function millisecondsOf(
  attributes: readonly RadiusAttribute[],
  kind: "session-timeout" | "idle-timeout",
): number | undefined {
  const found = attributes.find((each) => each.kind === kind);
  return found !== undefined && "number" in found ? found.number * 1000 : undefined;
}
