/**
 * MPPE, RFC 3078: one direction of a session's encryption, in place and without allocation per packet.
 *
 * The information field of a PPP frame with protocol 0x00FD is a two-octet header (A B C D and a 12-bit coherency
 * count), then the encrypted frame, which begins with its own protocol field. Only protocols 0x0021 to 0x00FA come
 * here (§3). MPPE has no integrity: whoever gets plaintext from `decrypt` checks that it is a packet he negotiated.
 *
 * Neither class can be wound back or given its start key again. A new session needs new keys, that is, a new
 * authentication: from the same start key, packet n would be encrypted with the same octets once more.
 */
import { MppeSessionKey, type MppeStrength } from "../crypto/mppe-keys.ts";

export const MPPE_HEADER_BYTES = 2;
/** A: the tables (and, with MPPC, the history) were initialized before this packet. */
export const FLUSHED = 0x8000;
/** B and C belong to MPPC. */
export const AT_FRONT = 0x4000;
export const COMPRESSED = 0x2000;
/** D: the packet is encrypted. */
export const ENCRYPTED = 0x1000;
const COUNT_MASK = 0x0fff;
const COUNTS = COUNT_MASK + 1;
/** Further ahead than this, a coherency count alone cannot tell a burst of loss from a packet that came late. */
const AMBIGUOUS = COUNTS / 2;
/** §7.2: a "flag" packet is one whose count ends in 0xff; stateful mode changes keys there and nowhere else. */
const FLAG_PERIOD = 256;
const NEVER = COUNT_MASK;

export interface MppeSettings {
  /** From `mppe-keys.ts`: 8 octets for 40 and 56 bit, 16 for 128. */
  readonly startKey: Uint8Array;
  readonly strength: MppeStrength;
  /** As CCP negotiated it: a new key for every packet, or for every 256th. */
  readonly stateless: boolean;
}

export interface MppeReceiverSettings extends MppeSettings {
  /**
   * Stateful only. What the peer does to its key when it sets FLUSHED after our Reset-Request: Linux changes it, while
   * §8.2 only starts RC4 over with the current key (FreeBSD). Nothing in the packet tells which.
   */
  readonly rekeyOnFlush: boolean;
  /** Key changes one call of `decrypt` may spend; what is left of a long gap waits for the next packets. Default 256, about 1 ms. */
  readonly maxRekeys?: number;
}

export type MppeFault =
  /** Too short for the header and one octet. */
  | "short"
  /** D is clear. Never let such a packet pass: it is how encryption gets stripped (§9). */
  | "not-encrypted"
  /** A is clear in stateless mode. */
  | "flush-missing"
  /** A duplicate, or older than the newest packet: its key is gone. */
  | "late"
  /** So much was lost that the keys are still catching up; the packets after this one go on with it. */
  | "catching-up"
  /** Stateful: a packet before this one was lost, and `needsReset` has become true. */
  | "gap"
  /** Stateful: no packet can be read until one with FLUSHED comes. */
  | "awaiting-flush";

/** Encrypts what we send. */
export class MppeSender {
  readonly #key: MppeSessionKey;
  readonly #stateless: boolean;
  #next = 0;
  #flush = false;

  /** Throws `RangeError` when the start key does not fit the strength. */
  constructor({ startKey, strength, stateless }: MppeSettings) {
    this.#key = new MppeSessionKey(startKey, strength);
    this.#stateless = stateless;
  }

  /** Whether the next packet will carry FLUSHED: MPPC must know before it compresses. */
  get flushesNext(): boolean {
    return this.#stateless || this.#flush || isFlagPacket(this.#next);
  }

