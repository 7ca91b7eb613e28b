/** UDP between hosts in memory: what is sent arrives once, in microtasks, or not at all where nobody listens. */
import { type DatagramTransport, SystemError } from "../../appliance/ports.ts";
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";

type Received = Parameters<DatagramTransport["open"]>[1];

const FIRST_EPHEMERAL_PORT = 49_152;

export class FakeDatagramNet {
  readonly #sockets = new Map<string, Received>();
  #nextPort = FIRST_EPHEMERAL_PORT;
  /** Sees each datagram before it arrives; false loses it. */
  wire: (from: Ipv4, to: Ipv4, bytes: Buffer) => boolean = () => true;

  /** A host that has this one address. */
  host(address: Ipv4): DatagramTransport {
    return {
      open: (wanted, received, failed) => {
        const port = wanted ?? this.#nextPort++;
        const place = `${address}:${port}`;
        if (this.#sockets.has(place)) {
          queueMicrotask(() => failed(new SystemError(`listen on UDP port ${port}`, "EADDRINUSE")));
          return { send() {}, close() {} };
        }
        this.#sockets.set(place, received);
        return {
          send: (to, toPort, bytes) => {
            const copy = Buffer.from(bytes);
            queueMicrotask(() => {
              if (this.wire(address, to, copy)) this.#sockets.get(`${to}:${toPort}`)?.(address, port, copy);
            });
          },
          close: () => void this.#sockets.delete(place),
        };
      },
    };
  }
}
