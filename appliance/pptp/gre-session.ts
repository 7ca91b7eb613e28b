/**
 * Sequence and acknowledgment numbers of one call's GRE packets, both directions: RFC 2637 §4.2–§4.3.
 *
 * No retransmission and no window: "the windowing mechanism is a design error" (mpd), Windows ignores it ([MS-PTPT]
 * 3.1.5.7), and a peer that honours ours is kept going by acknowledging in time. Received packets are put in order,
 * within bounds of number and time, because MPPE can only go forward.
 */
import { Millis } from "../ports.ts";

export interface GreSessionTimes {
  /** The first unacknowledged packet waits this long for a packet to ride on (Windows: 100 ms). */
  readonly ackDelayMs: number;
  /** A gap is given up after this long, or when `reorderPackets` wait behind it. */
  readonly reorderMs: number;
  /** The shortest wait: where nothing ever comes late, gaps are losses, and waiting only costs whoever waits. */
  readonly shortestReorderMs: number;
  readonly reorderPackets: number;
  /** Unacknowledged packets that force an acknowledgment: half the window we announce. */
  readonly ackEvery: number;
}
export const DEFAULT_GRE_TIMES: GreSessionTimes = {
  ackDelayMs: 100,
  reorderMs: 100,
  shortestReorderMs: 20,
  reorderPackets: 32,
  ackEvery: 32,
};

export interface GreCounters {
  /** Sequence numbers that never came. */
  lost: number;
  /** Came after it was given up, or twice. */
  lateOrDuplicate: number;
  /** Came before its turn and was put in order. */
  reordered: number;
  /** Too far ahead to be believed without a second one. */
  implausible: number;
}

/** Each gap that was waited for in vain makes the next wait this much shorter; one packet that comes late makes it whole again. */
const PATIENCE_LOST = 0.75;

/** Farther ahead than this, one packet alone is not believed: else a forged one would silence the real peer. */
const PLAUSIBLE_JUMP = 2048;

export class GreSession {
  readonly #times: GreSessionTimes;
  /** `payload` is a loan; `lostBefore` counts the packets given up since the one before. */
  readonly #deliver: (payload: Buffer, lostBefore: number) => void;
  readonly #waiting = new Map<number, Buffer>();
  readonly counters: GreCounters = { lost: 0, lateOrDuplicate: 0, reordered: 0, implausible: 0 };
  #expected: number | undefined;
  #highest: number | undefined;
  #jumpCandidate: number | undefined;
  #reorderDeadline: Millis | undefined;
  #patienceMs: number;
  #unacknowledged = 0;
  #ackDeadline: Millis | undefined;
  #nextSequence: number;
  #acknowledgedByPeer: number | undefined;

  constructor(
    deliver: (payload: Buffer, lostBefore: number) => void,
    times: GreSessionTimes = DEFAULT_GRE_TIMES,
    firstSequence = 0,
  ) {
    this.#deliver = deliver;
    this.#times = times;
    this.#patienceMs = times.reorderMs;
    this.#nextSequence = firstSequence >>> 0;
  }

