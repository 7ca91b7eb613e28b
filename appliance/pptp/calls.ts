/** The calls of one control connection, either role: RFC 2637 §3.2. `control-connection.ts` keeps the connection itself. */
import { Millis } from "../ports.ts";
import { codeText, GENERAL_ERROR, INCOMING_CALL_RESULT, OUTGOING_CALL_RESULT } from "../wire/control-code.ts";
import type {
  CallClearRequest,
  CallDisconnectNotify,
  ControlMessage,
  IncomingCallConnected,
  IncomingCallReply,
  IncomingCallRequest,
  OutgoingCallReply,
  OutgoingCallRequest,
} from "../wire/control-message.ts";
import { LocalCallId, PeerCallId } from "./call-id.ts";
import type { EndpointProfile } from "./quirks.ts";

export type CallEnd =
  /** Call-Disconnect-Notify or Call-Clear-Request from the peer. */
  | { readonly reason: "cleared-by-peer"; readonly resultCode: number }
  /** Our request was answered with another result than 1. */
  | { readonly reason: "refused"; readonly text: string }
  | { readonly reason: "no-reply" }
  | { readonly reason: "control-connection-closed" }
  /** We asked for it. */
  | { readonly reason: "cleared" };

export interface CallRequest {
  readonly callId: LocalCallId;
  readonly serial: number;
  /** Windows Vista and later send a 16-byte correlation GUID here; empty otherwise. */
  readonly subaddress: Buffer;
  /** As PAC, by Incoming-Call-Request; else as PNS, by Outgoing-Call-Request. */
  readonly incoming: boolean;
}

export type CallOutput =
  | { readonly type: "send"; readonly message: ControlMessage }
  | {
      readonly type: "call-requested";
      readonly peer: PeerCallId;
      readonly request: OutgoingCallRequest | IncomingCallRequest;
    }
  /** `window`: the peer's Packet Recv. Window Size. */
  | {
      readonly type: "call-established";
      readonly callId: LocalCallId;
      readonly peer: PeerCallId;
      readonly window: number;
    }
  | {
      readonly type: "link-info";
      readonly callId: LocalCallId;
      readonly sendAccm: number;
      readonly receiveAccm: number;
    }
  | { readonly type: "call-ended"; readonly callId: LocalCallId; readonly end: CallEnd };

type Call =
  | { readonly at: "wait-reply"; readonly incoming: boolean; readonly until: Millis }
  /** Incoming-Call-Reply sent, Incoming-Call-Connected to come (§3.2.3). */
  | { readonly at: "wait-connect"; readonly peer: PeerCallId; readonly until: Millis }
  /** The PNS asks for the end (Call-Clear-Request) and is told; the PAC tells (Call-Disconnect-Notify). */
  | { readonly at: "established"; readonly peer: PeerCallId; readonly ends: "by-request" | "by-notify" }
  | { readonly at: "wait-disconnect"; readonly peer: PeerCallId; readonly until: Millis };

/** Calls on one connection, asked for or up: §3.2 sets no limit, so a stranger's greed would. */
const MAX_CALLS = 16;
/** §2.16 */
const NO_RESOURCE = 4;
const BAD_CALL_ID = 5;
/** §2.13 */
const ADMIN_SHUTDOWN = 3;
const CALL_CLEAR_RECEIVED = 4;

export class Calls {
  readonly #profile: EndpointProfile;
  readonly #replyMs: number;
  readonly #goodbyeMs: number;
  readonly #emit: (output: CallOutput) => void;
  readonly #calls = new Map<LocalCallId, Call>();
  /** Requests the owner has not answered yet. */
  readonly #requested = new Map<PeerCallId, "incoming" | "outgoing">();

  /** `replyMs`, `goodbyeMs`: how long to wait for a call's reply and for its Call-Disconnect-Notify. `emit` runs inside the methods. */
  constructor(profile: EndpointProfile, replyMs: number, goodbyeMs: number, emit: (output: CallOutput) => void) {
    this.#profile = profile;
    this.#replyMs = replyMs;
    this.#goodbyeMs = goodbyeMs;
    this.#emit = emit;
  }

