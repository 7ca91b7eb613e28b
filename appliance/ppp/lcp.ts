/** The Link Control Protocol of one PPTP call: RFC 1661 §5–§6, RFC 1570 (Identification, Callback). Options are asked for in the order Windows uses. */
import type { Millis, Random } from "../ports.ts";
import { CpCode, type CpPacket, type RawOption } from "../wire/cp-packet.ts";
import { ChapAlgorithm, emitLcpOption, type LcpOption, parseLcpOption } from "../wire/lcp-option.ts";
import { Protocol } from "../wire/ppp-frame.ts";
import { judgeOptions, type OptionVerdict } from "./judge.ts";
import type { Judgement, NegotiationOutput, OptionPolicy } from "./negotiation.ts";

export type AuthMethod = "pap" | "chap-md5" | "mschap-v1" | "mschap-v2";

export interface LcpSettings {
  /** The largest PPP payload we take; also what we ask the peer to respect. */
  readonly mru: number;
  /** Methods by which the peer may prove itself to us, best first; empty asks for none. */
  readonly demandAuth: readonly AuthMethod[];
  /** Methods by which we are ready to prove ourselves, best first. */
  readonly offerAuth: readonly AuthMethod[];
  /** Ask for Address-and-Control- and Protocol-Field-Compression. */
  readonly compressHeaders: boolean;
  /** `refuse` rejects the Callback option; `cbcp` accepts it, and CBCP then agrees on "no callback". */
  readonly callback: "refuse" | "cbcp";
  /** As a Windows client: ask for callback to be decided by CBCP (operation 6). */
  readonly requestCallback: boolean;
  /** As a Windows client that would take more than one link: what it offers (RFC 1990 §5.1). Nobody accepts it here. */
  readonly multilink?: { readonly mrru: number; readonly endpointDiscriminator: Buffer } | undefined;
}

/** What the peer's acknowledged request makes of our sending. */
export interface LcpPeer {
  readonly mru: number;
  readonly pfc: boolean;
  readonly acfc: boolean;
  readonly accm: number;
  readonly magic: number;
  /** How the peer wants us to prove ourselves. */
  readonly auth: AuthMethod | undefined;
  readonly callback: boolean;
}

/** RFC 1661 §6.1: the MRU of a peer that does not say. */
export const DEFAULT_MRU = 1500;
/** Smaller than this carries no IP worth the name; RFC 1661 leaves the floor to us. */
const SMALLEST_MRU = 128;
const DEFAULT_ACCM = 0xffffffff;
/** A call whose magic number comes back this often talks to itself (RFC 1661 §6.4). */
const LOOPBACK_LIMIT = 3;
/** RFC 1990 §5.1.3, class 1. */
const LOCALLY_ASSIGNED = 1;
/** Callback operation 6: the location is determined by CBCP ([MS-CBCP] 1.3). */
const CALLBACK_BY_CBCP = 6;

const NO_PEER: LcpPeer = {
  mru: DEFAULT_MRU,
  pfc: false,
  acfc: false,
  accm: DEFAULT_ACCM,
  magic: 0,
  auth: undefined,
  callback: false,
};

export class LcpPolicy implements OptionPolicy {
  readonly #settings: LcpSettings;
  readonly #random: Random;
  #magic: number;
  #demanded: readonly AuthMethod[];
  /** Kinds of option the peer rejected; we stop asking. */
  readonly #dropped = new Set<LcpOption["kind"]>();
  #mru: number;
  #peer = NO_PEER;
  #loopbacks = 0;
  /** Data of Identification packets, as received (RFC 1570 §1.1). */
  readonly identifications: Buffer[] = [];
  /** Echo-Requests sent since the last Echo-Reply. */
  #unansweredEchoes = 0;

  constructor(settings: LcpSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#magic = freshMagic(random);
    this.#demanded = settings.demandAuth;
    this.#mru = settings.mru;
  }

  get magic(): number {
    return this.#magic;
  }
  get peer(): LcpPeer {
    return this.#peer;
  }
  /** The method the peer agreed to prove itself by, once LCP is open. */
  get demanded(): AuthMethod | undefined {
    return this.#dropped.has("authentication") ? undefined : this.#demanded[0];
  }
  get callbackRequested(): boolean {
    return this.#settings.requestCallback && !this.#dropped.has("callback");
  }
  get unansweredEchoes(): number {
    return this.#unansweredEchoes;
  }
  get isLoopback(): boolean {
    return this.#loopbacks >= LOOPBACK_LIMIT;
  }

