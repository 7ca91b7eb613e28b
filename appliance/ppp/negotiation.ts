/**
 * Runs the automaton of RFC 1661 §4 for one control protocol: counters, restart timer, identifiers and the option
 * dialogue. What the options mean is the `OptionPolicy`'s business (`lcp.ts`, `ccp.ts`, `ipcp.ts`, `ipv6cp.ts`).
 */
import type { Millis } from "../ports.ts";
import { CpCode, type CpPacket, emitCpPacket, emitOptions, parseOptions, type RawOption } from "../wire/cp-packet.ts";
import { type Action, type Event, type State, step } from "./automaton.ts";

/** Why a negotiation ended without being asked to. */
export type NegotiationFailure =
  /** Max-Configure requests without an answer. */
  | "no-response"
  /** Naks and Rejects went round in circles, ours or the peer's (Max-Failure, RFC 1661 §4.6). */
  | "not-converging"
  /** The peer sent Terminate-Request. */
  | "terminated-by-peer"
  /** The peer Code-Rejected or Protocol-Rejected what the protocol cannot live without. */
  | "rejected-by-peer"
  /** The policy cannot live with what the peer refused. */
  | "option-refused";

/** A peer's request is answered in one of three ways; the options are the ones to be sent back (RFC 1661 §5.2–§5.4). */
export type Judgement =
  | { readonly answer: "ack" }
  | { readonly answer: "nak"; readonly options: readonly RawOption[] }
  | { readonly answer: "reject"; readonly options: readonly RawOption[] };

export interface OptionPolicy {
  /** The options of our next Configure-Request. */
  request(): readonly RawOption[];
  /** Judges a peer's request; when it answers "ack" the values count from now on. Without `mayNak` what would be Nak-ed must be rejected (Max-Failure). */
  judge(options: readonly RawOption[], mayNak: boolean): Judgement;
  /** The peer refused these of our options. `false`: we cannot go on without. */
  naked(options: readonly RawOption[]): boolean;
  rejected(options: readonly RawOption[]): boolean;
  /** The layer went down and negotiates anew, before its next `request()`. */
  restart?(): void;
  /** Codes beyond the seven of RFC 1661; `undefined` is an unknown code and gets a Code-Reject. */
  extra?(packet: CpPacket, state: State, now: Millis): readonly NegotiationOutput[] | undefined;
}

export type NegotiationInput =
  | { readonly type: "open" }
  | { readonly type: "close"; readonly data?: Buffer }
  | { readonly type: "up" }
  | { readonly type: "down" }
  | { readonly type: "packet"; readonly packet: CpPacket }
  | { readonly type: "protocol-rejected" }
  | { readonly type: "tick" };

export type NegotiationOutput =
  | { readonly type: "send"; readonly packet: CpPacket }
  | { readonly type: "this-layer-up" }
  | { readonly type: "this-layer-down" }
  | {
      readonly type: "this-layer-finished";
      /** Undefined when we closed it ourselves. */
      readonly failure: NegotiationFailure | undefined;
      /** Data of the peer's Terminate-Request. */
      readonly data: Buffer | undefined;
    };

export interface NegotiationTimers {
  /** Restart timer per attempt; the last entry repeats (RFC 1661 §4.6 default 3 s; Windows 2, 3, 4, 4 … s). */
  readonly restartMs: readonly number[];
  readonly maxConfigure: number;
  readonly maxTerminate: number;
  readonly maxFailure: number;
}
export const DEFAULT_TIMERS: NegotiationTimers = {
  restartMs: [2000, 3000, 4000],
  maxConfigure: 10,
  maxTerminate: 2,
  maxFailure: 5,
};

/** An identical Configure-Request in Opened is answered again this often before it counts as a renegotiation. */
const REPEATS_TOLERATED = 2;

/** Max-Failure turns Naks into Rejects (RFC 1661 §4.6); a peer that goes on regardless, either way, is given up after this many times as much. */
const REFUSALS_PER_FAILURE = 3;

const TIMED_STATES: readonly State[] = ["closing", "stopping", "req-sent", "ack-rcvd", "ack-sent"];

/** Packet identifiers, one sequence for all protocols of a link, as Windows counts them. */
export class Identifiers {
  #next = 0;
  next(): number {
    const identifier = this.#next;
    this.#next = (identifier + 1) & 0xff;
    return identifier;
  }
}

