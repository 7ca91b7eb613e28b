/**
 * MPPC, RFC 2118: compression against the last 8192 octets, one class per direction.
 *
 * With MPPE, both share one header and one coherency count, and MPPC is the inner of the two (RFC 3078 §3.1):
 *
 *     end = compressor.compress(buffer, start, end, sender.flushesNext);
 *     start = sender.encrypt(buffer, start, end, compressor.flags);
 *
 *     fault = receiver.decrypt(buffer, start, end, lostBefore);
 *     frame = fault ?? decompressor.decompress(buffer, start, end);
 *
 * A bit A from either means both: MPPE sets it on a flag packet, when stateless and after its `flush`, MPPC after data
 * that did not shrink. Without MPPE, `writeHeader` stands in for `encrypt`, and a CCP Reset-Request goes to our `flush`.
 */
import { BitReader, BitWriter } from "./mppc-bits.ts";
import { AT_FRONT, COMPRESSED, FLUSHED } from "./mppe.ts";

export const MPPC_HEADER_BYTES = 2;
const HISTORY_BYTES = 8192;
const COUNT_MASK = 0x0fff;
/** Further ahead than this is behind. */
const AMBIGUOUS = (COUNT_MASK + 1) / 2;
/** No copy is shorter (§4.2.2), so matches are found by the first three octets. */
const MIN_MATCH = 3;
/** log2 of the highest power of two a length reaches. */
const MAX_LENGTH_BITS = 12;
const HASH_BITS = 12;

/** §4.2.1 Offset Encoding: `1111` and 6 bits, `1110` and 8 bits, `110` and 13 bits. */
const NEAR = 64;
const FAR = 320;

export type MppcFault =
  /** Nothing after the header. */
  | "short"
  /** A packet before this one was lost, and `needsReset` has become true. */
  | "gap"
  /** A duplicate, or older than the newest packet. */
  | "late"
  /** No packet can be read until one with FLUSHED comes. */
  | "awaiting-flush"
  /** The data ends inside a code. */
  | "truncated"
  /** A copy from nowhere: offset 0, or more than the history holds. */
  | "bad-offset"
  /** A length of match that has no code. */
  | "bad-length"
  /** More data than fits the history behind its pointer. */
  | "overflow";

/** Compresses what we send. */
export class MppcCompressor {
  readonly #stateless: boolean;
  readonly #history = Buffer.alloc(HISTORY_BYTES);
  /** By hash of three octets: where they began last, plus one. */
  readonly #begins = new Uint16Array(1 << HASH_BITS);
  #position = 0;
  #flush = false;
  /** The history was emptied after data that did not shrink: the next compressed packet says so. */
  #emptied = false;
  #flags = 0;
  #next = 0;

  /** `stateless` as CCP negotiated it: every packet is compressed against itself alone. */
  constructor(stateless: boolean) {
    this.#stateless = stateless;
  }

  /** Bits A, B and C of the packet last compressed. */
  get flags(): number {
    return this.#flags;
  }

  /** On a link without MPPE, the peer sent a CCP Reset-Request (§4.3): the next packet starts with an empty history. */
  flush(): void {
    this.#flush = true;
  }

  /**
   * Compresses `buffer[start..end)`, which begins with the protocol field, in place and returns the new end. Data that
   * would grow stays as it was, to be sent with bit C clear. `flushed`: the header will carry bit A in any case.
   */
  compress(buffer: Buffer, start: number, end: number, flushed = false): number {
    const length = end - start;
    const bitA = this.#stateless || this.#flush || flushed;
    this.#flush = false;
    if (bitA || this.#position + length > HISTORY_BYTES) this.#restart();
    const bitB = this.#position === 0;

    const compressedEnd = length <= HISTORY_BYTES ? this.#encode(buffer, start, end) : undefined;
    if (compressedEnd === undefined) {
      this.#restart();
      this.#emptied = true;
      this.#flags = bitA ? FLUSHED : 0;
      return end;
    }
    this.#flags = (bitA || this.#emptied ? FLUSHED : 0) | (bitB ? AT_FRONT : 0) | COMPRESSED;
    this.#emptied = false;
    return compressedEnd;
  }

  /** For a link without MPPE: writes the header of the packet last compressed before `start`; returns the new start. */
  writeHeader(buffer: Buffer, start: number): number {
    buffer.writeUInt16BE(this.#flags | this.#next, start - MPPC_HEADER_BYTES);
    this.#next = (this.#next + 1) & COUNT_MASK;
    return start - MPPC_HEADER_BYTES;
  }

  /** Back to the front. What the history held is never referred to again: there are decompressors that forget it (§3.1). */
  #restart(): void {
    this.#position = 0;
    this.#begins.fill(0);
  }

  /** Undefined, and `buffer` as it was, when the result would be longer. The history keeps a copy to read from. */
  #encode(buffer: Buffer, start: number, end: number): number | undefined {
    const history = this.#history;
    const from = this.#position;
    const to = from + end - start;
    buffer.copy(history, from, start, end);
    const out = new BitWriter(buffer, start, end);
    for (let at = from; at < to && !out.full; ) {
      const match = this.#recall(at, to);
      const length = match === undefined ? 0 : matchLength(history, match, at, to);
      if (match === undefined || length < MIN_MATCH) {
        putLiteral(out, history[at++] as number);
        continue;
      }
      putOffset(out, at - match);
      putLength(out, length);
      for (let i = 1; i < length; i++) this.#recall(at + i, to);
      at += length;
    }
    const compressedEnd = out.finish();
    if (out.full) {
      history.copy(buffer, start, from, to);
      return undefined;
    }
    this.#position = to;
    return compressedEnd;
  }