  get count(): number {
    return this.#calls.size;
  }
  /** Nothing but calls of ours that wait for their Call-Disconnect-Notify. */
  get isClearing(): boolean {
    return this.#calls.size > 0 && [...this.#calls.values()].every(({ at }) => at === "wait-disconnect");
  }
  get deadline(): Millis | undefined {
    const waiting = [...this.#calls.values()].flatMap((call) => (call.at === "established" ? [] : [call.until]));
    return waiting.length === 0 ? undefined : Millis(Math.min(...waiting));
  }

  /** A message about a call, on an established connection. One about a call nobody knows is ignored. */
  receive(message: ControlMessage): void {
    switch (message.type) {
      case "outgoing-call-request":
      case "incoming-call-request":
        this.#receiveRequest(message);
        break;
      case "outgoing-call-reply":
      case "incoming-call-reply":
        this.#receiveReply(message);
        break;
      case "incoming-call-connected":
        this.#receiveConnected(message);
        break;
      case "call-clear-request":
      case "call-disconnect-notify":
        this.#receiveEnd(message);
        break;
      case "set-link-info": {
        const { peersCallId, sendAccm, receiveAccm } = message;
        const callId = LocalCallId(peersCallId);
        if (this.#calls.has(callId)) this.#emit({ type: "link-info", callId, sendAccm, receiveAccm });
        break;
      }
      default: // WAN-Error-Notify: nothing of ours has a WAN interface; Windows ignores it too ([MS-PTPT] 3.2.5.5)
        break;
    }
  }

  // --- set-up: §3.2.1 to §3.2.4 ------------------------------------------------------------------------------------

  place({ callId, serial, subaddress, incoming }: CallRequest, now: Millis): void {
    this.#calls.set(callId, { at: "wait-reply", incoming, until: Millis(now + this.#replyMs) });
    const { minimumBps, maximumBps, packetRecvWindowSize } = this.#profile;
    const common = { callId, callSerialNumber: serial, bearerType: 3, subaddress };
    if (incoming) {
      const numbers = { dialedNumberLength: 0, dialingNumberLength: 0, dialedNumber: "", dialingNumber: "" };
      this.#send({ type: "incoming-call-request", ...common, physicalChannelId: 0, ...numbers });
      return;
    }
    this.#send({
      type: "outgoing-call-request",
      ...common,
      minimumBps,
      maximumBps,
      framingType: 3,
      packetRecvWindowSize,
      packetProcessingDelay: 0,
      phoneNumberLength: 0,
      phoneNumber: "",
    });
  }

  #receiveRequest(request: OutgoingCallRequest | IncomingCallRequest): void {
    const peer = PeerCallId(request.callId);
    const direction = request.type === "incoming-call-request" ? "incoming" : "outgoing";
    const taken = this.#requested.has(peer) || this.#byPeer(peer) !== undefined;
    if (taken) this.#refuse(direction, peer, BAD_CALL_ID);
    else if (this.#requested.size + this.#calls.size >= MAX_CALLS) this.#refuse(direction, peer, NO_RESOURCE);
    else {
      this.#requested.set(peer, direction);
      this.#emit({ type: "call-requested", peer, request });
    }
  }

  /** Answers the output `call-requested`; without a `callId` the call is refused for lack of resources. A caller that has left meanwhile gets no call, and `callId` its end. */
  answer(peer: PeerCallId, callId: LocalCallId | undefined, now: Millis): void {
    const direction = this.#requested.get(peer);
    if (direction === undefined) {
      if (callId !== undefined) this.#end(callId, { reason: "cleared-by-peer", resultCode: 0 });
      return;
    }
    this.#requested.delete(peer);
    if (callId === undefined) {
      this.#refuse(direction, peer, NO_RESOURCE);
      return;
    }
    this.#reply(direction, callId, peer, 1, 0);
    if (direction === "outgoing") this.#establish(callId, peer, "by-notify", this.#profile.packetRecvWindowSize);
    else this.#calls.set(callId, { at: "wait-connect", peer, until: Millis(now + this.#replyMs) });
  }

