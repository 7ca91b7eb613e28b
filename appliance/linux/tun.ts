/** One TUN interface over the addon: a batch of packets per wake-up, each in a slot with headroom. */
import type { Addon, TunHandle } from "../native/addon.ts";
import type { Tun } from "../ports.ts";
import { systemCall } from "./system-call.ts";

/** Room for the GRE, PPP and MPPE headers (at most 16 + 4 + 4 bytes) in front of a packet. */
const HEADROOM_BYTES = 64;
/** One wake-up fills at most half a GRE batch; the arena of a tunnel stays below 50 kB. */
const SLOTS = 32;

export class KernelTun implements Tun {
  readonly name: string;
  readonly #addon: Addon;
  readonly #handle: TunHandle;
  readonly #slotBytes: number;
  readonly #arena: Buffer;
  readonly #slots: readonly Buffer[];
  readonly #starts = new Uint32Array(SLOTS);
  readonly #ends = new Uint32Array(SLOTS);
  #closed = false;

  /** `mtu`: the largest packet that will ever be read. */
  constructor(addon: Addon, handle: TunHandle, name: string, mtu: number) {
    this.#addon = addon;
    this.#handle = handle;
    this.name = name;
    this.#slotBytes = HEADROOM_BYTES + mtu;
    this.#arena = Buffer.alloc(SLOTS * this.#slotBytes);
    this.#slots = Array.from({ length: SLOTS }, (_, i) =>
      this.#arena.subarray(i * this.#slotBytes, (i + 1) * this.#slotBytes),
    );
  }

  receive(each: (slot: Buffer, start: number, end: number) => void): void {
    if (this.#closed) return;
    const count = systemCall(() =>
      this.#addon.tunRead(this.#handle, this.#arena, this.#slotBytes, HEADROOM_BYTES, this.#starts, this.#ends),
    );
    this.#slots.slice(0, count).forEach((slot, i) => {
      const base = i * this.#slotBytes;
      each(slot, (this.#starts[i] ?? 0) - base, (this.#ends[i] ?? 0) - base);
    });
  }

  write(packet: Buffer): void {
    if (!this.#closed) systemCall(() => this.#addon.tunWrite(this.#handle, packet));
  }

  close(): void {
    this.#closed = true;
    this.#addon.close(this.#handle);
  }
}