  /** Where octets of the same hash as the three at `at` began last, if they did; from now on, that is `at`. */
  #recall(at: number, to: number): number | undefined {
    if (at + MIN_MATCH > to) return undefined;
    const history = this.#history;
    const three = ((history[at] as number) << 16) | ((history[at + 1] as number) << 8) | (history[at + 2] as number);
    const hash = Math.imul(three, 0x9e3779b1) >>> (32 - HASH_BITS);
    const before = this.#begins[hash] as number;
    this.#begins[hash] = at + 1;
    return before === 0 ? undefined : before - 1;
  }
}

/** Decompresses what the peer sends. */
export class MppcDecompressor {
  readonly #history = Buffer.alloc(HISTORY_BYTES);
  #position = 0;
  #last = COUNT_MASK;
  #awaitingFlush = false;

  /** Whether only a FLUSHED packet can be read: send a CCP Reset-Request, and repeat it while this holds. */
  get needsReset(): boolean {
    return this.#awaitingFlush;
  }

  /**
   * Returns the frame, beginning with its protocol field, of the packet whose header is at `start`, or why it must be
   * dropped. The frame is a loan: a view into the history or into `buffer`, valid until the next call.
   */
  decompress(buffer: Buffer, start: number, end: number): Buffer | MppcFault {
    if (end - start <= MPPC_HEADER_BYTES) return "short";
    const header = buffer.readUInt16BE(start);
    const fault = this.#follow(header);
    if (fault !== undefined) return fault;
    if ((header & COMPRESSED) === 0) return buffer.subarray(start + MPPC_HEADER_BYTES, end);

    const from = this.#position;
    const to = this.#decode(new BitReader(buffer, start + MPPC_HEADER_BYTES, end));
    if (typeof to === "string") {
      this.#awaitingFlush = true;
      return to;
    }
    this.#position = to;
    return this.#history.subarray(from, to);
  }

  /** §3.1 and §4.3: the coherency count and bits A and B. */
  #follow(header: number): MppcFault | undefined {
    const count = header & COUNT_MASK;
    const distance = (count - this.#last) & COUNT_MASK;
    if ((header & FLUSHED) !== 0) {
      this.#history.fill(0);
      this.#position = 0;
      this.#awaitingFlush = false;
    } else if (distance === 0 || distance > AMBIGUOUS) return "late";
    else if (this.#awaitingFlush) {
      this.#last = count;
      return "awaiting-flush";
    } else if (distance > 1) {
      this.#last = count;
      this.#awaitingFlush = true;
      return "gap";
    }
    this.#last = count;
    if ((header & AT_FRONT) !== 0) this.#position = 0;
    return undefined;
  }

  /** Returns the new end of the history. The work is bounded by it: each code adds at least one octet. */
  #decode(bits: BitReader): number | MppcFault {
    const history = this.#history;
    let at = this.#position;
    // No code is shorter than eight bits; what is left then is padding.
    while (bits.left >= 8) {
      const first = bits.take(1);
      if (first === 0 || bits.take(1) === 0) {
        const octet = (first << 7) | bits.take(7);
        if (bits.short) return "truncated";
        if (at === HISTORY_BYTES) return "overflow";
        history[at++] = octet;
        continue;
      }
      const offset = takeOffset(bits);
      const length = takeLength(bits);
      if (bits.short) return "truncated";
      if (offset === 0 || offset >= HISTORY_BYTES) return "bad-offset";
      if (length === undefined) return "bad-length";
      if (at + length > HISTORY_BYTES) return "overflow";
      // Behind the front lie the octets from before the pointer went back to it. A copy may overlap what it writes.
      for (let i = 0; i < length; i++, at++) history[at] = history[(at - offset) & (HISTORY_BYTES - 1)] as number;
    }
    return at;
  }
}

function matchLength(history: Buffer, match: number, at: number, to: number): number {
  let length = 0;
  while (at + length < to && history[match + length] === history[at + length]) length++;
  return length;
}

/** §4.1 Literal Encoding. */
function putLiteral(out: BitWriter, octet: number): void {
  if (octet < 0x80) out.put(octet, 8);
  else out.put(0x100 | (octet & 0x7f), 9);
}

/** §4.2.1 */
function putOffset(out: BitWriter, offset: number): void {
  if (offset < NEAR) out.put((0b1111 << 6) | offset, 10);
  else if (offset < FAR) out.put((0b1110 << 8) | (offset - NEAR), 12);
  else out.put((0b110 << 13) | (offset - FAR), 16);
}

/** Reads on after the `11` that every offset begins with. */
function takeOffset(bits: BitReader): number {
  if (bits.take(1) === 0) return bits.take(13) + FAR;
  return bits.take(1) === 0 ? bits.take(8) + NEAR : bits.take(6);
}

/** §4.2.2: `0` for 3; else, for 2^k and more, k − 1 ones, a zero, and the k bits below the highest. */
function putLength(out: BitWriter, length: number): void {
  if (length === MIN_MATCH) {
    out.put(0, 1);
    return;
  }
  const k = 31 - Math.clz32(length);
  out.put((1 << k) - 2, k);
  out.put(length - (1 << k), k);
}

function takeLength(bits: BitReader): number | undefined {
  let k = 1;
  while (bits.take(1) === 1) if (++k > MAX_LENGTH_BITS) return undefined;
  return k === 1 ? MIN_MATCH : (1 << k) + bits.take(k);
}