  request(): readonly RawOption[] {
    const wanted: LcpOption[] = [];
    if (this.#mru !== DEFAULT_MRU) wanted.push({ kind: "mru", mru: this.#mru });
    const [method] = this.#demanded;
    if (method !== undefined) wanted.push(authOption(method));
    wanted.push({ kind: "magic", magic: this.#magic });
    if (this.#settings.compressHeaders) wanted.push({ kind: "pfc" }, { kind: "acfc" });
    if (this.#settings.requestCallback)
      wanted.push({ kind: "callback", operation: CALLBACK_BY_CBCP, message: Buffer.alloc(0) });
    const { multilink } = this.#settings;
    if (multilink !== undefined)
      wanted.push(
        { kind: "mrru", mrru: multilink.mrru },
        { kind: "endpoint", class: LOCALLY_ASSIGNED, address: multilink.endpointDiscriminator },
      );
    return wanted.filter(({ kind }) => !this.#dropped.has(kind)).map(emitLcpOption);
  }

  judge(raw: readonly RawOption[], mayNak: boolean): Judgement {
    const judgement = judgeOptions(raw, mayNak, (option) => this.#verdictOn(parseLcpOption(option)));
    if (judgement.answer === "ack") {
      this.#peer = raw.map(parseLcpOption).reduce(peerWith, NO_PEER);
      this.#loopbacks = 0;
    }
    return judgement;
  }

  naked(raw: readonly RawOption[]): boolean {
    for (const option of raw.map(parseLcpOption)) {
      if (option.kind === "mru" && option.mru >= SMALLEST_MRU) this.#mru = Math.min(this.#settings.mru, option.mru);
      if (option.kind === "magic") {
        if (option.magic === this.#magic) this.#loopbacks++;
        this.#magic = freshMagic(this.#random);
      }
      if (option.kind === "authentication") this.#demandAnother(methodOf(option));
    }
    return this.#demanded.length > 0 || this.#settings.demandAuth.length === 0;
  }

  rejected(raw: readonly RawOption[]): boolean {
    const kinds = raw.map((option) => parseLcpOption(option).kind);
    for (const kind of kinds) this.#dropped.add(kind);
    return !kinds.includes("authentication");
  }

  /** A new magic number, or the peer would take our new request for a repetition of the old one. */
  restart(): void {
    this.#magic = freshMagic(this.#random);
    this.#unansweredEchoes = 0;
  }

  extra(packet: CpPacket, state: string, _now: Millis): readonly NegotiationOutput[] | undefined {
    switch (packet.code) {
      case CpCode.echoRequest:
        // RFC 1661 §5.8: only in Opened. The data is cut to what the peer takes (accel-ppp #204).
        return state === "opened" ? [this.#echoReply(packet)] : [];
      case CpCode.echoReply:
        // A reply with our own magic number is our request, looped back.
        if (packet.data.length >= 4 && packet.data.readUInt32BE() === this.#magic && this.#magic !== this.#peer.magic)
          this.#loopbacks++;
        else this.#unansweredEchoes = 0;
        return [];
      case CpCode.identification:
        if (this.identifications.length < 4) this.identifications.push(Buffer.from(packet.data.subarray(4, 260)));
        return [];
      case CpCode.discardRequest:
      case CpCode.timeRemaining:
      case CpCode.protocolReject: // the owner looked at it before
        return [];
      default:
        return undefined;
    }
  }

  /** The keep-alive (RFC 1661 §5.8): our magic number and nothing else. */
  echoRequest(identifier: number): CpPacket {
    this.#unansweredEchoes++;
    return { code: CpCode.echoRequest, identifier, data: this.#withMagic(Buffer.alloc(0)) };
  }

  /** RFC 1570 §1.1. */
  identification(identifier: number, message: Buffer): CpPacket {
    return { code: CpCode.identification, identifier, data: this.#withMagic(message) };
  }

  /** RFC 1661 §5.7, cut to the peer's MRU. */
  protocolReject(identifier: number, protocol: number, payload: Buffer): CpPacket {
    const data = Buffer.alloc(Math.min(payload.length + 2, this.#peer.mru - 4));
    data.writeUInt16BE(protocol);
    payload.copy(data, 2);
    return { code: CpCode.protocolReject, identifier, data };
  }

  #verdictOn(option: LcpOption): OptionVerdict {
    switch (option.kind) {
      case "mru":
        return option.mru >= SMALLEST_MRU ? "ack" : { nak: emitLcpOption({ kind: "mru", mru: SMALLEST_MRU }) };
      case "magic":
        if (option.magic !== 0 && option.magic !== this.#magic) return "ack";
        if (option.magic !== 0) this.#loopbacks++;
        return { nak: emitLcpOption({ kind: "magic", magic: freshMagic(this.#random) }) };
      case "authentication": {
        const method = methodOf(option);
        const [best] = this.#settings.offerAuth;
        if (method !== undefined && this.#settings.offerAuth.includes(method)) return "ack";
        // EAP and every method we do not have: Nak with our best, never Reject, as Windows does (windows.md §4).
        return best === undefined ? "reject" : { nak: emitLcpOption(authOption(best)) };
      }
      case "callback":
        return this.#settings.callback === "cbcp" && option.operation === CALLBACK_BY_CBCP ? "ack" : "reject";
      case "accm": // never applied: PPTP frames carry no escapes (RFC 2637 §4)
      case "pfc":
      case "acfc":
        return "ack";
      case "mrru":
      case "endpoint":
      case "unknown":
        return "reject";
    }
  }

  /** The peer would rather use `suggested`: taken when we allow it, else our next choice; none left ends in failure. */
  #demandAnother(suggested: AuthMethod | undefined): void {
    const rest = this.#demanded.slice(1);
    this.#demanded = suggested !== undefined && this.#demanded.includes(suggested) ? [suggested] : rest;
  }

  #echoReply(request: CpPacket): NegotiationOutput {
    const echoed = request.data.subarray(4, Math.max(4, this.#peer.mru - 4));
    return { type: "send", packet: { ...request, code: CpCode.echoReply, data: this.#withMagic(echoed) } };
  }

  #withMagic(message: Buffer): Buffer {
    const data = Buffer.alloc(4 + message.length);
    data.writeUInt32BE(this.#magic);
    message.copy(data, 4);
    return data;
  }
}

function freshMagic(random: Random): number {
  return random.bytes(4).readUInt32BE() || 1; // RFC 1661 §6.4: zero means "no magic number"
}

function peerWith(peer: LcpPeer, option: LcpOption): LcpPeer {
  switch (option.kind) {
    case "mru":
      return { ...peer, mru: option.mru };
    case "accm":
      return { ...peer, accm: option.map };
    case "magic":
      return { ...peer, magic: option.magic };
    case "pfc":
      return { ...peer, pfc: true };
    case "acfc":
      return { ...peer, acfc: true };
    case "authentication":
      return { ...peer, auth: methodOf(option) };
    case "callback":
      return { ...peer, callback: true };
    case "mrru":
    case "endpoint":
    case "unknown":
      return peer;
  }
}

const CHAP_METHODS: readonly (readonly [AuthMethod, number])[] = [
  ["chap-md5", ChapAlgorithm.md5],
  ["mschap-v1", ChapAlgorithm.mschapV1],
  ["mschap-v2", ChapAlgorithm.mschapV2],
];

function methodOf(option: { readonly protocol: number; readonly data: Buffer }): AuthMethod | undefined {
  if (option.protocol === Protocol.pap) return "pap";
  if (option.protocol !== Protocol.chap || option.data.length !== 1) return undefined;
  return CHAP_METHODS.find(([, algorithm]) => algorithm === option.data[0])?.[0];
}

function authOption(method: AuthMethod): LcpOption {
  const algorithm = CHAP_METHODS.find(([name]) => name === method)?.[1];
  return algorithm === undefined
    ? { kind: "authentication", protocol: Protocol.pap, data: Buffer.alloc(0) }
    : { kind: "authentication", protocol: Protocol.chap, data: Buffer.from([algorithm]) };
}
