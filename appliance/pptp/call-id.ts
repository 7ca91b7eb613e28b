/** Call IDs: RFC 2637 §2.7 "unique identifier … assigned by the PNS", one space for all peers of this device. */
import type { Random } from "../ports.ts";

/** The Call ID *we* chose: it stands in the GRE packets we receive. */
export type LocalCallId = number & { readonly localCallId: true };
export function LocalCallId(value: number): LocalCallId {
  return value as LocalCallId;
}

/** The Call ID the *peer* chose: it stands in the GRE packets we send. Poptop and Windows 2000 choose 0. */
export type PeerCallId = number & { readonly peerCallId: true };
export function PeerCallId(value: number): PeerCallId {
  return value as PeerCallId;
}

/** A released id rests this many allocations: late packets of the old call, and a NAT's memory of it, must not reach a new one. */
const RESTING = 1024;

/** Random, so that nobody off the path can guess one; never 0, which some NATs take for none. */
export class CallIds {
  readonly #random: Random;
  readonly #taken = new Set<LocalCallId>();
  readonly #resting: LocalCallId[] = [];
  #first: number | undefined;

  /** `first`: the id of the first call, where it is not random (Windows 2000 chose 0). */
  constructor(random: Random, first?: number) {
    this.#random = random;
    this.#first = first;
  }

  /** `undefined` when all ids are taken. */
  allocate(): LocalCallId | undefined {
    if (this.#first !== undefined) {
      const id = LocalCallId(this.#first);
      this.#first = undefined;
      this.#taken.add(id);
      return id;
    }
    const first = this.#random.bytes(2).readUInt16BE();
    for (let step = 0; step <= 0xffff; step++) {
      const id = LocalCallId((first + step) & 0xffff);
      if (id === 0 || this.#taken.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
    return undefined;
  }

  release(id: LocalCallId): void {
    if (!this.#taken.has(id) || this.#resting.includes(id)) return;
    this.#resting.push(id);
    const rested = this.#resting.length > RESTING ? this.#resting.shift() : undefined;
    if (rested !== undefined) this.#taken.delete(rested);
  }
}
