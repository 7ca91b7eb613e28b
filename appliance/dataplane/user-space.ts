/**
 * The user-space data plane: raw GRE on one side, one TUN interface per session on the other.
 *
 *   fromPeer   GRE batch → parse GRE → whose call? → acknowledgment → order → PPP protocol
 *                 ├─ control protocol → out to the session (`events.control`)
 *                 └─ data → MPPE decrypt → MPPC → is it what was negotiated? → TUN
 *   toPeer     TUN batch → inner protocol → MPPC → MPPE encrypt → PPP header → sequence, acknowledgment → GRE header → GRE batch
 *
 * The functions below stand in the order in which a packet passes them. Headers are written into headroom in front of
 * the packet; nothing is copied but a packet that must wait for an earlier one.
 */

import { type GreSocket, Millis, type Tun } from "../ports.ts";
import { MppcCompressor, MppcDecompressor } from "../ppp/mppc.ts";
import { MPPE_HEADER_BYTES, MppeReceiver, MppeSender } from "../ppp/mppe.ts";
import type { EncryptedDirection } from "../ppp/network-phase.ts";
import type { LocalCallId } from "../pptp/call-id.ts";
import { DEFAULT_GRE_TIMES, GreSession, type GreSessionTimes } from "../pptp/gre-session.ts";
import type { CallAddress } from "../tunnel/effect.ts";
import type { RateLimit } from "../tunnel/settings.ts";
import type { TrafficCounters } from "../tunnel/status.ts";
import { emitGre, LONGEST_GRE_HEADER, parseGre, writeGreHeader } from "../wire/gre.ts";
import { type Ipv4, isIpv4Packet, isIpv6Packet } from "../wire/ipv4.ts";
import { PLAIN_FRAMING, type PppFraming, Protocol, skipAddressControl, writePppHeader } from "../wire/ppp-frame.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What a TUN slot must leave free in front of a packet: GRE, PPP, MPPE headers and the inner protocol. */
export const HEADROOM_BYTES = LONGEST_GRE_HEADER + 4 + MPPE_HEADER_BYTES + 2;

export interface DataPlaneEvents {
  /** A PPP frame that is not data. The payload is a loan. */
  control(callId: LocalCallId, protocol: number, payload: Buffer): void;
  /** The receive side of stateful MPPE lost step (RFC 3078 §8.2). */
  resetNeeded(callId: LocalCallId): void;
}

/** Why a received packet was dropped, as `show vpn` prints it. */
type Drop = string;

/** A lost step is reported again when the peer has not reacted after this long. */
const RESET_AGAIN_MS = 300;

interface Call {
  readonly address: CallAddress;
  readonly gre: GreSession;
  readonly requireEncryption: boolean;
  sender: MppeSender | undefined;
  receiver: MppeReceiver | undefined;
  compressor: MppcCompressor | undefined;
  decompressor: MppcDecompressor | undefined;
  tun: Tun | undefined;
  /** IPV6CP is open: IPv6 packets are data too. */
  ipv6: boolean;
  framing: PppFraming;
  /** Rate limits of IP packets; undefined is none. */
  upload: TokenBucket | undefined;
  download: TokenBucket | undefined;
  /** Packets GRE gave up since the last one MPPE saw. */
  lostBefore: number;
  resetAskedAt: Millis | undefined;
  /** When an IP packet last passed, either way. */
  lastTraffic: Millis | undefined;
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
  readonly dropped: Record<Drop, number>;
}

export class UserSpaceDataPlane {
  readonly #gre: GreSocket;
  readonly #events: DataPlaneEvents;
  readonly #greTimes: GreSessionTimes;
  readonly #calls = new Map<LocalCallId, Call>();
  #now = Millis(0);
  /** GRE packets that belong to no call: a port scan, or a call that just ended. */
  strays = 0;

  constructor(gre: GreSocket, events: DataPlaneEvents, greTimes: GreSessionTimes = DEFAULT_GRE_TIMES) {
    this.#gre = gre;
    this.#events = events;
    this.#greTimes = greTimes;
  }

  // --- calls -------------------------------------------------------------------------------------------------------

