/**
 * One PPTP control connection, either end: RFC 2637 §3.1 (the connection), §3.2 (the calls on it). Who called whom
 * decides only who speaks first; after that both ends take every message that makes sense to them.
 *
 * [MS-PTPT] calls the dialling client PNS and the server PAC; so do we.
 */
import { Millis } from "../ports.ts";
import { codeText, ECHO_RESULT, GENERAL_ERROR, START_RESULT, STOP_REASON, STOP_RESULT } from "../wire/control-code.ts";
import {
  type ControlMessage,
  PROTOCOL_VERSION,
  type StartControlConnectionReply,
  type StartControlConnectionRequest,
} from "../wire/control-message.ts";
import type { LocalCallId, PeerCallId } from "./call-id.ts";
import { type CallOutput, type CallRequest, Calls } from "./calls.ts";
import { CULVERT, type EndpointProfile } from "./quirks.ts";

export type ControlClose =
  /** TCP came up and no Start-Control-Connection message followed. */
  | "start-timeout"
  | "version-not-supported"
  | "refused-by-peer"
  | "stopped-by-peer"
  | "echo-timeout"
  /** No call for a while. */
  | "idle"
  | "protocol-violation"
  /** We asked for it. */
  | "stopped";

export type ControlInput =
  /** TCP is up. The client speaks first. */
  | { readonly type: "open" }
  | { readonly type: "message"; readonly message: ControlMessage }
  | { readonly type: "place-call"; readonly request: CallRequest }
  /** Answers the output `call-requested`. `callId` undefined refuses it for lack of resources. */
  | { readonly type: "answer-call"; readonly peer: PeerCallId; readonly callId: LocalCallId | undefined }
  | {
      readonly type: "set-link-info";
      readonly callId: LocalCallId;
      readonly sendAccm: number;
      readonly receiveAccm: number;
    }
  | { readonly type: "clear-call"; readonly callId: LocalCallId }
  /** Ends all calls and the connection. */
  | { readonly type: "stop" }
  | { readonly type: "tick" };

export type ControlOutput =
  | CallOutput
  | {
      readonly type: "established";
      readonly hostName: string;
      readonly vendorName: string;
      readonly firmwareRevision: number;
    }
  /** Send FIN once everything before it is out. Nothing comes after this. */
  | { readonly type: "close"; readonly why: ControlClose; readonly text: string };

export interface ControlTimes {
  /** A server's patience with a silent TCP connection: RFC 60 s, Windows 30 s ([MS-PTPT] 3.1.2). */
  readonly startMs: number;
  /** Idle time before an Echo-Request, and the wait for its reply (§3.1.4: 60 s each). */
  readonly echoMs: number;
  readonly echoReplyMs: number;
  /** Wait for a call's reply (§3.2.1 says 60 s for the network's sake; there is none behind a PPTP server). */
  readonly callReplyMs: number;
  /** Wait for the peer's Call-Disconnect-Notify or Stop-Control-Connection-Reply. */
  readonly goodbyeMs: number;
  /** An established connection without a call. */
  readonly idleMs: number;
}
export const DEFAULT_CONTROL_TIMES: ControlTimes = {
  startMs: 30_000,
  echoMs: 60_000,
  echoReplyMs: 60_000,
  callReplyMs: 30_000,
  goodbyeMs: 3_000,
  idleMs: 30_000,
};

type State = {
  readonly at: "wait-start" | "wait-start-reply" | "wait-stop-reply" | "established" | "closed";
  readonly until: Millis;
};

export class ControlConnection {
  readonly #role: "pac" | "pns";
  readonly #profile: EndpointProfile;
  readonly #times: ControlTimes;
  readonly #calls: Calls;
  #state: State;
  /** The instant being handled, for what the calls report meanwhile. */
  #now: Millis;
  /** When the peer was last heard, for the keep-alive. */
  #heard: Millis;
  #echo: { readonly identifier: number; readonly until: Millis } | undefined;
  #echoIdentifier = 0;
  /** Windows stops the connection when no call is left ([MS-PTPT] 3.3.4.2), that is after the last Call-Disconnect-Notify. */
  #stopsAfterCalls = false;
  #out: ControlOutput[] = [];