  /**
   * Encrypts `buffer[start..end)`, which begins with the inner protocol field, and writes the header into the two
   * octets of headroom before it. Returns the new start. `mppcFlags`: what `MppcCompressor` says about this packet.
   */
  encrypt(buffer: Buffer, start: number, end: number, mppcFlags = 0): number {
    if (!this.#stateless && (this.#flush || (mppcFlags & FLUSHED) !== 0)) this.#next |= FLAG_PERIOD - 1;
    const flushed = this.#stateless || isFlagPacket(this.#next);
    if (flushed) {
      this.#key.change();
      this.#key.initialize();
    }
    this.#flush = false;
    this.#key.crypt(buffer, start, end);

    const at = start - MPPE_HEADER_BYTES;
    buffer.writeUInt16BE((flushed ? FLUSHED : 0) | mppcFlags | ENCRYPTED | this.#next, at);
    this.#next = (this.#next + 1) & COUNT_MASK;
    return at;
  }

  /**
   * The peer sent a CCP Reset-Request: makes the next packet one it can read whatever it missed. (Its Reset-Ack is
   * CCP's affair; §8.2 does without, RFC 1962 §3.1 wants one.)
   *
   * §8.2 would start RC4 over with the current key, which encrypts two packets with the same octets (§9); Linux changes
   * the key instead, and loses the peer for good when that one packet is lost. We skip the coherency count to the next
   * flag packet: there every implementation changes its key exactly once, and counts the changes it missed.
   */
  flush(): void {
    this.#flush = true;
  }
}

/** Decrypts what the peer sends. */
export class MppeReceiver {
  readonly #key: MppeSessionKey;
  readonly #stateless: boolean;
  readonly #rekeyOnFlush: boolean;
  readonly #maxRekeys: number;
  /** The count the key belongs to: that of the newest packet, or of the point reached while catching up. */
  #last = NEVER;
  /** Packets known to be lost after `#last`. */
  #lost = 0;
  #awaitingFlush = false;

  /** Throws `RangeError` when the start key does not fit the strength. */
  constructor({ startKey, strength, stateless, rekeyOnFlush, maxRekeys = 256 }: MppeReceiverSettings) {
    this.#key = new MppeSessionKey(startKey, strength);
    this.#stateless = stateless;
    this.#rekeyOnFlush = rekeyOnFlush;
    this.#maxRekeys = maxRekeys;
  }

  /** Whether only a FLUSHED packet can be read: send a CCP Reset-Request, and repeat it while this holds. */
  get needsReset(): boolean {
    return this.#awaitingFlush;
  }

  /**
   * Decrypts the packet whose MPPE header is at `start`: on success, `buffer[start + MPPE_HEADER_BYTES..end)` holds the
   * frame, beginning with its protocol field. Otherwise says why it must be dropped, and the buffer is as it was.
   *
   * `lostBefore`: packets that GRE has given up between this one and the one before, if known. The coherency count alone
   * is ambiguous once 2048 packets in a row are lost, and silent when it is 4096.
   */
  decrypt(buffer: Buffer, start: number, end: number, lostBefore = 0): MppeFault | undefined {
    this.#lost += lostBefore;
    if (end - start <= MPPE_HEADER_BYTES) return "short";
    const header = buffer.readUInt16BE(start);
    const flushed = (header & FLUSHED) !== 0;
    if ((header & ENCRYPTED) === 0) return "not-encrypted";
    if (this.#stateless && !flushed) return "flush-missing";

    const distance = this.#distanceTo(header & COUNT_MASK);
    if (distance === 0) return "late";
    if (!this.#advance(distance)) {
      this.#awaitingFlush = !this.#stateless;
      return "catching-up";
    }
    if (this.#stateless) this.#key.initialize();
    else {
      const fault = this.#followTables(distance, flushed);
      if (fault !== undefined) return fault;
    }
    this.#key.crypt(buffer, start + MPPE_HEADER_BYTES, end);
    return undefined;
  }

  /** How many packets after `#last` the one with this count was sent, or 0 when it was not sent after it. */
  #distanceTo(count: number): number {
    const distance = (count - this.#last) & COUNT_MASK;
    // Each lost GRE packet carried at most one MPPE packet; less when it was LCP. So the largest distance that fits.
    const turns = Math.floor((this.#lost + 1 - distance) / COUNTS);
    if (turns >= 0) return distance + turns * COUNTS;
    // A sender may also drop between MPPE and GRE, so a count further ahead than GRE knows of is no contradiction.
    return distance <= AMBIGUOUS ? distance : 0;
  }

  /** §8.1 and §8.2: the key changes of `distance` packets. False when `maxRekeys` ended it early. */
  #advance(distance: number): boolean {
    const period = this.#stateless ? 1 : FLAG_PERIOD;
    const step = Math.min(distance, this.#maxRekeys * period);
    const changes = Math.floor((((this.#last + 1) % period) + step) / period);
    for (let i = 0; i < changes; i++) this.#key.change();
    this.#last = (this.#last + step) & COUNT_MASK;
    this.#lost = distance - step;
    return step === distance;
  }

  /** §8.2: brings the RC4 tables to where the sender's were, or says why that is impossible. */
  #followTables(distance: number, flushed: boolean): MppeFault | undefined {
    const flag = isFlagPacket(this.#last);
    if (flushed) {
      if (this.#rekeyOnFlush && !flag) this.#key.change();
      this.#awaitingFlush = false;
    } else if (this.#awaitingFlush) return "awaiting-flush";
    else if (distance > 1) {
      this.#awaitingFlush = true;
      return "gap";
    }
    if (flushed || flag) this.#key.initialize();
    return undefined;
  }
}

function isFlagPacket(count: number): boolean {
  return count % FLAG_PERIOD === FLAG_PERIOD - 1;
}