  /** Takes GRE packets for this call from now on. */
  open(address: CallAddress, requireEncryption: boolean): void {
    const call: Call = {
      address,
      gre: new GreSession((payload, lostBefore) => this.#frameFromPeer(call, payload, lostBefore), this.#greTimes),
      requireEncryption,
      sender: undefined,
      receiver: undefined,
      compressor: undefined,
      decompressor: undefined,
      tun: undefined,
      ipv6: false,
      framing: PLAIN_FRAMING,
      upload: undefined,
      download: undefined,
      lostBefore: 0,
      resetAskedAt: undefined,
      lastTraffic: undefined,
      receivedPackets: 0,
      receivedBytes: 0,
      sentPackets: 0,
      sentBytes: 0,
      dropped: {},
    };
    this.#calls.set(address.callId, call);
  }

  close(callId: LocalCallId): void {
    this.#calls.delete(callId);
  }

  /** CCP is open: from now on everything is encrypted, both ways. */
  encrypt(callId: LocalCallId, send: EncryptedDirection, receive: EncryptedDirection): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    call.sender = new MppeSender({ startKey: send.startKey, ...send.agreement });
    // Linux is the peer that changes its key on a flush, and the most common one that still speaks stateful MPPE.
    call.receiver = new MppeReceiver({ startKey: receive.startKey, ...receive.agreement, rekeyOnFlush: true });
    call.compressor = send.agreement.mppc ? new MppcCompressor(send.agreement.stateless) : undefined;
    call.decompressor = receive.agreement.mppc ? new MppcDecompressor() : undefined;
  }

  flushEncryption(callId: LocalCallId): void {
    this.#calls.get(callId)?.sender?.flush();
  }

