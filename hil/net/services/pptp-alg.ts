/**
 * The part of a NAT that understands PPTP: RFC 2637. A Call ID belongs to the side that chose it; those of the inside are
 * translated, in control messages and in the GRE packets that come in, those of the outside never.
 */
import { controlMessageLength } from "../../../appliance/wire/control-message.ts";
import { parseGre } from "../../../appliance/wire/gre.ts";
import { formatIpv4, Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { elapsedMs, type LabClock } from "../../clock.ts";
import { patch } from "../ip/checksum.ts";
import { endpointText } from "../ip/cidr.ts";
import type { Endpoint } from "./nat-table.ts";
import { type AlgTraits, PPTP_ALG_MODES, type PptpAlgMode } from "./pptp-alg-mode.ts";

export const PPTP_PORT = 1723;

/** RFC 2637 §2: the types that matter here, by number, because a message is changed where it lies. */
const Type = {
  stopReply: 4,
  outgoingCallRequest: 7,
  outgoingCallReply: 8,
  incomingCallRequest: 9,
  incomingCallReply: 10,
  incomingCallConnected: 11,
  callClearRequest: 12,
  callDisconnectNotify: 13,
  wanErrorNotify: 14,
  setLinkInfo: 15,
} as const;
const TYPE_AT = 8;
const FIRST_ID_AT = 12;
const SECOND_ID_AT = 14;
const RESULT_AT = 16;
const CONNECTED = 1;
const TCP_CHECKSUM_AT = 16;
const TCP_FIN = 0x01;
const TCP_RST = 0x04;
/** The oldest is forgotten; nobody dials so often in one lab. */
const CALLS_KEPT = 1024;

/** Messages that begin with the sender's own Call ID. */
const OWN_ID: ReadonlySet<number> = new Set([
  Type.outgoingCallRequest,
  Type.outgoingCallReply,
  Type.incomingCallRequest,
  Type.incomingCallReply,
  Type.callClearRequest,
  Type.callDisconnectNotify,
]);
const REQUESTS: ReadonlySet<number> = new Set([Type.outgoingCallRequest, Type.incomingCallRequest]);
const REPLIES: ReadonlySet<number> = new Set([Type.outgoingCallReply, Type.incomingCallReply]);
/** Messages that begin with the receiver's Call ID. */
const PEERS_ID: ReadonlySet<number> = new Set([Type.incomingCallConnected, Type.wanErrorNotify, Type.setLinkInfo]);

/** A call of an inside host. */
export interface NatCall {
  /** `inside-outside endpoint` of the control connection. */
  readonly connection: string;
  readonly inside: Ipv4;
  readonly remote: Ipv4;
  /** What the inside host chose, and what the outside knows instead. */
  readonly insideId: number;
  readonly outsideId: number;
  /** What the outside chose, as soon as it is known. */
  remoteId: number | undefined;
  /** Since the mapping was made, or made again. */
  hasSentGre: boolean;
  hasGotGre: boolean;
  /** Call-Disconnect-Notify was seen. The translation stays for messages that are sent again. */
  isOver: boolean;
  /** GRE is forgotten then. */
  greExpiresNs: bigint;
}

type SavedCall = Omit<NatCall, "greExpiresNs" | "remoteId"> & {
  readonly remoteId?: number | undefined;
  readonly remainingMs: number;
};
export interface SavedAlg {
  readonly mode: PptpAlgMode;
  readonly calls: readonly SavedCall[];
  readonly finished: readonly (readonly [string, "inside" | "outside"])[];
}

/** A TCP segment between an inside and an outside endpoint, of which one has port 1723. */
export interface ControlSegment {
  /** The segment behind the IPv4 header, changed in place. */
  readonly bytes: Buffer;
  readonly inside: Endpoint;
  readonly outsidePort: number;
  readonly remote: Endpoint;
}

/** Where a GRE packet goes, or why it goes nowhere. */
export type GreVerdict =
  | { readonly passes: true; readonly inside: Ipv4; readonly packet: Buffer }
  | { readonly passes: false; readonly because: string };

export class PptpAlg {
  readonly #clock: LabClock;
  readonly #note: (text: string) => void;
  #mode: PptpAlgMode;
  /** The newest last. */
  #calls: NatCall[] = [];
  /** Connections with calls of which one side has sent FIN. */
  readonly #finished = new Map<string, "inside" | "outside">();

  constructor(mode: PptpAlgMode, clock: LabClock, note: (text: string) => void) {
    this.#mode = mode;
    this.#clock = clock;
    this.#note = note;
  }

  get mode(): PptpAlgMode {
    return this.#mode;
  }

  /** What is known of calls stays; from the next packet on it is used, or not, as the mode says. */
  set mode(mode: PptpAlgMode) {
    this.#mode = mode;
    this.#note(`PPTP ALG ${mode}: ${PPTP_ALG_MODES[mode].says}`);
  }

  get calls(): readonly NatCall[] {
    return this.#calls;
  }

  /** A segment that leaves. */
  outbound(segment: ControlSegment): void {
    if (!this.#traits.tracksCalls) return;
    this.#eachMessage(segment, (message) => this.#fromInside(segment, message));
    this.#watchEnd(segment, "inside");
  }

  /** A segment that comes in. */
  inbound(segment: ControlSegment): void {
    if (!this.#traits.tracksCalls) return;
    this.#eachMessage(segment, (message) => this.#fromOutside(segment, message));
    this.#watchEnd(segment, "outside");
  }

  /** The control connection is closed or forgotten: so are its calls. */
  connectionEnded(inside: Endpoint, remote: Endpoint): void {
    const connection = connectionName(inside, remote);
    this.#finished.delete(connection);
    const ended = this.#calls.filter((call) => call.connection === connection);
    if (ended.length === 0) return;
    this.#calls = this.#calls.filter((call) => call.connection !== connection);
    this.#note(`PPTP ${connection} ended, and with it ${ended.map(callText).join(", ")}`);
  }

  /** Whether a GRE packet from inside may leave; its Call ID is the outside's own and stays. */
  greFromInside(inside: Ipv4, remote: Ipv4, packet: Buffer): GreVerdict {
    if (this.#traits.blocksGre) return { passes: false, because: "this box loses all GRE" };
    const gre = parseGre(packet);
    const call = this.#calls.findLast(
      (each) => each.inside === inside && each.remote === remote && gre.ok && each.remoteId === gre.value.callId,
    );
    if (call !== undefined && this.#traits.tracksCalls) {
      if (this.#isForgotten(call)) {
        call.hasGotGre = false;
        this.#note(`GRE of ${callText(call)} is known again`);
      }
      call.hasSentGre = true;
      this.#refresh(call);
    }
    return { passes: true, inside, packet };
  }

  /** Whose a GRE packet from outside is. */
  greFromOutside(remote: Ipv4, packet: Buffer): GreVerdict {
    const traits = this.#traits;
    if (traits.blocksGre) return { passes: false, because: "this box loses all GRE" };
    if (!traits.tracksCalls) return { passes: false, because: "no helper knows whose it is" };
    const gre = parseGre(packet);
    if (!gre.ok) return { passes: false, because: "it is not the GRE of PPTP" };
    const { callId } = gre.value;
    const call = this.#calls.findLast(
      (each) => each.remote === remote && !each.isOver && (traits.greByServer || each.outsideId === callId),
    );
    if (call === undefined) return { passes: false, because: `no call has Call ID ${callId}` };
    if (this.#isForgotten(call)) return { passes: false, because: `GRE of ${callText(call)} is forgotten` };
    if (traits.greNeedsOutbound && !call.hasSentGre) {
      return { passes: false, because: `the inside has not sent GRE for ${callText(call)} yet` };
    }
    call.hasGotGre = true;
    this.#refresh(call);
    if (traits.greByServer || call.insideId === callId) return { passes: true, inside: call.inside, packet };
    const translated = Buffer.from(packet);
    translated.writeUInt16BE(call.insideId, 6);
    return { passes: true, inside: call.inside, packet: translated };
  }

  /** Whose GRE packet an ICMP error from outside quotes: its beginning, as it left. */
  greQuoted(remote: Ipv4, quoted: Buffer): Ipv4 | undefined {
    if (!this.#traits.tracksCalls || quoted.length < 8) return undefined;
    const remoteId = quoted.readUInt16BE(6);
    return this.#calls.findLast((call) => call.remote === remote && call.remoteId === remoteId)?.inside;
  }

  forget(): void {
    this.#calls = [];
    this.#finished.clear();
  }

  save(): SavedAlg {
    const nowNs = this.#clock.nowNs();
    const calls = this.#calls.map(({ greExpiresNs, ...call }) => ({
      ...call,
      remainingMs: elapsedMs(nowNs, greExpiresNs),
    }));
    return { mode: this.#mode, calls, finished: [...this.#finished] };
  }

  restore({ mode, calls, finished }: SavedAlg): void {
    this.#mode = mode;
    this.#finished.clear();
    for (const [connection, side] of finished) this.#finished.set(connection, side);
    this.#calls = calls.map(({ remainingMs, ...call }) => ({
      ...call,
      inside: Ipv4(call.inside),
      remote: Ipv4(call.remote),
      remoteId: call.remoteId,
      greExpiresNs: this.#clock.nowNs() + BigInt(Math.round(remainingMs * 1e6)),
    }));
  }

  get #traits(): AlgTraits {
    return PPTP_ALG_MODES[this.#mode];
  }

  /**
   * The messages that lie whole in the segment. A segment that begins within a message is passed as it is, as by Linux: no
   * implementation that we know cuts messages, and the note says so if one does.
   */
  #eachMessage(segment: ControlSegment, each: (message: Message) => void): void {
    const { bytes } = segment;
    let at = Math.max(20, (bytes.readUInt8(12) >>> 4) * 4);
    while (at < bytes.length) {
      const length = controlMessageLength(bytes.subarray(at));
      if (length === undefined || !length.ok || at + length.value > bytes.length) {
        const where = connectionName(segment.inside, segment.remote);
        this.#note(`PPTP ${where}: ${bytes.length - at} bytes are no whole control message, and pass as they are`);
        return;
      }
      if (length.value >= SECOND_ID_AT) each(new Message(bytes, at, length.value));
      at += length.value;
    }
  }

  #watchEnd({ bytes, inside, remote }: ControlSegment, side: "inside" | "outside"): void {
    const flags = bytes.readUInt8(13);
    if ((flags & (TCP_FIN | TCP_RST)) === 0) return;
    const connection = connectionName(inside, remote);
    if (!this.#calls.some((call) => call.connection === connection)) return;
    const other = this.#finished.get(connection);
    if ((flags & TCP_RST) !== 0 || (other !== undefined && other !== side)) this.connectionEnded(inside, remote);
    else this.#finished.set(connection, side);
  }

  #fromInside(segment: ControlSegment, message: Message): void {
    const { type } = message;
    if (type === Type.stopReply) this.connectionEnded(segment.inside, segment.remote);
    if (!OWN_ID.has(type)) return;
    const insideId = message.firstId;
    const known = this.#calls.findLast(
      (call) => call.connection === connectionName(segment.inside, segment.remote) && call.insideId === insideId,
    );
    const begins = REQUESTS.has(type) || (REPLIES.has(type) && message.result === CONNECTED);
    const call =
      known !== undefined && !(begins && known.isOver) ? known : begins ? this.#begin(segment, insideId) : undefined;
    if (call === undefined) return;
    if (REPLIES.has(type)) call.remoteId = message.secondId;
    message.firstId = call.outsideId;
    if (type === Type.callDisconnectNotify) this.#end(call);
  }

  #fromOutside(segment: ControlSegment, message: Message): void {
    const { type } = message;
    const connection = connectionName(segment.inside, segment.remote);
    if (type === Type.stopReply) this.connectionEnded(segment.inside, segment.remote);
    const here = this.#calls.filter((call) => call.connection === connection);
    if (REPLIES.has(type)) {
      const call = here.findLast((each) => each.outsideId === message.secondId);
      if (call === undefined) return;
      message.secondId = call.insideId;
      if (message.result === CONNECTED) call.remoteId = message.firstId;
      else this.#end(call);
    } else if (PEERS_ID.has(type)) {
      const call = here.findLast((each) => each.outsideId === message.firstId);
      if (call !== undefined) message.firstId = call.insideId;
    } else if (type === Type.callDisconnectNotify) {
      const call = here.findLast((each) => each.remoteId === message.firstId);
      if (call === undefined) return;
      if (this.#traits.asLinux && segment.remote.port === PPTP_PORT) message.firstId = call.insideId;
      this.#end(call);
    }
  }

  #begin({ inside, outsidePort, remote }: ControlSegment, insideId: number): NatCall {
    const call: NatCall = {
      connection: connectionName(inside, remote),
      inside: inside.address,
      remote: remote.address,
      insideId,
      outsideId: this.#outsideId(insideId, outsidePort, remote),
      remoteId: undefined,
      hasSentGre: false,
      hasGotGre: false,
      isOver: false,
      greExpiresNs: 0n,
    };
    const clash = this.#calls.find(
      (each) => each.remote === call.remote && each.outsideId === call.outsideId && !each.isOver,
    );
    this.#calls.push(call);
    if (this.#calls.length > CALLS_KEPT) this.#calls.shift();
    this.#refresh(call);
    this.#note(`PPTP ${call.connection}: ${callText(call)}`);
    if (clash !== undefined) this.#note(`${callText(call)} clashes with ${callText(clash)}`);
    return call;
  }

  /** The inside's own when nobody else has it at this remote address, or else the next free one; never 0. */
  #outsideId(insideId: number, outsidePort: number, remote: Endpoint): number {
    const { asLinux, rewritesCallIds } = this.#traits;
    if (asLinux) return remote.port === PPTP_PORT ? outsidePort : insideId;
    if (!rewritesCallIds) return insideId;
    const taken = new Set(this.#calls.filter((call) => call.remote === remote.address).map((call) => call.outsideId));
    let id = insideId;
    while (id === 0 || taken.has(id)) id = (id + 1) & 0xffff;
    return id;
  }

  #end(call: NatCall): void {
    if (!call.isOver) this.#note(`${callText(call)} is over`);
    call.isOver = true;
  }

  #isForgotten(call: NatCall): boolean {
    return call.greExpiresNs <= this.#clock.nowNs();
  }

  #refresh(call: NatCall): void {
    const { greRepliedMs, greUnrepliedMs } = this.#traits;
    const timeoutMs = call.hasGotGre ? greRepliedMs : greUnrepliedMs;
    call.greExpiresNs = this.#clock.nowNs() + BigInt(timeoutMs) * 1_000_000n;
  }
}

