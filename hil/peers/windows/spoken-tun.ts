/** A tunnel's interface into which this process can put packets of its own, as if the kernel had sent them. */
import { HEADROOM_BYTES } from "../../../appliance/dataplane/user-space.ts";
import type { Tun } from "../../../appliance/ports.ts";

export class SpokenTun implements Tun {
  readonly name: string;
  readonly #tun: Tun;
  #spoken: Buffer[] = [];

  constructor(tun: Tun) {
    this.#tun = tun;
    this.name = tun.name;
  }

  /** Queues an IP packet: the next `receive` delivers it. */
  say(packet: Buffer): void {
    this.#spoken.push(packet);
  }

  receive(each: (slot: Buffer, start: number, end: number) => void): void {
    for (const packet of this.#spoken.splice(0)) {
      const slot = Buffer.alloc(HEADROOM_BYTES + packet.length);
      packet.copy(slot, HEADROOM_BYTES);
      each(slot, HEADROOM_BYTES, slot.length);
    }
    this.#tun.receive(each);
  }
  write(packet: Buffer): void {
    this.#tun.write(packet);
  }
  close(): void {
    this.#spoken = [];
    this.#tun.close();
  }
}
