/** TCP between hosts in memory: what a host writes arrives in order, in microtasks. */
import {
  type ControlSocket,
  type ControlSocketEvents,
  type ControlTransport,
  SystemError,
} from "../../appliance/ports.ts";
import { formatIpv4, type Ipv4 } from "../../appliance/wire/ipv4.ts";

type Accept = (socket: ControlSocket) => ControlSocketEvents | undefined;

export class FakeControlNet {
  readonly #listeners = new Map<string, Accept>();

  /** A host that has this one address. */
  host(address: Ipv4): ControlTransport {
    return {
      listen: (port, accept, failed) => {
        const place = `${address}:${port}`;
        if (this.#listeners.has(place)) {
          queueMicrotask(() => failed(new SystemError(`listen on TCP port ${port}`, "EADDRINUSE")));
          return { close() {} };
        }
        this.#listeners.set(place, accept);
        return { close: () => void this.#listeners.delete(place) };
      },
      connect: (peer, port, connected, failed) => {
        let wanted = true;
        const client = new FakeControlSocket(address, peer);
        queueMicrotask(() => {
          if (!wanted) return;
          const accept = this.#listeners.get(`${peer}:${port}`);
          if (accept === undefined) {
            failed(new SystemError(`connect to ${formatIpv4(peer)} port ${port}`, "ECONNREFUSED"));
            return;
          }
          const server = new FakeControlSocket(peer, address);
          client.join(server);
          server.join(client);
          client.events = connected(client);
          server.events = accept(server);
          if (server.events === undefined) client.close("ECONNRESET");
        });
        return {
          abort() {
            wanted = false;
            client.destroy();
          },
        };
      },
    };
  }
}

class FakeControlSocket implements ControlSocket {
  readonly local: Ipv4;
  readonly peer: Ipv4;
  events: ControlSocketEvents | undefined;
  #far: FakeControlSocket | undefined;
  #writable = true;
  #closed = false;

  constructor(local: Ipv4, peer: Ipv4) {
    this.local = local;
    this.peer = peer;
  }
  join(far: FakeControlSocket): void {
    this.#far = far;
  }
  write(bytes: Buffer): void {
    if (!this.#writable) return;
    const copy = Buffer.from(bytes);
    queueMicrotask(() => this.#far?.arrive(copy));
  }
  end(): void {
    if (!this.#writable) return;
    this.#writable = false;
    // Nobody sends half-closed: the far end answers our FIN with its own.
    queueMicrotask(() => {
      this.#far?.close(undefined);
      this.close(undefined);
    });
  }
  destroy(): void {
    this.#writable = false;
    this.close(undefined);
    queueMicrotask(() => this.#far?.close(undefined));
  }
  arrive(bytes: Buffer): void {
    if (!this.#closed) this.events?.data(bytes);
  }
  close(reason: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#writable = false;
    queueMicrotask(() => this.events?.closed(reason));
  }
}
