/** Protocol 47 between hosts in memory: a packet reaches every socket of the host that owns its destination address. */
import type { GreSocket, GreTransport } from "../../appliance/ports.ts";
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";

interface Sent {
  readonly local: Ipv4;
  readonly peer: Ipv4;
  readonly packet: Buffer;
}

export class FakeGreNet {
  readonly #sockets: { readonly addresses: readonly Ipv4[]; readonly socket: FakeGreSocket }[] = [];

  /** A host with these addresses. Packets travel in microtasks, as a kernel delivers behind the sender's back. */
  host(...addresses: readonly Ipv4[]): GreTransport {
    return {
      open: (onReadable) => {
        const socket = new FakeGreSocket(onReadable, (sent) => {
          // The kernel refuses a source address that is not its own.
          if (!addresses.includes(sent.local)) return;
          for (const each of this.#sockets)
            if (each.addresses.includes(sent.peer)) each.socket.deliver(sent.local, sent.packet);
        });
        this.#sockets.push({ addresses, socket });
        return socket;
      },
    };
  }
}

class FakeGreSocket implements GreSocket {
  readonly #onReadable: () => void;
  readonly #transmit: (sent: Sent) => void;
  #queue: Sent[] = [];
  #arrived: { peer: Ipv4; packet: Buffer }[] = [];
  #open = true;

  constructor(onReadable: () => void, transmit: (sent: Sent) => void) {
    this.#onReadable = onReadable;
    this.#transmit = transmit;
  }

  deliver(peer: Ipv4, packet: Buffer): void {
    if (!this.#open) return;
    this.#arrived.push({ peer, packet: Buffer.from(packet) });
    if (this.#arrived.length === 1) queueMicrotask(() => this.#wake());
  }
  receive(each: (peer: Ipv4, packet: Buffer) => void): void {
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const { peer, packet } of arrived) each(peer, packet);
  }
  send(local: Ipv4, peer: Ipv4, packet: Buffer): void {
    if (this.#open) this.#queue.push({ local, peer, packet });
  }
  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const sent of queue) this.#transmit(sent);
  }
  close(): void {
    this.#open = false;
    this.#queue = [];
    this.#arrived = [];
  }
  #wake(): void {
    if (this.#open && this.#arrived.length > 0) this.#onReadable();
  }
}
