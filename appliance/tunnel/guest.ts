/** One session of the server: what is known of it beside the protocol, how long it may last, and what servers are told of it. */
import { Millis } from "../ports.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import type { RadiusSession } from "../radius/access.ts";
import { type SessionRecord, TerminateCause } from "../radius/accounting.ts";
import type { SessionSelector } from "../radius/dynamic-authorization.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import type { Admitted } from "./admission.ts";
import type { SessionFailure } from "./diagnosis.ts";
import type { Session } from "./session.ts";
import type { Tunnel } from "./tunnel.ts";

/** Why a guest's time is up. */
export type TimeUp = Extract<SessionFailure, { reason: "session-timeout" | "idle-timeout" }>;

export class Guest {
  readonly id: number;
  readonly session: Session;
  readonly tunnel: Tunnel;
  readonly acctSessionId: string;
  user: string | undefined;
  /** As the peer wrote it, for accounting. */
  userName: Buffer = Buffer.alloc(0);
  method: AuthMethod | undefined;
  admitted: Admitted | undefined;
  address: Ipv4 | undefined;
  encryption = "none";
  connectedAt: Millis | undefined;
  /** Told to end; the peer has not confirmed yet. */
  ending = false;
  #sessionTimeoutMs: number | undefined;
  #idleTimeoutMs: number | undefined;
  #lastTraffic: Millis | undefined;
  #interimMs: number | undefined;
  #nextInterim: Millis | undefined;
  /** What servers were told at the start; the pool may have it back before the end. */
  #startAddress: Ipv4 | undefined;

  constructor(id: number, session: Session, tunnel: Tunnel, acctSessionId: string) {
    this.id = id;
    this.session = session;
    this.tunnel = tunnel;
    this.acctSessionId = acctSessionId;
  }

  /** The network is up, perhaps again; false when it had been before. */
  connected(now: Millis, interimMs: number | undefined): boolean {
    if (this.connectedAt !== undefined) return false;
    const grants = this.admitted?.by === "radius" ? this.admitted.grants : undefined;
    this.connectedAt = now;
    this.#startAddress = this.address;
    this.#lastTraffic = now;
    this.#sessionTimeoutMs =
      this.admitted?.by === "local" ? this.admitted.account.sessionTimeoutMs : grants?.sessionTimeoutMs;
    this.#idleTimeoutMs = grants?.idleTimeoutMs;
    this.#interimMs = grants?.interimMs ?? interimMs;
    this.#nextInterim = this.#interimMs === undefined ? undefined : Millis(now + this.#interimMs);
    return true;
  }

  /** An IP packet passed at `at`, either way. */
  traffic(at: Millis | undefined): void {
    if (at !== undefined && this.#lastTraffic !== undefined && at > this.#lastTraffic) this.#lastTraffic = at;
  }

  /** New limits, the session's counted from its beginning; 0 takes one away, undefined leaves it. */
  change(sessionTimeoutMs: number | undefined, idleTimeoutMs: number | undefined): void {
    if (sessionTimeoutMs !== undefined) this.#sessionTimeoutMs = sessionTimeoutMs || undefined;
    if (idleTimeoutMs !== undefined) this.#idleTimeoutMs = idleTimeoutMs || undefined;
  }

  get deadline(): Millis | undefined {
    const set = [this.#sessionEnd, this.#idleEnd, this.#nextInterim].filter((instant) => instant !== undefined);
    return this.ending || set.length === 0 ? undefined : Millis(Math.min(...set));
  }
  get #sessionEnd(): Millis | undefined {
    if (this.connectedAt === undefined || this.#sessionTimeoutMs === undefined) return undefined;
    return Millis(this.connectedAt + this.#sessionTimeoutMs);
  }
  get #idleEnd(): Millis | undefined {
    if (this.#lastTraffic === undefined || this.#idleTimeoutMs === undefined) return undefined;
    return Millis(this.#lastTraffic + this.#idleTimeoutMs);
  }

  /** What the time has come for. */
  tick(now: Millis): TimeUp | "interim" | undefined {
    if (this.ending) return undefined;
    if (this.#sessionEnd !== undefined && now >= this.#sessionEnd) return { reason: "session-timeout" };
    if (this.#idleEnd !== undefined && now >= this.#idleEnd) return { reason: "idle-timeout" };
    if (this.#nextInterim === undefined || this.#interimMs === undefined || now < this.#nextInterim) return undefined;
    this.#nextInterim = Millis(now + this.#interimMs);
    return "interim";
  }

  get radiusSession(): RadiusSession {
    const { local, peer } = this.tunnel.ends;
    return { number: this.id, acctSessionId: this.acctSessionId, local, peer };
  }

  /** Undefined for a session that never had a network. */
  record(event: SessionRecord["event"], now: Millis, failure?: SessionFailure): SessionRecord | undefined {
    if (this.connectedAt === undefined || this.#startAddress === undefined) return undefined;
    return {
      event,
      session: this.radiusSession,
      userName: this.userName,
      address: this.#startAddress,
      authenticatedBy: this.admitted?.by ?? "local",
      classes: this.admitted?.by === "radius" ? this.admitted.grants.classes : [],
      connectedForMs: now - this.connectedAt,
      cause: failure && causeOf(failure),
    };
  }

  /** Whether everything that is said agrees with this session. A selector that says nothing selects nobody. */
  isMeant({ userName, acctSessionId, address, callingStation, number }: SessionSelector): boolean {
    const pairs: readonly (readonly [unknown, unknown])[] = [
      [userName, this.userName.toString()],
      [acctSessionId, this.acctSessionId],
      [address, this.address],
      [callingStation, formatIpv4(this.tunnel.ends.peer)],
      [number, this.id],
    ];
    const said = pairs.filter(([wanted]) => wanted !== undefined);
    return this.connectedAt !== undefined && said.length > 0 && said.every(([wanted, own]) => wanted === own);
  }

  /** For a line of the log. */
  get label(): string {
    const user = this.user === undefined ? "(no user yet)" : printable(this.user);
    return `session ${this.id} ${user} from ${formatIpv4(this.tunnel.ends.peer)}`;
  }
}

function causeOf(failure: SessionFailure): TerminateCause {
  switch (failure.reason) {
    case "terminated-by-peer":
      return TerminateCause.userRequest;
    case "call-ended":
      return failure.end.reason === "cleared" ? TerminateCause.adminReset : TerminateCause.userRequest;
    case "control-closed":
      return failure.why === "stopped" ? TerminateCause.adminReset : TerminateCause.userRequest;
    case "connection-lost":
    case "echo-timeout":
      return TerminateCause.lostCarrier;
    case "session-timeout":
      return TerminateCause.sessionTimeout;
    case "idle-timeout":
      return TerminateCause.idleTimeout;
    case "administrative":
    case "radius-disconnect":
      return TerminateCause.adminReset;
    case "replaced":
      return TerminateCause.nasRequest;
    case "ccp-renegotiated":
    case "encryption-refused":
      return TerminateCause.userError;
    default:
      return TerminateCause.nasError;
  }
}

/** A name from the network, before or after it was verified, for a line of the log: no control characters, no novels. */
export function printable(user: string): string {
  return user.slice(0, 64).replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?");
}
