/** Unix sockets in memory: a test connects as the other program, and reads what it is sent. */
import type { LocalSocketEvents, LocalTransport } from "../../appliance/ports.ts";

export class FakeLocalClient {
  readonly #events: LocalSocketEvents;
  readonly #received: Buffer[] = [];
  #isOpen = true;
  onClose: () => void = () => {};
  /** Instead of `take`. */
  onData: ((bytes: Buffer) => void) | undefined;
  /** What this side pretends not to have read. */
  waitingBytes = 0;

  constructor(accept: Parameters<LocalTransport["listen"]>[1]) {
    const close = (): void => this.close();
    const waiting = (): number => this.waitingBytes;
    this.#events = accept({
      get waitingBytes() {
        return waiting();
      },
      write: (bytes) => {
        if (!this.#isOpen) return;
        if (this.onData === undefined) this.#received.push(Buffer.from(bytes));
        else this.onData(bytes);
      },
      end: close,
      destroy: close,
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }
  send(bytes: Buffer): void {
    this.#events.data(bytes);
  }
  /** What came since the last time. */
  take(): Buffer {
    return Buffer.concat(this.#received.splice(0));
  }
  /** It reads again. */
  drain(): void {
    this.waitingBytes = 0;
    this.#events.drained();
  }
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#events.closed();
    this.onClose();
  }
}

export class FakeLocal implements LocalTransport {
  readonly #listeners = new Map<string, Parameters<LocalTransport["listen"]>[1]>();
  readonly #clients = new Map<string, FakeLocalClient[]>();

  listen(path: string, accept: Parameters<LocalTransport["listen"]>[1]): { close(): void } {
    this.#listeners.set(path, accept);
    return {
      close: () => {
        this.#listeners.delete(path);
        for (const client of this.#clients.get(path) ?? []) client.close();
      },
    };
  }
  get paths(): readonly string[] {
    return [...this.#listeners.keys()];
  }
  /** Throws when nobody listens. */
  connect(path: string): FakeLocalClient {
    const accept = this.#listeners.get(path);
    if (accept === undefined) throw new Error(`nobody listens on ${path}`);
    const client = new FakeLocalClient(accept);
    this.#clients.set(path, [...(this.#clients.get(path) ?? []), client]);
    return client;
  }
}