  get deadline(): Millis | undefined {
    if (this.#reorderDeadline === undefined || this.#ackDeadline === undefined)
      return this.#reorderDeadline ?? this.#ackDeadline;
    return Millis(Math.min(this.#reorderDeadline, this.#ackDeadline));
  }
  /** Packets sent that the peer has not acknowledged; undefined until it acknowledges anything. */
  get inFlight(): number | undefined {
    if (this.#acknowledgedByPeer === undefined) return undefined;
    return (this.#nextSequence - 1 - this.#acknowledgedByPeer) >>> 0;
  }

  // --- receiving ---------------------------------------------------------------------------------------------------

  /** A packet with payload. Whatever is in order now goes to `deliver` before this returns. */
  receive(sequence: number, payload: Buffer, now: Millis): void {
    const ahead = this.#expected === undefined ? 0 : (sequence - this.#expected) | 0;
    if (this.#expected === undefined) this.#expected = sequence; // any first number: peers start at 0 or 1
    if (ahead < 0) {
      this.counters.lateOrDuplicate++;
      this.#patienceMs = this.#times.reorderMs;
      return;
    }
    if (ahead > PLAUSIBLE_JUMP && !this.#confirmsJump(sequence)) {
      this.counters.implausible++;
      return;
    }
    if (this.#waiting.has(sequence)) {
      this.counters.lateOrDuplicate++;
      return;
    }
    this.#noteReceived(sequence, now);
    if (ahead === 0) {
      this.#take(payload, 0);
      this.#drain(now);
      return;
    }
    if (ahead > PLAUSIBLE_JUMP) {
      this.#release();
      this.#giveUpTo(sequence, payload);
      return;
    }
    this.#waiting.set(sequence, Buffer.from(payload)); // the payload is a loan
    this.#reorderDeadline ??= Millis(now + this.#patienceMs);
    if (this.#waiting.size >= this.#times.reorderPackets) this.#skipGap(now);
  }

  /** The peer's Acknowledgment Number. Nothing waits for it; it tells how much is under way. */
  acknowledged(ack: number): void {
    const known = this.#acknowledgedByPeer;
    const sent = (this.#nextSequence - 1 - ack) | 0;
    if (sent >= 0 && (known === undefined || ((ack - known) | 0) > 0)) this.#acknowledgedByPeer = ack;
  }

  #confirmsJump(sequence: number): boolean {
    const candidate = this.#jumpCandidate;
    this.#jumpCandidate = sequence;
    const step = candidate === undefined ? 0 : (sequence - candidate) | 0;
    return step > 0 && step <= this.#times.reorderPackets;
  }

  #noteReceived(sequence: number, now: Millis): void {
    if (this.#highest === undefined || ((sequence - this.#highest) | 0) > 0) this.#highest = sequence;
    this.#unacknowledged++;
    this.#ackDeadline = this.#unacknowledged >= this.#times.ackEvery ? now : (this.#ackDeadline ?? this.#ackAt(now));
  }

  #ackAt(now: Millis): Millis {
    return Millis(now + this.#times.ackDelayMs);
  }

  #take(payload: Buffer, lostBefore: number): void {
    this.#jumpCandidate = undefined;
    this.#expected = ((this.#expected ?? 0) + 1) >>> 0;
    this.#deliver(payload, lostBefore);
  }

  /** Delivers what waited for the number just taken. */
  #drain(now: Millis): void {
    for (;;) {
      const next = this.#waiting.get(this.#expected ?? 0);
      if (next === undefined) break;
      this.#waiting.delete(this.#expected ?? 0);
      this.counters.reordered++;
      this.#take(next, 0);
    }
    this.#reorderDeadline = this.#waiting.size === 0 ? undefined : Millis(now + this.#patienceMs);
  }

  /** Gives up the first gap: the oldest waiting packet is next. */
  #skipGap(now: Millis): void {
    const oldest = this.#oldestWaiting();
    if (oldest === undefined) return;
    const [sequence, payload] = oldest;
    this.#patienceMs = Math.max(this.#times.shortestReorderMs, this.#patienceMs * PATIENCE_LOST);
    this.#waiting.delete(sequence);
    this.#giveUpTo(sequence, payload);
    this.#drain(now);
  }

  #oldestWaiting(): readonly [number, Buffer] | undefined {
    let oldest: readonly [number, Buffer] | undefined;
    const from = this.#expected ?? 0;
    for (const entry of this.#waiting)
      if (oldest === undefined || (entry[0] - from) >>> 0 < (oldest[0] - from) >>> 0) oldest = entry;
    return oldest;
  }

  #giveUpTo(sequence: number, payload: Buffer): void {
    const lost = (sequence - (this.#expected ?? 0)) >>> 0;
    this.counters.lost += lost;
    this.#expected = sequence;
    this.#take(payload, lost);
  }

  /** Everything that waits, gaps or not: a jump leaves it behind. */
  #release(): void {
    for (let oldest = this.#oldestWaiting(); oldest !== undefined; oldest = this.#oldestWaiting()) {
      this.#waiting.delete(oldest[0]);
      this.#giveUpTo(oldest[0], oldest[1]);
    }
    this.#reorderDeadline = undefined;
  }

  // --- sending -----------------------------------------------------------------------------------------------------

  /** The Sequence Number of the next packet with payload. */
  nextSequence(): number {
    const sequence = this.#nextSequence;
    this.#nextSequence = (sequence + 1) >>> 0;
    return sequence;
  }

  /** The Acknowledgment Number to put on a packet, when there is anything new to acknowledge (§4.2). */
  takeAck(): number | undefined {
    if (this.#unacknowledged === 0) return undefined;
    this.#unacknowledged = 0;
    this.#ackDeadline = undefined;
    return this.#highest;
  }

  /** Gives up overdue gaps. Returns whether a packet with nothing but an acknowledgment is due; `takeAck` has its number. */
  tick(now: Millis): boolean {
    if (this.#reorderDeadline !== undefined && now >= this.#reorderDeadline) this.#skipGap(now);
    return this.#ackDeadline !== undefined && now >= this.#ackDeadline;
  }
}