export class Negotiation {
  readonly #policy: OptionPolicy;
  readonly #timers: NegotiationTimers;
  #state: State = "initial";
  #deadline: Millis | undefined;
  #restartCounter = 0;
  #attempt = 0;
  readonly #identifiers: Identifiers;
  /** Options of the Configure-Request in flight, and its identifier. */
  #requested: Buffer = Buffer.alloc(0);
  #requestIdentifier = -1;
  /** What we last acknowledged, to know a repetition from a renegotiation. */
  #acked: Buffer | undefined;
  #repeats = 0;
  #naksSent = 0;
  #refusalsSent = 0;
  #refusalsReceived = 0;
  #closeData: Buffer = Buffer.alloc(0);
  #failure: NegotiationFailure | undefined;
  #terminateData: Buffer | undefined;

  constructor(policy: OptionPolicy, timers: NegotiationTimers = DEFAULT_TIMERS, identifiers = new Identifiers()) {
    this.#policy = policy;
    this.#timers = timers;
    this.#identifiers = identifiers;
  }

  get state(): State {
    return this.#state;
  }
  get deadline(): Millis | undefined {
    return this.#deadline;
  }
  /** A fresh identifier, for the packets the owner sends itself (Echo-Request, Protocol-Reject, Identification, Reset-Request). */
  nextIdentifier(): number {
    return this.#identifiers.next();
  }