  #receiveReply(message: OutgoingCallReply | IncomingCallReply): void {
    const callId = LocalCallId(message.peersCallId);
    const call = this.#calls.get(callId);
    const incoming = message.type === "incoming-call-reply";
    if (call?.at !== "wait-reply" || call.incoming !== incoming) return;
    if (message.resultCode !== 1) {
      const names = incoming ? INCOMING_CALL_RESULT : OUTGOING_CALL_RESULT;
      const error = message.resultCode === 2 ? `: ${codeText(GENERAL_ERROR, message.errorCode)}` : "";
      this.#end(callId, { reason: "refused", text: codeText(names, message.resultCode) + error });
      return;
    }
    const peer = PeerCallId(message.callId);
    if (incoming)
      this.#send({
        type: "incoming-call-connected",
        peersCallId: peer,
        connectSpeed: this.#profile.maximumBps,
        packetRecvWindowSize: this.#profile.packetRecvWindowSize,
        packetTransmitDelay: 0,
        framingType: 3,
      });
    this.#establish(callId, peer, incoming ? "by-notify" : "by-request", message.packetRecvWindowSize);
  }

  #receiveConnected(message: IncomingCallConnected): void {
    const callId = LocalCallId(message.peersCallId);
    const call = this.#calls.get(callId);
    if (call?.at === "wait-connect") this.#establish(callId, call.peer, "by-request", message.packetRecvWindowSize);
  }

  #establish(callId: LocalCallId, peer: PeerCallId, ends: "by-request" | "by-notify", window: number): void {
    this.#calls.set(callId, { at: "established", peer, ends });
    this.#emit({ type: "call-established", callId, peer, window });
  }

  #refuse(direction: "incoming" | "outgoing", peer: PeerCallId, errorCode: number): void {
    this.#reply(direction, 0, peer, 2, errorCode);
  }

  #reply(direction: "incoming" | "outgoing", callId: number, peer: PeerCallId, resultCode: number, errorCode: number) {
    const { packetRecvWindowSize, maximumBps } = this.#profile;
    const common = { callId, peersCallId: peer, resultCode, errorCode, packetRecvWindowSize };
    if (direction === "incoming") {
      this.#send({ type: "incoming-call-reply", ...common, packetTransmitDelay: 0 });
      return;
    }
    const connectSpeed = resultCode === 1 ? maximumBps : 0;
    const nothing = { causeCode: 0, packetProcessingDelay: 0, physicalChannelId: 0 };
    this.#send({ type: "outgoing-call-reply", ...common, connectSpeed, ...nothing });
  }

  // --- end: §2.12, §2.13 -------------------------------------------------------------------------------------------

  clear(callId: LocalCallId, now: Millis): void {
    const call = this.#calls.get(callId);
    if (call === undefined || call.at === "wait-disconnect") return;
    this.#tellEnd(callId, call);
    if (call.at === "established" && call.ends === "by-request")
      this.#calls.set(callId, { at: "wait-disconnect", peer: call.peer, until: Millis(now + this.#goodbyeMs) });
    else this.#end(callId, { reason: "cleared" });
  }

  /** We stop the connection: each peer end is told, none is waited for. */
  clearAll(): void {
    for (const [callId, call] of [...this.#calls]) {
      if (call.at !== "wait-disconnect") this.#tellEnd(callId, call);
      this.#end(callId, { reason: "cleared" });
    }
  }

  /** The connection is gone, and every call with it. */
  dropAll(): void {
    for (const callId of [...this.#calls.keys()]) this.#end(callId, { reason: "control-connection-closed" });
  }

  #tellEnd(callId: LocalCallId, call: Call): void {
    const asks = call.at === "established" ? call.ends === "by-request" : call.at === "wait-reply" && !call.incoming;
    if (asks) this.#send({ type: "call-clear-request", callId });
    else this.#notifyDisconnect(callId, ADMIN_SHUTDOWN);
  }

  /** Both messages name the call by its *sender's* id; where a NAT translated that one away, ours may fit. */
  #receiveEnd(message: CallClearRequest | CallDisconnectNotify): void {
    if (this.#requested.delete(PeerCallId(message.callId))) return;
    const callId = this.#byPeer(message.callId) ?? LocalCallId(message.callId);
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    if (message.type === "call-clear-request") this.#notifyDisconnect(callId, CALL_CLEAR_RECEIVED);
    const resultCode = message.type === "call-disconnect-notify" ? message.resultCode : 0;
    const ours = call.at === "wait-disconnect";
    this.#end(callId, ours ? { reason: "cleared" } : { reason: "cleared-by-peer", resultCode });
  }

  #notifyDisconnect(callId: LocalCallId, resultCode: number): void {
    this.#send({ type: "call-disconnect-notify", callId, resultCode, errorCode: 0, causeCode: 0, callStatistics: "" });
  }

  setLinkInfo(callId: LocalCallId, sendAccm: number, receiveAccm: number): void {
    const call = this.#calls.get(callId);
    if (call?.at === "established")
      this.#send({ type: "set-link-info", peersCallId: call.peer, sendAccm, receiveAccm });
  }

  tick(now: Millis): void {
    for (const [callId, call] of [...this.#calls])
      if (call.at !== "established" && now >= call.until)
        this.#end(callId, { reason: call.at === "wait-disconnect" ? "cleared" : "no-reply" });
  }

  #end(callId: LocalCallId, end: CallEnd): void {
    this.#calls.delete(callId);
    this.#emit({ type: "call-ended", callId, end });
  }

  #byPeer(peer: number): LocalCallId | undefined {
    for (const [callId, call] of this.#calls) if ("peer" in call && call.peer === peer) return callId;
    return undefined;
  }

  #send(message: ControlMessage): void {
    this.#emit({ type: "send", message });
  }
}
