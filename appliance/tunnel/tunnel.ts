/**
 * One tunnel as RFC 2637 §1.2 uses the word: a PNS-PAC pair, its control connection and the sessions on it. Either
 * role; `server.ts` and `client.ts` decide who may call and with which settings.
 *
 *   TCP bytes → control stream → control connection → call → session (PPP) → effects
 */
import type { Random } from "../ports.ts";
import { Millis } from "../ports.ts";
import type { CallIds, LocalCallId, PeerCallId } from "../pptp/call-id.ts";
import { ControlConnection, type ControlInput, type ControlOutput } from "../pptp/control-connection.ts";
import { ControlStream } from "../pptp/control-stream.ts";
import { CULVERT, type EndpointProfile } from "../pptp/quirks.ts";
import { type ControlMessage, emitControlMessage } from "../wire/control-message.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import type { SessionFailure } from "./diagnosis.ts";
import type { ConnectionId, Effect } from "./effect.ts";
import { Session, type SessionInput, type SessionOutput, type SessionSettings } from "./session.ts";

export interface TunnelEnds {
  readonly connection: ConnectionId;
  readonly role: "server" | "client";
  /** Outer addresses of the control connection. */
  readonly local: Ipv4;
  readonly peer: Ipv4;
}

/** What a tunnel tells its owner, beside the effects it wants carried out. */
export type TunnelEvent =
  | { readonly type: "control-established"; readonly vendorName: string }
  | { readonly type: "session-started"; readonly session: Session }
  | { readonly type: "session-output"; readonly session: Session; readonly output: SessionOutput }
  | { readonly type: "session-ended"; readonly session: Session; readonly failure: SessionFailure }
  /** A call of ours came to nothing before there was a session. */
  | { readonly type: "call-failed"; readonly failure: SessionFailure }
  /** The control connection is over; nothing comes after this. */
  | { readonly type: "closed"; readonly failure: SessionFailure };

export type TunnelOutput = { readonly type: "effect"; readonly effect: Effect } | TunnelEvent;

export interface TunnelPolicy {
  /** A peer asks for a call: how to run its session, or undefined to refuse it. */
  acceptCall(): SessionSettings | undefined;
  /** Whether a peer's Start-Control-Connection-Request is answered: not by the winner of a collision (RFC 2637 §3.1.3). */
  answersStart(): boolean;
}

export class Tunnel {
  readonly ends: TunnelEnds;
  readonly #policy: TunnelPolicy;
  readonly #random: Random;
  readonly #callIds: CallIds;
  readonly #stream = new ControlStream();
  readonly #control: ControlConnection;
  readonly #sessions = new Map<LocalCallId, Session>();
  /** Settings of calls that are being set up. */
  readonly #pending = new Map<LocalCallId, SessionSettings>();
  #closed = false;
  #out: TunnelOutput[] = [];