  /** LCP started over: the next round may agree on other keys, or, where it is optional, on no encryption. */
  forgetEncryption(callId: LocalCallId): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    call.sender = undefined;
    call.receiver = undefined;
    call.compressor = undefined;
    call.decompressor = undefined;
    call.lostBefore = 0;
  }

  /** The network is up: `tun` carries this call's IP packets until `detach`. */
  attach(callId: LocalCallId, tun: Tun, framing: PppFraming): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    call.tun = tun;
    call.framing = framing;
  }

  /** From now on IP packets above these rates are dropped. */
  limit(callId: LocalCallId, { upload, download }: RateLimit): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    call.upload = upload === undefined ? undefined : new TokenBucket(upload);
    call.download = download === undefined ? undefined : new TokenBucket(download);
  }

  /** IPv6 passes too, until `detach`. */
  allowIpv6(callId: LocalCallId): void {
    const call = this.#calls.get(callId);
    if (call !== undefined) call.ipv6 = true;
  }

  /** Returns the interface the call had, to be closed by whoever opened it. */
  detach(callId: LocalCallId): Tun | undefined {
    const call = this.#calls.get(callId);
    const tun = call?.tun;
    if (call !== undefined) {
      call.tun = undefined;
      call.ipv6 = false;
    }
    return tun;
  }

  /** When an IP packet last passed, either way: idle time-outs ask. */
  lastTraffic(callId: LocalCallId | undefined): Millis | undefined {
    return callId === undefined ? undefined : this.#calls.get(callId)?.lastTraffic;
  }

  counters(callId: LocalCallId): TrafficCounters | undefined {
    const call = this.#calls.get(callId);
    if (call === undefined) return undefined;
    const { receivedPackets, receivedBytes, sentPackets, sentBytes } = call;
    const { lost, lateOrDuplicate, implausible } = call.gre.counters;
    const gre = Object.entries({ lost, "late or duplicate": lateOrDuplicate, implausible }).filter(([, n]) => n > 0);
    const dropped = { ...call.dropped, ...Object.fromEntries(gre) };
    return { receivedPackets, receivedBytes, sentPackets, sentBytes, dropped };
  }

  // --- from the peer -----------------------------------------------------------------------------------------------

  /** Everything that waits on the GRE socket. */
  receive(now: Millis): void {
    this.#now = now;
    this.#gre.receive((peer, packet) => this.#fromPeer(peer, packet));
    this.#acknowledgeDue(now);
    this.#gre.flush();
  }

  #fromPeer(peer: Ipv4, packet: Buffer): void {
    const parsed = parseGre(packet);
    const call = parsed.ok ? this.#calls.get(parsed.value.callId as LocalCallId) : undefined;
    // A call belongs to its peer: the same Call ID from elsewhere is a forgery, or a NAT's mistake.
    if (!parsed.ok || call === undefined || call.address.peer !== peer) {
      this.strays++;
      return;
    }
    const { sequence, ack, payload } = parsed.value;
    if (ack !== undefined) call.gre.acknowledged(ack);
    if (sequence !== undefined) call.gre.receive(sequence, payload, this.#now);
  }

  /** One PPP frame, in order. */
  #frameFromPeer(call: Call, frame: Buffer, lostBefore: number): void {
    call.lostBefore += lostBefore;
    const end = frame.length;
    const start = skipAddressControl(frame, 0, end);
    const width = protocolWidth(frame, start);
    if (start + width >= end) {
      drop(call, "short frame");
      return;
    }
    const protocol = width === 1 ? (frame[start] ?? 0) : frame.readUInt16BE(start);
    const data = start + width;
    if (protocol === Protocol.compressed) this.#encryptedFromPeer(call, frame, data, end);
    else if (protocol === Protocol.ipv4 || (protocol === Protocol.ipv6 && call.ipv6))
      this.#clearFromPeer(call, protocol, frame, data, end);
    else this.#events.control(call.address.callId, protocol, frame.subarray(data));
  }

  #encryptedFromPeer(call: Call, frame: Buffer, start: number, end: number): void {
    if (call.receiver === undefined) {
      drop(call, "encrypted before CCP opened");
      return;
    }
    const fault = call.receiver.decrypt(frame, start, end, call.lostBefore);
    call.lostBefore = 0;
    if (fault !== undefined) {
      drop(call, `MPPE: ${fault}`);
      if (call.receiver.needsReset) this.#askReset(call);
      return;
    }
    if (call.decompressor === undefined) {
      call.resetAskedAt = undefined;
      this.#plainFromPeer(call, frame, start + MPPE_HEADER_BYTES, end);
      return;
    }
    const plain = call.decompressor.decompress(frame, start, end);
    if (typeof plain === "string") {
      drop(call, `MPPC: ${plain}`);
      if (call.decompressor.needsReset) this.#askReset(call);
      return;
    }
    call.resetAskedAt = undefined;
    this.#plainFromPeer(call, plain, 0, plain.length);
  }

  /** MPPE has no integrity: what does not decrypt to a packet we negotiated never reaches the kernel. */
  #plainFromPeer(call: Call, plain: Buffer, start: number, end: number): void {
    const width = protocolWidth(plain, start);
    const protocol = width === 1 ? (plain[start] ?? 0) : start + 2 <= end ? plain.readUInt16BE(start) : 0;
    if (isNegotiated(call, protocol, plain, start + width, end)) this.#toKernel(call, plain, start + width, end);
    else drop(call, "not IP after decryption");
  }

  #clearFromPeer(call: Call, protocol: number, frame: Buffer, start: number, end: number): void {
    if (call.requireEncryption || call.receiver !== undefined) drop(call, "clear IP in an encrypted session");
    else if (!isNegotiated(call, protocol, frame, start, end)) drop(call, "not an IP packet");
    else this.#toKernel(call, frame, start, end);
  }

  #toKernel(call: Call, frame: Buffer, start: number, end: number): void {
    if (call.tun === undefined) {
      drop(call, "data before the network was up");
      return;
    }
    call.lastTraffic = this.#now;
    if (call.upload?.take(end - start, this.#now) === false) {
      drop(call, "above the upload limit");
      return;
    }
    call.receivedPackets++;
    call.receivedBytes += end - start;
    call.tun.write(frame.subarray(start, end));
  }

  #askReset(call: Call): void {
    if (call.resetAskedAt !== undefined && this.#now < call.resetAskedAt + RESET_AGAIN_MS) return;
    call.resetAskedAt = this.#now;
    this.#events.resetNeeded(call.address.callId);
  }

  // --- to the peer -------------------------------------------------------------------------------------------------

  /** One batch of what waits on the call's interface. */
  transmit(callId: LocalCallId, now: Millis): void {
    this.#now = now;
    const call = this.#calls.get(callId);
    call?.tun?.receive((slot, start, end) => this.#toPeer(call, slot, start, end));
    this.#gre.flush();
  }

  /** `slot[start..end)` is one IP packet with `HEADROOM_BYTES` free in front. */
  #toPeer(call: Call, slot: Buffer, start: number, end: number): void {
    const protocol = isIpv4Packet(slot, start, end) ? Protocol.ipv4 : Protocol.ipv6;
    if (!isNegotiated(call, protocol, slot, start, end)) return; // IPv6 of the kernel's own making
    if (call.requireEncryption && call.sender === undefined) return; // never in the clear, whatever the session does
    call.lastTraffic = this.#now;
    if (call.download?.take(end - start, this.#now) === false) {
      drop(call, "above the download limit");
      return;
    }
    call.sentPackets++;
    call.sentBytes += end - start;
    let at = start;
    let last = end;
    if (call.sender === undefined) at = writePppHeader(slot, at, protocol, call.framing);
    else {
      // The inner protocol keeps both bytes: 0 of 707 Windows frames compressed it.
      at = slot.writeUInt16BE(protocol, at - 2) - 2;
      if (call.compressor !== undefined) last = call.compressor.compress(slot, at, end, call.sender.flushesNext);
      at = call.sender.encrypt(slot, at, last, call.compressor?.flags);
      at = writePppHeader(slot, at, Protocol.compressed, call.framing);
    }
    this.#sendGre(call, slot, at, last);
  }

  /** A control frame of the session. */
  sendFrame(callId: LocalCallId, protocol: number, payload: Buffer, framing: PppFraming): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    const bytes = Buffer.alloc(HEADROOM_BYTES + payload.length);
    payload.copy(bytes, HEADROOM_BYTES);
    this.#sendGre(call, bytes, writePppHeader(bytes, HEADROOM_BYTES, protocol, framing), bytes.length);
  }

  #sendGre(call: Call, bytes: Buffer, start: number, end: number): void {
    const { local, peer, peerCallId } = call.address;
    const at = writeGreHeader(bytes, start, peerCallId, end - start, call.gre.nextSequence(), call.gre.takeAck());
    this.#gre.send(local, peer, bytes.subarray(at, end));
  }

  // --- time --------------------------------------------------------------------------------------------------------

  get deadline(): Millis | undefined {
    let earliest: Millis | undefined;
    for (const call of this.#calls.values()) {
      const deadline = call.gre.deadline;
      if (deadline !== undefined && (earliest === undefined || deadline < earliest)) earliest = deadline;
    }
    return earliest;
  }

  tick(now: Millis): void {
    this.#now = now;
    this.#acknowledgeDue(now);
    this.#gre.flush();
  }

  /** Sends what `sendFrame` queued. */
  flush(): void {
    this.#gre.flush();
  }

  #acknowledgeDue(now: Millis): void {
    for (const { gre, address } of this.#calls.values()) {
      if (!gre.tick(now)) continue;
      const ack = gre.takeAck();
      const packet = { callId: address.peerCallId, sequence: undefined, ack, payload: Buffer.alloc(0) };
      if (ack !== undefined) this.#gre.send(address.local, address.peer, emitGre(packet));
    }
  }
}

/** RFC 1661 §2: an odd first byte is the whole protocol field. */
function protocolWidth(bytes: Buffer, at: number): 1 | 2 {
  return (bytes[at] ?? 0) & 1 ? 1 : 2;
}

/** Whether `bytes[start..end)` is a whole packet of a network protocol this call has up. */
function isNegotiated(call: Call, protocol: number, bytes: Buffer, start: number, end: number): boolean {
  if (protocol === Protocol.ipv4) return isIpv4Packet(bytes, start, end);
  return protocol === Protocol.ipv6 && call.ipv6 && isIpv6Packet(bytes, start, end);
}

function drop(call: Call, why: Drop): void {
  call.dropped[why] = (call.dropped[why] ?? 0) + 1;
}
