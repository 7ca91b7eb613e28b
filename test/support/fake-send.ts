/** Sockets in memory: what was sent where, and what a test lets come back. */
import type { SendStream, SendTransport, SystemError, UdpSocket, UdpTransport } from "../../appliance/ports.ts";

interface Sent {
  readonly host: string;
  readonly port: number;
  readonly bytes: Buffer;
}

export class FakeUdp implements UdpTransport {
  readonly sent: Sent[] = [];
  readonly #open = new Set<{ received(bytes: Buffer): void; failed(error: SystemError): void }>();

  get openSockets(): number {
    return this.#open.size;
  }
  open(events: { received(bytes: Buffer): void; failed(error: SystemError): void }): UdpSocket {
    this.#open.add(events);
    return {
      send: (host, port, bytes) => void this.sent.push({ host, port, bytes }),
      close: () => void this.#open.delete(events),
    };
  }
  /** To every open socket. */
  receive(bytes: Buffer): void {
    for (const events of [...this.#open]) events.received(bytes);
  }
  fail(error: SystemError): void {
    for (const events of [...this.#open]) events.failed(error);
  }
}

export class FakeStream implements SendStream {
  readonly host: string;
  readonly port: number;
  readonly sent: Buffer[] = [];
  readonly #events: { up(): void; down(reason: string): void };
  isOpen = true;

  constructor(host: string, port: number, events: { up(): void; down(reason: string): void }) {
    this.host = host;
    this.port = port;
    this.#events = events;
  }
  send(bytes: Buffer): void {
    this.sent.push(bytes);
  }
  close(): void {
    this.isOpen = false;
  }
  up(): void {
    this.#events.up();
  }
  down(reason: string): void {
    this.isOpen = false;
    this.#events.down(reason);
  }
}

export class FakeSend implements SendTransport {
  readonly streams: FakeStream[] = [];
  /** Connections stand by themselves; else the test says when. */
  atOnce = false;
  /** Nobody listens at this port. */
  refusing: number | undefined;

  connect(host: string, port: number, events: { up(): void; down(reason: string): void }): SendStream {
    const stream = new FakeStream(host, port, events);
    this.streams.push(stream);
    if (port === this.refusing) queueMicrotask(() => stream.down("ECONNREFUSED"));
    else if (this.atOnce) queueMicrotask(() => stream.up());
    return stream;
  }
}
