/** The raw GRE socket over the addon: batches of packets both ways. */
import { type Addon, BATCH, type GreHandle } from "../native/addon.ts";
import type { GreSocket, GreTransport } from "../ports.ts";
import { Ipv4 } from "../wire/ipv4.ts";
import { systemCall } from "./system-call.ts";

/** Holds any packet whose inner MTU is at most 1500, with room for peers that take liberties. Larger ones are dropped. */
const SLOT_BYTES = 2048;
/** About 2 500 full packets: what comes in while JavaScript is busy for 30 ms at 1 Gbit/s. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** Batches taken per wake-up, so that timers and control connections get their turn under load. */
const BATCHES_PER_TURN = 4;

export function greTransport(addon: Addon): GreTransport {
  return {
    open(onReadable) {
      const handle = systemCall(() => addon.greOpen(RECEIVE_BUFFER_BYTES), "open raw GRE socket");
      const socket = new RawGreSocket(addon, handle);
      systemCall(() => addon.watch(handle, onReadable));
      return socket;
    },
  };
}

class RawGreSocket implements GreSocket {
  readonly #addon: Addon;
  readonly #handle: GreHandle;
  readonly #arena = Buffer.alloc(BATCH * SLOT_BYTES);
  readonly #starts = new Uint32Array(BATCH);
  readonly #ends = new Uint32Array(BATCH);
  readonly #sources = new Uint32Array(BATCH);
  readonly #queue: Buffer[] = [];
  readonly #locals = new Uint32Array(BATCH);
  readonly #peers = new Uint32Array(BATCH);
  #closed = false;

  constructor(addon: Addon, handle: GreHandle) {
    this.#addon = addon;
    this.#handle = handle;
  }

  receive(each: (peer: Ipv4, packet: Buffer) => void): void {
    for (let turn = 0; turn < BATCHES_PER_TURN && !this.#closed; turn++) {
      const count = systemCall(() =>
        this.#addon.greReceive(this.#handle, this.#arena, SLOT_BYTES, this.#starts, this.#ends, this.#sources),
      );
      for (let i = 0; i < count; i++) {
        const packet = this.#arena.subarray(this.#starts[i], this.#ends[i]);
        if (packet.length > 0) each(Ipv4(this.#sources[i] ?? 0), packet);
      }
      if (count < BATCH) return;
    }
  }

  send(local: Ipv4, peer: Ipv4, packet: Buffer): void {
    this.#locals[this.#queue.length] = local;
    this.#peers[this.#queue.length] = peer;
    if (this.#queue.push(packet) === BATCH) this.flush();
  }

  flush(): void {
    const count = this.#queue.length;
    if (count === 0 || this.#closed) return;
    try {
      systemCall(() => this.#addon.greSend(this.#handle, count, this.#queue, this.#locals, this.#peers));
    } finally {
      this.#queue.length = 0;
    }
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    this.#addon.close(this.#handle);
  }
}