  constructor(role: "pac" | "pns", now: Millis, profile = CULVERT, times = DEFAULT_CONTROL_TIMES) {
    this.#role = role;
    this.#profile = profile;
    this.#times = times;
    this.#now = now;
    this.#heard = now;
    this.#calls = new Calls(profile, times.callReplyMs, times.goodbyeMs, (output) => {
      this.#out.push(output);
      if (output.type !== "call-ended" || this.#calls.count > 0) return;
      this.#startIdling(this.#now);
      if (this.#stopsAfterCalls) this.#stop(this.#now);
    });
    this.#state = { at: role === "pac" ? "wait-start" : "wait-start-reply", until: Millis(now + times.startMs) };
  }

  get isEstablished(): boolean {
    return this.#state.at === "established";
  }
  get deadline(): Millis | undefined {
    if (this.#state.at === "closed") return undefined;
    const all: Millis[] = [];
    if (this.#state.at !== "established" || this.#calls.count === 0) all.push(this.#state.until);
    if (this.#state.at === "established") all.push(this.#echo?.until ?? Millis(this.#heard + this.#times.echoMs));
    const callDeadline = this.#calls.deadline;
    if (callDeadline !== undefined) all.push(callDeadline);
    return Millis(Math.min(...all));
  }

  handle(input: ControlInput, now: Millis): readonly ControlOutput[] {
    this.#out = [];
    this.#now = now;
    if (this.#state.at !== "closed") this.#dispatch(input, now);
    return this.#out;
  }

  #dispatch(input: ControlInput, now: Millis): void {
    switch (input.type) {
      case "open":
        if (this.#role === "pns") this.#send({ type: "start-control-connection-request", ...this.#introduction() });
        break;
      case "message":
        this.#heard = now;
        this.#receive(input.message, now);
        break;
      case "place-call": {
        const { request } = input;
        if (this.#state.at === "established") this.#calls.place(request, now);
        else
          this.#out.push({
            type: "call-ended",
            callId: request.callId,
            end: { reason: "control-connection-closed" },
          });
        break;
      }
      case "answer-call":
        this.#calls.answer(input.peer, input.callId, now);
        break;
      case "set-link-info":
        this.#calls.setLinkInfo(input.callId, input.sendAccm, input.receiveAccm);
        break;
      case "clear-call":
        this.#calls.clear(input.callId, now);
        break;
      case "stop":
        this.#stop(now);
        break;
      case "tick":
        this.#tick(now);
        break;
    }
  }

  // --- messages, in the order of RFC 2637 §2 -----------------------------------------------------------------------

  #receive(message: ControlMessage, now: Millis): void {
    switch (message.type) {
      case "start-control-connection-request":
        this.#receiveStart(message, now);
        return;
      case "start-control-connection-reply":
        this.#receiveStartReply(message, now);
        return;
      case "stop-control-connection-request":
        this.#send({ type: "stop-control-connection-reply", resultCode: 1, errorCode: 0 });
        this.#close(
          "stopped-by-peer",
          `the peer stopped the control connection: ${codeText(STOP_REASON, message.reason)}`,
        );
        return;
      case "stop-control-connection-reply":
        if (this.#state.at === "wait-stop-reply")
          this.#close("stopped", `control connection stopped: ${codeText(STOP_RESULT, message.resultCode)}`);
        return;
      case "echo-request":
        this.#send({ type: "echo-reply", identifier: message.identifier, resultCode: 1, errorCode: 0 });
        return;
      case "echo-reply":
        if (message.identifier !== this.#echo?.identifier) return;
        this.#echo = undefined;
        if (message.resultCode > 1) this.#close("echo-timeout", codeText(ECHO_RESULT, message.resultCode));
        return;
      default:
        // §3.2: calls need an established connection. Windows was crashed and accel-ppp overrun from this side of it.
        if (this.#state.at === "established") this.#calls.receive(message);
        else if (this.#state.at !== "wait-stop-reply")
          this.#close("protocol-violation", `${message.type} before the control connection was established`);
    }
  }

  #receiveStart(message: StartControlConnectionRequest, now: Millis): void {
    if (this.#state.at !== "wait-start") {
      this.#close("protocol-violation", "a second Start-Control-Connection-Request");
      return;
    }
    const supported = message.protocolVersion >>> 8 === PROTOCOL_VERSION >>> 8;
    const resultCode = supported ? 1 : 5;
    this.#send({ type: "start-control-connection-reply", ...this.#introduction(), resultCode, errorCode: 0 });
    if (supported) this.#establish(message, now);
    else this.#close("version-not-supported", `the peer speaks version 0x${message.protocolVersion.toString(16)}`);
  }

  #receiveStartReply(message: StartControlConnectionReply, now: Millis): void {
    if (this.#state.at !== "wait-start-reply") return;
    // Some servers leave the result 0 where 1 is meant; any other value is a refusal.
    if (message.resultCode > 1) {
      const error = message.resultCode === 2 ? `: ${codeText(GENERAL_ERROR, message.errorCode)}` : "";
      this.#close("refused-by-peer", codeText(START_RESULT, message.resultCode) + error);
    } else this.#establish(message, now);
  }

  // --- the connection itself ---------------------------------------------------------------------------------------

  #introduction() {
    const { hostName, vendorName, firmwareRevision, framingCapabilities, bearerCapabilities, maximumChannels } =
      this.#profile;
    const capabilities = { framingCapabilities, bearerCapabilities, maximumChannels };
    return { protocolVersion: PROTOCOL_VERSION, ...capabilities, hostName, vendorName, firmwareRevision };
  }

  #establish(peer: StartControlConnectionRequest | StartControlConnectionReply, now: Millis): void {
    const { hostName, vendorName, firmwareRevision } = peer;
    this.#state = { at: "established", until: Millis(now + this.#times.idleMs) };
    this.#out.push({ type: "established", hostName, vendorName, firmwareRevision });
  }

  /** The last call ended: the connection may stay this long for another. */
  #startIdling(now: Millis): void {
    if (this.#state.at === "established") this.#state = { at: "established", until: Millis(now + this.#times.idleMs) };
  }

  #stop(now: Millis): void {
    this.#stopsAfterCalls = this.#state.at === "established" && this.#calls.isClearing;
    if (this.#stopsAfterCalls) return;
    this.#calls.clearAll();
    if (this.#state.at !== "established") {
      this.#close("stopped", "control connection given up");
      return;
    }
    this.#send({ type: "stop-control-connection-request", reason: 1 });
    this.#state = { at: "wait-stop-reply", until: Millis(now + this.#times.goodbyeMs) };
  }

  #tick(now: Millis): void {
    this.#calls.tick(now);
    switch (this.#state.at) {
      case "wait-start":
      case "wait-start-reply":
        if (now >= this.#state.until) this.#close("start-timeout", "no Start-Control-Connection message came");
        return;
      case "wait-stop-reply":
        if (now >= this.#state.until) this.#close("stopped", "control connection stopped, the peer did not confirm");
        return;
      case "established":
        this.#keepAlive(now);
        if (this.isEstablished && this.#calls.count === 0 && now >= this.#state.until) this.#stop(now);
        return;
      case "closed":
        return;
    }
  }

  #keepAlive(now: Millis): void {
    if (this.#echo !== undefined) {
      if (now >= this.#echo.until) this.#close("echo-timeout", "the peer no longer answers Echo-Requests");
      return;
    }
    if (now < this.#heard + this.#times.echoMs) return;
    this.#echo = { identifier: ++this.#echoIdentifier, until: Millis(now + this.#times.echoReplyMs) };
    this.#send({ type: "echo-request", identifier: this.#echo.identifier });
  }

  #close(why: ControlClose, text: string): void {
    this.#stopsAfterCalls = false;
    this.#calls.dropAll();
    this.#state = { at: "closed", until: this.#state.until };
    this.#out.push({ type: "close", why, text });
  }

  #send(message: ControlMessage): void {
    this.#out.push({ type: "send", message });
  }
}
