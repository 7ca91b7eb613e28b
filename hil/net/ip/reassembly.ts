/** Puts fragments together again: RFC 791 §3.2. Overlapping fragments are never sent in good faith: RFC 5722 drops them, so do we. */
import type { LabClock } from "../../clock.ts";
import { type Ipv4Packet, isFragment } from "./packet.ts";

/** Linux: net.ipv4.ipfrag_time. */
const TIMEOUT_MS = 30_000;
const PACKETS_AT_ONCE = 64;
const LONGEST_PAYLOAD = 65_535 - 20;

interface Pending {
  /** By place, without gaps known so far. */
  readonly pieces: Map<number, Ipv4Packet>;
  end: number | undefined;
  readonly forget: () => void;
}

export class Reassembler {
  readonly #clock: LabClock;
  readonly #pending = new Map<string, Pending>();

  constructor(clock: LabClock) {
    this.#clock = clock;
  }

  /** The whole packet as soon as its last piece is there, and a packet that is whole at once. */
  add(packet: Ipv4Packet): Ipv4Packet | undefined {
    if (!isFragment(packet)) return packet;
    const { source, destination, protocol, identification, fragmentOffset, payload } = packet;
    const key = `${source}>${destination}/${protocol}/${identification}`;
    const pending = this.#pending.get(key) ?? this.#begin(key);
    const end = fragmentOffset + payload.length;
    const isBad =
      end > LONGEST_PAYLOAD ||
      payload.length === 0 ||
      (packet.moreFragments && payload.length % 8 !== 0) ||
      (pending.end !== undefined && end > pending.end);
    if (isBad) return this.#forget(key);
    // The piece is a view into a frame that its sender may reuse.
    if (!pending.pieces.has(fragmentOffset)) {
      pending.pieces.set(fragmentOffset, { ...packet, payload: Buffer.from(payload) });
    }
    if (!packet.moreFragments) pending.end = end;
    return this.#whole(key, pending);
  }

  /** What is not whole is lost. */
  close(): void {
    for (const key of [...this.#pending.keys()]) this.#forget(key);
  }

  #begin(key: string): Pending {
    const [oldest] = this.#pending.keys();
    if (this.#pending.size >= PACKETS_AT_ONCE && oldest !== undefined) this.#forget(oldest);
    const forget = this.#clock.after(TIMEOUT_MS, () => void this.#pending.delete(key));
    const pending: Pending = { pieces: new Map(), end: undefined, forget };
    this.#pending.set(key, pending);
    return pending;
  }

  #whole(key: string, { pieces, end }: Pending): Ipv4Packet | undefined {
    if (end === undefined) return undefined;
    const sorted = [...pieces.values()].sort((a, b) => a.fragmentOffset - b.fragmentOffset);
    let at = 0;
    for (const piece of sorted) {
      if (piece.fragmentOffset > at) return undefined; // one is missing
      if (piece.fragmentOffset < at) return this.#forget(key); // they overlap
      at += piece.payload.length;
    }
    const [first] = sorted;
    this.#forget(key);
    if (first === undefined || at !== end) return undefined;
    const payload = Buffer.concat(sorted.map((piece) => piece.payload));
    return { ...first, payload, fragmentOffset: 0, moreFragments: false };
  }

  #forget(key: string): undefined {
    this.#pending.get(key)?.forget();
    this.#pending.delete(key);
  }
}