  handle(input: NegotiationInput, now: Millis): readonly NegotiationOutput[] {
    switch (input.type) {
      case "close":
        this.#closeData = Buffer.from(input.data ?? Buffer.alloc(0));
        return this.#run("close", now);
      case "open":
      case "up":
      case "down":
        return this.#run(input.type, now);
      case "protocol-rejected":
        this.#failure = "rejected-by-peer";
        return this.#run("rxj-", now);
      case "tick":
        if (this.#deadline === undefined || now < this.#deadline) return [];
        if (this.#restartCounter > 0) return this.#run("to+", now);
        if (this.#state !== "closing") this.#failure ??= "no-response";
        return this.#run("to-", now);
      case "packet":
        return this.#receive(input.packet, now);
    }
  }

  #receive(packet: CpPacket, now: Millis): readonly NegotiationOutput[] {
    switch (packet.code) {
      case CpCode.configureRequest:
        return this.#receiveRequest(packet, now);
      case CpCode.configureAck:
        // RFC 1661 §5.2: identifier and options must be those of our request, else silently discarded.
        if (packet.identifier !== this.#requestIdentifier || !packet.data.equals(this.#requested)) return [];
        this.#requestIdentifier = -1;
        this.#refusalsReceived = 0;
        return this.#run("rca", now);
      case CpCode.configureNak:
      case CpCode.configureReject:
        return this.#receiveRefusal(packet, now);
      case CpCode.terminateRequest:
        if (negotiates(this.#state)) this.#failure = "terminated-by-peer";
        this.#terminateData = Buffer.from(packet.data);
        return this.#run("rtr", now, packet);
      case CpCode.terminateAck:
        return this.#run("rta", now);
      case CpCode.codeReject: {
        const code = packet.data[0] ?? 0;
        const vital = code >= CpCode.configureRequest && code <= CpCode.codeReject;
        if (vital) this.#failure = "rejected-by-peer";
        return this.#run(vital ? "rxj-" : "rxj+", now);
      }
      default:
        return this.#policy.extra?.(packet, this.#state, now) ?? this.#run("ruc", now, packet);
    }
  }

  #receiveRequest(packet: CpPacket, now: Millis): readonly NegotiationOutput[] {
    const options = parseOptions(packet.data);
    if (!options.ok) return [];
    // Windows 10 was seen repeating a request that had crossed our answer after both sides were open (windows.md §7,
    // trap 2); so does any peer whose Ack was lost. Answering again keeps the layer up where the table would restart it.
    if (this.#state === "opened" && this.#acked?.equals(packet.data) && this.#repeats < REPEATS_TOLERATED) {
      this.#repeats++;
      return [send(CpCode.configureAck, packet.identifier, packet.data)];
    }
    if (!negotiates(this.#state)) return this.#run("rcr+", now, packet);
    const mayNak = this.#naksSent < this.#timers.maxFailure;
    const judgement = this.#policy.judge(options.value, mayNak);
    if (judgement.answer === "ack") {
      this.#naksSent = 0;
      this.#refusalsSent = 0;
      this.#repeats = 0;
      this.#acked = Buffer.from(packet.data);
      return this.#run("rcr+", now, packet);
    }
    const code = judgement.answer === "nak" ? CpCode.configureNak : CpCode.configureReject;
    if (code === CpCode.configureNak) this.#naksSent++;
    this.#acked = undefined;
    if (++this.#refusalsSent > this.#timers.maxFailure * REFUSALS_PER_FAILURE) {
      this.#failure = "not-converging";
      return this.#run("close", now);
    }
    return this.#run("rcr-", now, { code, identifier: packet.identifier, data: emitOptions(judgement.options) });
  }

  #receiveRefusal(packet: CpPacket, now: Millis): readonly NegotiationOutput[] {
    const options = parseOptions(packet.data);
    if (!options.ok || packet.identifier !== this.#requestIdentifier) return [];
    this.#requestIdentifier = -1;
    if (negotiates(this.#state)) {
      const goOn =
        packet.code === CpCode.configureNak ? this.#policy.naked(options.value) : this.#policy.rejected(options.value);
      const circles = ++this.#refusalsReceived > this.#timers.maxFailure * REFUSALS_PER_FAILURE;
      if (circles || !goOn) {
        this.#failure = goOn ? "not-converging" : "option-refused";
        return this.#run("close", now);
      }
    }
    return this.#run("rcn", now);
  }

  /** One step of the table, its actions in the printed order. `packet` is the one answered. */
  #run(event: Event, now: Millis, packet?: CpPacket): readonly NegotiationOutput[] {
    const cell = step(this.#state, event);
    if (cell === undefined) return []; // a hole of the table: RFC 1661 §4.1 "cannot occur" in a sane owner
    const [next, ...actions] = cell;
    const outputs: NegotiationOutput[] = [];
    const before = this.#state;
    this.#state = next;
    for (const action of actions) this.#act(action, packet, outputs);
    const restarted = actions.some((action) => action === "scr" || action === "str" || action === "zrc");
    if (!TIMED_STATES.includes(next)) this.#deadline = undefined;
    else if (restarted || this.#deadline === undefined) this.#arm(now);
    if (next === "opened" && before !== "opened") this.#failure = undefined;
    return outputs;
  }

  #act(action: Action, packet: CpPacket | undefined, outputs: NegotiationOutput[]): void {
    switch (action) {
      case "irc":
        this.#attempt = 0;
        this.#restartCounter =
          this.#state === "closing" || this.#state === "stopping"
            ? this.#timers.maxTerminate
            : this.#timers.maxConfigure;
        break;
      case "zrc":
        this.#attempt = 0;
        this.#restartCounter = 0;
        break;
      case "scr":
        this.#restartCounter--;
        this.#requested = emitOptions(this.#policy.request());
        this.#requestIdentifier = this.nextIdentifier();
        outputs.push(send(CpCode.configureRequest, this.#requestIdentifier, this.#requested));
        break;
      case "sca":
        if (packet) outputs.push(send(CpCode.configureAck, packet.identifier, packet.data));
        break;
      case "scn":
        if (packet) outputs.push({ type: "send", packet });
        break;
      case "str":
        this.#restartCounter--;
        outputs.push(send(CpCode.terminateRequest, this.nextIdentifier(), this.#closeData));
        break;
      case "sta":
        // Windows echoes the data of a Terminate-Request in its Ack (windows.md §1); other triggers have none.
        outputs.push(
          packet?.code === CpCode.terminateRequest
            ? send(CpCode.terminateAck, packet.identifier, packet.data)
            : send(CpCode.terminateAck, packet?.identifier ?? this.nextIdentifier(), Buffer.alloc(0)),
        );
        break;
      case "scj":
        if (packet) outputs.push(send(CpCode.codeReject, this.nextIdentifier(), emitCpPacket(packet)));
        break;
      case "tlu":
        outputs.push({ type: "this-layer-up" });
        break;
      case "tld":
        this.#naksSent = 0;
        this.#refusalsSent = 0;
        this.#refusalsReceived = 0;
        this.#policy.restart?.();
        outputs.push({ type: "this-layer-down" });
        break;
      case "tlf":
        outputs.push({ type: "this-layer-finished", failure: this.#failure, data: this.#terminateData });
        break;
      case "tls": // the lower layer is there for as long as the owner keeps us
      case "ser": // echo codes are the policy's (`extra`)
        break;
    }
  }

  #arm(now: Millis): void {
    const { restartMs } = this.#timers;
    const wait = restartMs[Math.min(this.#attempt, restartMs.length - 1)] ?? 3000;
    this.#attempt++;
    this.#deadline = (now + wait) as Millis;
  }
}

function negotiates(state: State): boolean {
  return (
    state === "stopped" || state === "req-sent" || state === "ack-rcvd" || state === "ack-sent" || state === "opened"
  );
}

function send(code: number, identifier: number, data: Buffer): NegotiationOutput {
  return { type: "send", packet: { code, identifier, data: Buffer.from(data) } };
}
