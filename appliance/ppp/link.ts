/**
 * One PPP link, from dead to network and back (RFC 1661 §3.2), either role. The walk, top to bottom of this file:
 *
 *   up → establish (LCP) → authenticate (PAP/CHAP, either or both directions) → callback (CBCP, if agreed)
 *      → network (`network-phase.ts`) → terminate (LCP) → closed
 *
 * No clock and no IO: frames and ticks go in, frames and events come out. MPPE itself is the data plane's; this
 * machine only says which keys, when.
 */
import { Millis, type Random } from "../ports.ts";
import { CpCode, type CpPacket, emitCpPacket, parseCpPacket } from "../wire/cp-packet.ts";
import { PLAIN_FRAMING, type PppFraming, Protocol } from "../wire/ppp-frame.ts";
import { AuthPhase, type AuthPhaseOutput } from "./auth-phase.ts";
import { Cbcp, type CbcpOutput } from "./cbcp.ts";
import type { AuthRequest, AuthVerdict, SessionKeys } from "./credentials.ts";
import {
  emitWindowsTerminateData,
  type LinkFailure,
  lcpFailure,
  parseTerminateData,
  windowsErrorOf,
} from "./failure.ts";
import type { IpcpSettings } from "./ipcp.ts";
import { type AuthMethod, LcpPolicy } from "./lcp.ts";
import type { LinkSettings } from "./link-settings.ts";
import { Identifiers, Negotiation, type NegotiationInput, type NegotiationOutput } from "./negotiation.ts";
import { type NetworkOutput, NetworkPhase } from "./network-phase.ts";

export type LinkInput =
  | { readonly type: "up" }
  | { readonly type: "frame"; readonly protocol: number; readonly payload: Buffer }
  /** Answers the output `verify` that had this ticket; the answer to any other is ignored. */
  | { readonly type: "verdict"; readonly ticket: number; readonly verdict: AuthVerdict }
  /** Answers the output `authenticated`: how IPCP shall go, and whether MPPE is a must where our settings leave it open. */
  | { readonly type: "network"; readonly ipcp: IpcpSettings; readonly requireEncryption?: boolean }
  /** The receive side of stateful MPPE lost step: ask the peer to flush. */
  | { readonly type: "mppe-reset-needed" }
  /** End it, telling the peer. */
  | { readonly type: "close"; readonly failure: LinkFailure; readonly windowsError?: number }
  | { readonly type: "tick" };

export type LinkOutput =
  | Exclude<NetworkOutput, { type: "failed" }>
  /** Find out whether these credentials are good; the answer may come late, out of order or never. */
  | { readonly type: "verify"; readonly ticket: number; readonly request: AuthRequest }
  | { readonly type: "lcp-opened" }
  /** LCP started over, and the keys with it: nothing is encrypted, or decrypted, until the next `mppe`. */
  | { readonly type: "mppe-gone" }
  /** Each side that had to has proved itself; `userName` is the peer's when it did. Answer with `network`, or `close`. */
  | { readonly type: "authenticated"; readonly userName: Buffer | undefined; readonly method: AuthMethod | undefined }
  /** The end; nothing comes after it. */
  | { readonly type: "closed"; readonly failure: LinkFailure };

/** Each phase carries what only it has; leaving it forgets that, keys and all. */
type Phase =
  | { readonly at: "dead" | "establish" | "terminate" | "closed" }
  /** `keys` once everybody has proved himself: then the owner's `network` is awaited. */
  | { readonly at: "authenticate"; readonly auth: AuthPhase; keys: SessionKeys | undefined }
  | { readonly at: "callback"; readonly cbcp: Cbcp; readonly keys: SessionKeys; readonly ipcp: IpcpSettings }
  | { readonly at: "network"; readonly network: NetworkPhase; readonly cbcp: Cbcp | undefined };

/** Protocol-Rejects a peer can make us send; beyond it is talking nonsense and is ignored. */
const MAX_PROTOCOL_REJECTS = 32;