/** One control message where it lies in its segment. What is written is written into the TCP checksum too. */
class Message {
  readonly #segment: Buffer;
  readonly #at: number;
  readonly #length: number;

  constructor(segment: Buffer, at: number, length: number) {
    this.#segment = segment;
    this.#at = at;
    this.#length = length;
  }
  get type(): number {
    return this.#segment.readUInt16BE(this.#at + TYPE_AT);
  }
  get firstId(): number {
    return this.#read(FIRST_ID_AT);
  }
  set firstId(id: number) {
    this.#write(FIRST_ID_AT, id);
  }
  get secondId(): number {
    return this.#read(SECOND_ID_AT);
  }
  set secondId(id: number) {
    this.#write(SECOND_ID_AT, id);
  }
  get result(): number {
    return this.#length > RESULT_AT ? this.#segment.readUInt8(this.#at + RESULT_AT) : 0;
  }

  #read(at: number): number {
    return at + 2 <= this.#length ? this.#segment.readUInt16BE(this.#at + at) : 0;
  }

  #write(at: number, id: number): void {
    if (at + 2 > this.#length) return;
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(id);
    patch(this.#segment, 0, this.#at + at, bytes, TCP_CHECKSUM_AT);
  }
}

function connectionName(inside: Endpoint, remote: Endpoint): string {
  return `${endpointText(inside.address, inside.port)}-${endpointText(remote.address, remote.port)}`;
}

function callText({ inside, insideId, outsideId }: NatCall): string {
  const translation = insideId === outsideId ? "" : `, outside ${outsideId}`;
  return `call ${insideId} of ${formatIpv4(inside)}${translation}`;
}
