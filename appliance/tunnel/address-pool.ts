/** The addresses a server hands out: one per session, the least recently used first, so that a returning peer's old connections do not meet a stranger. */
import { Ipv4 } from "../wire/ipv4.ts";

export class AddressPool {
  #free: Ipv4[] = [];
  #range: { readonly start: Ipv4; readonly count: number } = { start: Ipv4(0), count: 0 };
  readonly #taken = new Set<Ipv4>();
  #reserved: ReadonlySet<Ipv4> = new Set();

  /** A new range. Addresses in use stay with their sessions, inside the new range or not. */
  resize(range: { readonly start: Ipv4; readonly count: number }): void {
    if (range.start === this.#range.start && range.count === this.#range.count) return;
    this.#range = range;
    this.#free = Array.from({ length: range.count }, (_, index) => Ipv4(range.start + index));
  }

  /** Accounts' own addresses: nobody else gets them, whether their owners are connected or not. */
  reserve(addresses: Iterable<Ipv4>): void {
    this.#reserved = new Set(addresses);
  }

  get size(): number {
    return this.#range.count;
  }
  get taken(): number {
    return this.#taken.size;
  }

  /** `fixed` is an account's own address. `undefined`: it is in use, or the pool is empty. */
  take(fixed: Ipv4 | undefined): Ipv4 | undefined {
    const isFree = (candidate: Ipv4) => !this.#taken.has(candidate) && !this.#reserved.has(candidate);
    const address = fixed ?? this.#free.find(isFree);
    if (address === undefined || this.#taken.has(address)) return undefined;
    this.#taken.add(address);
    return address;
  }

  release(address: Ipv4): void {
    if (!this.#taken.delete(address)) return;
    const at = this.#free.indexOf(address);
    if (at >= 0) this.#free.push(...this.#free.splice(at, 1));
  }
}