export class Link {
  readonly #settings: LinkSettings;
  readonly #random: Random;
  readonly #policy: LcpPolicy;
  readonly #identifiers = new Identifiers();
  readonly #lcp: Negotiation;
  #phase: Phase = { at: "dead" };
  /** Kept past its phase, for lost answers and new challenges. */
  #auth: AuthPhase | undefined;
  #failure: LinkFailure | undefined;
  #leaving: LinkFailure | undefined;
  #setupDeadline: Millis | undefined;
  #echoDeadline: Millis | undefined;
  #heardLcp = false;
  /** The peer has sent a packet of the network phase: it knows that it is authenticated. */
  #heardNetwork = false;
  /** The question of `verify` that waits for its answer. */
  #openTicket: number | undefined;
  #lastTicket = 0;
  /** Who authenticated the peer wants MPPE, beyond our settings. */
  #requireEncryption = false;
  #protocolRejects = 0;
  #networkUp = false;
  #out: LinkOutput[] = [];

  constructor(settings: LinkSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#policy = new LcpPolicy(settings.lcp, random);
    this.#lcp = new Negotiation(this.#policy, settings.timers, this.#identifiers);
  }

  get phase(): Phase["at"] {
    return this.#phase.at;
  }
  /** How to frame data for this peer: plain until LCP is open. */
  get framing(): PppFraming {
    if (this.#lcp.state !== "opened") return PLAIN_FRAMING;
    const { acfc, pfc } = this.#policy.peer;
    return { omitAddressControl: acfc, compressProtocol: pfc };
  }
  /** How to frame a control packet. RFC 1661 §6.6 wants Address and Control on every LCP packet; Windows on seven codes. */
  controlFraming(protocol: number, payload: Buffer): PppFraming {
    const isExtension = protocol === Protocol.lcp && (payload[0] ?? 0) > CpCode.codeReject;
    return isExtension && this.#settings.bareLcpExtensions ? { ...this.framing, evenOnLcp: true } : this.framing;
  }
  /** The largest payload the peer takes. */
  get peerMru(): number {
    return this.#policy.peer.mru;
  }
  get magic(): number {
    return this.#policy.magic;
  }
  /** Async control character maps for Set-Link-Info (RFC 2637 §2.15). */
  get accms(): { readonly send: number; readonly receive: number } {
    return { send: this.#policy.peer.accm, receive: 0xffffffff };
  }
  /** Whether any LCP packet came from the peer: GRE passes in this direction. */
  get heardLcp(): boolean {
    return this.#heardLcp;
  }
  /** What the peer said of itself in LCP Identification packets. */
  get identifications(): readonly Buffer[] {
    return this.#policy.identifications;
  }
  /** Why this link is about to end, as far as the peer has said: it may hang up before the end is regular. */
  get leaving(): LinkFailure | undefined {
    return this.#failure ?? this.#leaving;
  }
  get deadline(): Millis | undefined {
    if (this.#phase.at === "closed") return undefined;
    const all = [this.#setupDeadline, this.#echoDeadline, this.#lcp.deadline];
    if (this.#phase.at === "authenticate") all.push(this.#phase.auth.deadline);
    if (this.#phase.at === "callback") all.push(this.#phase.cbcp.deadline);
    if (this.#phase.at === "network") all.push(this.#phase.network.deadline);
    const set = all.filter((instant) => instant !== undefined);
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }

  handle(input: LinkInput, now: Millis): readonly LinkOutput[] {
    this.#out = [];
    if (this.#phase.at !== "closed") this.#dispatch(input, now);
    return this.#out;
  }

  #dispatch(input: LinkInput, now: Millis): void {
    switch (input.type) {
      case "up":
        if (this.#phase.at === "dead") this.#up(now);
        break;
      case "frame":
        if (this.#phase.at !== "dead") this.#receive(input.protocol, input.payload, now);
        break;
      case "verdict":
        // Another ticket: LCP has overtaken the question, or the peer has asked a new one since.
        if (this.#phase.at === "authenticate" && this.#openTicket === input.ticket) {
          this.#openTicket = undefined;
          this.#authenticate(this.#phase.auth.verdict(input.verdict, now), now);
        }
        break;
      case "network":
        // A late answer to an authentication that LCP has overtaken finds another one pending.
        if (this.#phase.at === "authenticate" && this.#phase.keys !== undefined) {
          this.#requireEncryption = input.requireEncryption ?? false;
          this.#callback(this.#phase.keys, input.ipcp, now);
        }
        break;
      case "mppe-reset-needed":
        if (this.#phase.at === "network") this.#runNetwork(this.#phase.network.requestReset(), now);
        break;
      case "close":
        this.#close(input.failure, now, input.windowsError);
        break;
      case "tick":
        this.#tick(now);
        break;
    }
  }

  // --- establish ---------------------------------------------------------------------------------------------------

  #up(now: Millis): void {
    this.#phase = { at: "establish" };
    this.#setupDeadline = Millis(now + this.#settings.setupLimitMs);
    this.#runLcp({ type: "open" }, now);
    this.#runLcp({ type: "up" }, now);
  }

  #receive(protocol: number, payload: Buffer, now: Millis): void {
    const packet = parseCpPacket(payload);
    if (protocol === Protocol.lcp) {
      this.#heardLcp ||= packet.ok;
      if (packet.ok) this.#receiveLcp(packet.value, now);
      return;
    }
    if (this.#lcp.state !== "opened") return; // RFC 1661 §3.4: silently discarded
    const phase = this.#phase;
    switch (protocol) {
      case Protocol.pap:
      case Protocol.chap:
        if (packet.ok && this.#auth) this.#authenticate(this.#auth.handle(protocol, packet.value), now);
        return;
      case Protocol.cbcp:
        if ((phase.at === "callback" || phase.at === "network") && phase.cbcp) {
          if (packet.ok) this.#runCbcp(phase.cbcp.handle(packet.value), now);
        } else if (phase.at === "network") this.#rejectProtocol(protocol, payload);
        return;
      case Protocol.ipcp:
      case Protocol.ccp:
      case Protocol.ipv6cp: {
        if (phase.at !== "network" || !packet.ok) return; // RFC 1661 §3.5
        this.#heardNetwork = true;
        const outputs = phase.network.receive(protocol, packet.value, now);
        if (outputs === undefined) this.#rejectProtocol(protocol, payload);
        else this.#runNetwork(outputs, now);
        return;
      }
      default:
        this.#rejectProtocol(protocol, payload);
    }
  }

  #receiveLcp(packet: CpPacket, now: Millis): void {
    if (packet.code === CpCode.protocolReject && this.#phase.at === "network" && packet.data.length >= 2)
      this.#runNetwork(this.#phase.network.protocolRejected(packet.data.readUInt16BE(), now), now);
    if (packet.code === CpCode.terminateRequest)
      this.#leaving = this.#auth?.lastRefusal ?? this.#whyPeerLeaves(packet.data);
    this.#runLcp({ type: "packet", packet }, now);
    if (this.#policy.isLoopback) this.#close({ reason: "lcp-loopback" }, now);
  }

  /** A Windows peer says why; of others what they asked for and did not get is the reason. */
  #whyPeerLeaves(data: Buffer): LinkFailure {
    const said = parseTerminateData(data);
    const network = this.#phase.at === "network" ? this.#phase.network : undefined;
    const unmet = said.windowsError === undefined ? network?.encryptionFailure : undefined;
    return unmet ?? { reason: "terminated-by-peer", ...said };
  }

  #runLcp(input: NegotiationInput, now: Millis): void {
    for (const output of this.#lcp.handle(input, now)) {
      if (output.type === "send") this.#send(Protocol.lcp, output.packet);
      else if (output.type === "this-layer-up") this.#lcpUp(now);
      else if (output.type === "this-layer-down") this.#lcpDown(now);
      else this.#lcpFinished(output);
    }
  }

  #lcpUp(now: Millis): void {
    for (const message of this.#settings.identifications)
      this.#send(Protocol.lcp, this.#policy.identification(this.#lcp.nextIdentifier(), message));
    this.#out.push({ type: "lcp-opened" });
    if (this.#settings.echoIntervalMs > 0) this.#echoDeadline = Millis(now + this.#settings.echoIntervalMs);
    this.#startAuthentication(now);
  }

  /** Whatever stood on LCP is void: a new authentication makes new keys, and no MPPE key may live twice. */
  #lcpDown(now: Millis): void {
    if (this.#phase.at !== "terminate") {
      if (this.#phase.at === "network") this.#out.push({ type: "mppe-gone" });
      this.#phase = { at: "establish" };
      // A set-up still under way keeps its limit: starting LCP over and over must not put it off.
      this.#setupDeadline ??= Millis(now + this.#settings.setupLimitMs);
    }
    this.#auth = undefined;
    this.#openTicket = undefined;
    this.#heardNetwork = false;
    this.#echoDeadline = undefined;
    this.#networkGone();
  }

  #lcpFinished({ failure, data }: Extract<NegotiationOutput, { type: "this-layer-finished" }>): void {
    const byPeer = failure === "terminated-by-peer" ? this.#leaving : undefined;
    const unanswered = failure === "no-response" && this.#heardLcp;
    const own: LinkFailure = unanswered ? { reason: "lcp-unanswered" } : lcpFailure(failure, data ?? Buffer.alloc(0));
    this.#end(this.#failure ?? byPeer ?? own);
  }

  // --- authenticate ------------------------------------------------------------------------------------------------

  #startAuthentication(now: Millis): void {
    const { credentials, name, authRetries, lcp } = this.#settings;
    const demanded = lcp.demandAuth.length > 0 ? this.#policy.demanded : undefined;
    const asked = this.#policy.peer.auth;
    const auth = new AuthPhase({ demanded, name, retries: authRetries, asked, credentials }, this.#random);
    this.#auth = auth;
    this.#phase = { at: "authenticate", auth, keys: undefined };
    this.#authenticate(auth.start(now), now);
  }

  #authenticate(outputs: readonly AuthPhaseOutput[], now: Millis): void {
    for (const output of outputs) {
      if (output.type === "send") this.#out.push(output);
      else if (output.type === "verify") {
        this.#openTicket = ++this.#lastTicket;
        this.#out.push({ type: "verify", ticket: this.#openTicket, request: output.request });
      } else if (output.type === "failed") this.#close(output.failure, now);
      else if (this.#phase.at === "authenticate") {
        this.#phase.keys = output.keys;
        this.#out.push({ type: "authenticated", userName: output.userName, method: output.method });
      }
    }
  }

  // --- callback, network -------------------------------------------------------------------------------------------

  #callback(keys: SessionKeys, ipcp: IpcpSettings, now: Millis): void {
    // RRAS asks for callback too: it is the caller, who asked first, that answers in CBCP.
    const answers = this.#policy.callbackRequested;
    if (!answers && !this.#policy.peer.callback) {
      this.#network(keys, ipcp, undefined, now);
      return;
    }
    const cbcp = new Cbcp(answers ? "answers" : "asks");
    this.#phase = { at: "callback", cbcp, keys, ipcp };
    this.#runCbcp(cbcp.start(now), now);
  }

  #runCbcp(outputs: readonly CbcpOutput[], now: Millis): void {
    for (const output of outputs) {
      if (output.type === "send") this.#out.push(output);
      else if (output.type === "failed") this.#close({ reason: "callback-failed" }, now);
      else if (this.#phase.at === "callback") {
        const { keys, ipcp, cbcp } = this.#phase;
        this.#network(keys, ipcp, cbcp, now);
      }
    }
  }

  #network(keys: SessionKeys, ipcp: IpcpSettings, cbcp: Cbcp | undefined, now: Millis): void {
    const { encryption } = this.#settings;
    const use = this.#requireEncryption ? "required" : encryption.use;
    const settings = { ...this.#settings, encryption: { ...encryption, use } };
    const network = new NetworkPhase(settings, ipcp, keys, this.#identifiers, this.#random);
    this.#phase = { at: "network", network, cbcp };
    this.#runNetwork(network.start(now), now);
  }

  #runNetwork(outputs: readonly NetworkOutput[], now: Millis): void {
    for (const output of outputs) {
      if (output.type === "failed") {
        this.#close(output.failure, now);
        return;
      }
      if (output.type === "network-up") {
        this.#networkUp = true;
        this.#setupDeadline = undefined;
      }
      if (output.type === "network-down") this.#networkUp = false;
      this.#out.push(output);
    }
  }

  #networkGone(): void {
    if (this.#networkUp) this.#out.push({ type: "network-down" });
    this.#networkUp = false;
  }

  // --- terminate ---------------------------------------------------------------------------------------------------

  #close(failure: LinkFailure, now: Millis, windowsError = windowsErrorOf(failure)): void {
    if (this.#phase.at === "terminate" || this.#phase.at === "closed") return;
    this.#failure = failure;
    const wasDead = this.#phase.at === "dead";
    this.#phase = { at: "terminate" };
    this.#setupDeadline = undefined;
    this.#echoDeadline = undefined;
    this.#networkGone();
    const data = this.#settings.windowsTerminate ? emitWindowsTerminateData(this.magic, windowsError) : Buffer.alloc(0);
    if (!wasDead) this.#runLcp({ type: "close", data }, now);
    // Where there is nobody to take leave of (RFC 1661 §4.1: Initial, Closed), no "finished" will come.
    if (wasDead || this.#lcp.state === "closed" || this.#lcp.state === "initial") this.#end(failure);
  }

  #end(failure: LinkFailure): void {
    if (this.#phase.at === "closed") return;
    this.#phase = { at: "closed" };
    this.#networkGone();
    this.#out.push({ type: "closed", failure });
  }

  #tick(now: Millis): void {
    this.#runLcp({ type: "tick" }, now);
    if (this.#setupDeadline !== undefined && now >= this.#setupDeadline) {
      this.#close({ reason: "setup-timeout" }, now);
      return;
    }
    const phase = this.#phase;
    if (phase.at === "authenticate") this.#authenticate(phase.auth.tick(now), now);
    if (phase.at === "callback") this.#runCbcp(phase.cbcp.tick(now), now);
    if (phase.at === "network") {
      const outputs = phase.network.tick(now);
      if (outputs.length > 0 && !this.#heardNetwork && this.#auth) this.#authenticate(this.#auth.repeatSuccess(), now);
      this.#runNetwork(outputs, now);
    }
    this.#keepAlive(now);
  }

  #keepAlive(now: Millis): void {
    if (this.#echoDeadline === undefined || now < this.#echoDeadline || this.#lcp.state !== "opened") return;
    if (this.#policy.unansweredEchoes >= this.#settings.maxUnansweredEchoes) {
      this.#close({ reason: "echo-timeout" }, now);
      return;
    }
    this.#echoDeadline = Millis(now + this.#settings.echoIntervalMs);
    this.#send(Protocol.lcp, this.#policy.echoRequest(this.#lcp.nextIdentifier()));
  }

  #rejectProtocol(protocol: number, payload: Buffer): void {
    if (this.#protocolRejects++ >= MAX_PROTOCOL_REJECTS) return;
    this.#send(Protocol.lcp, this.#policy.protocolReject(this.#lcp.nextIdentifier(), protocol, payload));
  }

  #send(protocol: number, packet: CpPacket): void {
    this.#out.push({ type: "send", protocol, payload: emitCpPacket(packet) });
  }
}