  constructor(
    ends: TunnelEnds,
    policy: TunnelPolicy,
    random: Random,
    callIds: CallIds,
    now: Millis,
    profile: EndpointProfile = CULVERT,
  ) {
    this.ends = ends;
    this.#policy = policy;
    this.#random = random;
    this.#callIds = callIds;
    this.#control = new ControlConnection(ends.role === "server" ? "pac" : "pns", now, profile);
  }

  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }
  get isEstablished(): boolean {
    return this.#control.isEstablished;
  }
  get deadline(): Millis | undefined {
    const all = [this.#control.deadline, ...[...this.#sessions.values()].map((session) => session.deadline)];
    const set = all.filter((instant) => instant !== undefined);
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }

  /** TCP is up; a client speaks first. */
  open(now: Millis): readonly TunnelOutput[] {
    return this.#collect(() => this.#runControl({ type: "open" }, now));
  }

  receive(bytes: Buffer, now: Millis): readonly TunnelOutput[] {
    return this.#collect(() => {
      for (const item of this.#stream.receive(bytes)) {
        if (item.type === "message") this.#receiveMessage(item.message, now);
        else if (item.type === "lost-synchronization") {
          const text = `the peer's bytes are not PPTP (${item.fault})`;
          this.#effect({ type: "close-control", connection: this.ends.connection });
          this.#close({ reason: "control-closed", why: "protocol-violation", text }, now);
        }
        if (this.#closed) this.#stream.stop();
      }
    });
  }

  /** TCP is gone: "calls die with it". `reason` undefined is an orderly FIN. */
  disconnected(reason: string | undefined, now: Millis): readonly TunnelOutput[] {
    return this.#collect(() =>
      this.#close(
        reason === undefined
          ? { reason: "call-ended", end: { reason: "control-connection-closed" } }
          : { reason: "connection-lost", text: reason },
        now,
      ),
    );
  }

  /** As a client: asks the peer for a call. `serial` names it in both ends' logs (RFC 2637 §2.7). */
  placeCall(settings: SessionSettings, serial: number, subaddress: Buffer, now: Millis): readonly TunnelOutput[] {
    return this.#collect(() => {
      const callId = this.#callIds.allocate();
      if (callId === undefined) return;
      this.#pending.set(callId, settings);
      const request = { callId, serial, subaddress, incoming: false };
      this.#runControl({ type: "place-call", request }, now);
    });
  }

  /** Input for one session: a frame of the data plane, a verdict, a hang-up. */
  session(callId: LocalCallId, input: SessionInput, now: Millis): readonly TunnelOutput[] {
    return this.#collect(() => {
      const session = this.#sessions.get(callId);
      if (session) this.#runSession(session, input, now);
    });
  }

  /** Ends everything, telling the peer. */
  stop(now: Millis): readonly TunnelOutput[] {
    return this.#collect(() => this.#runControl({ type: "stop" }, now));
  }

  tick(now: Millis): readonly TunnelOutput[] {
    return this.#collect(() => {
      this.#runControl({ type: "tick" }, now);
      for (const session of [...this.#sessions.values()]) this.#runSession(session, { type: "tick" }, now);
    });
  }

  #collect(run: () => void): readonly TunnelOutput[] {
    this.#out = [];
    if (!this.#closed) run();
    return this.#out;
  }

  #receiveMessage(message: ControlMessage, now: Millis): void {
    if (message.type === "start-control-connection-request" && !this.#policy.answersStart()) return;
    this.#runControl({ type: "message", message }, now);
  }

  #runControl(input: ControlInput, now: Millis): void {
    for (const output of this.#control.handle(input, now)) this.#perform(output, now);
  }

  #perform(output: ControlOutput, now: Millis): void {
    const { connection } = this.ends;
    switch (output.type) {
      case "send":
        this.#effect({ type: "send-control", connection, bytes: emitControlMessage(output.message) });
        break;
      case "established":
        this.#out.push({ type: "control-established", vendorName: output.vendorName });
        break;
      case "call-requested":
        this.#answer(output.peer, now);
        break;
      case "call-established":
        this.#startSession(output.callId, output.peer, now);
        break;
      case "link-info": {
        const session = this.#sessions.get(output.callId);
        if (session) this.#runSession(session, { type: "link-info" }, now);
        break;
      }
      case "call-ended": {
        const failure: SessionFailure = { reason: "call-ended", end: output.end };
        const session = this.#sessions.get(output.callId);
        if (session) this.#runSession(session, { type: "call-gone", failure }, now);
        else this.#abandon(output.callId, failure);
        break;
      }
      case "close":
        this.#effect({ type: "close-control", connection });
        this.#close({ reason: "control-closed", why: output.why, text: output.text }, now);
        break;
    }
  }

  /** The data path opens before the reply goes out: the peer's first GRE packet may overtake it. */
  #answer(peer: PeerCallId, now: Millis): void {
    const settings = this.#policy.acceptCall();
    const callId = settings && this.#callIds.allocate();
    if (settings && callId !== undefined) {
      this.#pending.set(callId, settings);
      this.#openCall(callId, peer, settings);
    }
    this.#runControl({ type: "answer-call", peer, callId }, now);
  }

  /** A call that ended before there was a session. As a server its data path is open already. */
  #abandon(callId: LocalCallId, failure: SessionFailure): void {
    if (!this.#pending.delete(callId)) return;
    this.#callIds.release(callId);
    if (this.ends.role === "server") this.#effect({ type: "close-call", callId });
    this.#out.push({ type: "call-failed", failure });
  }

  #openCall(callId: LocalCallId, peerCallId: PeerCallId, settings: SessionSettings): void {
    const { local, peer } = this.ends;
    const requireEncryption = settings.link.encryption.use === "required";
    this.#effect({ type: "open-call", call: { callId, peerCallId, local, peer }, requireEncryption });
  }

  #startSession(callId: LocalCallId, peer: PeerCallId, now: Millis): void {
    const settings = this.#pending.get(callId);
    if (settings === undefined) return;
    this.#pending.delete(callId);
    if (this.ends.role === "client") this.#openCall(callId, peer, settings);
    const session = new Session(this.ends.role, callId, peer, settings, this.#random);
    this.#sessions.set(callId, session);
    this.#out.push({ type: "session-started", session });
    this.#runSession(session, { type: "call-established" }, now);
  }

  #runSession(session: Session, input: SessionInput, now: Millis): void {
    const { callId } = session;
    for (const output of session.handle(input, now)) {
      switch (output.type) {
        case "send-frame":
        case "flush-encryption":
        case "forget-encryption":
        case "network-up":
        case "network-down":
        case "ipv6-up":
          this.#effect({ ...output, callId });
          break;
        case "encrypt":
          this.#effect({ type: "encrypt", callId, send: output.send, receive: output.receive });
          break;
        case "set-link-info":
          this.#runControl({ ...output, callId }, now);
          break;
        case "verify":
        case "authenticated":
          break;
        case "ended":
          this.#endSession(session, output.failure, now);
          return;
      }
      this.#out.push({ type: "session-output", session, output });
    }
  }

  #endSession(session: Session, failure: SessionFailure, now: Millis): void {
    this.#sessions.delete(session.callId);
    this.#callIds.release(session.callId);
    this.#effect({ type: "close-call", callId: session.callId });
    this.#out.push({ type: "session-ended", session, failure });
    this.#runControl({ type: "clear-call", callId: session.callId }, now);
  }

  #close(failure: SessionFailure, now: Millis): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const session of [...this.#sessions.values()]) this.#runSession(session, { type: "call-gone", failure }, now);
    for (const callId of [...this.#pending.keys()]) this.#abandon(callId, failure);
    this.#out.push({ type: "closed", failure });
  }

  #effect(effect: Effect): void {
    this.#out.push({ type: "effect", effect });
  }
}
