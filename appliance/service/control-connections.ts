/** The TCP side of PPTP: the listener, the dials under way and the open control connections, by number. */
import type { ControlSocket, ControlSocketEvents, ControlTransport, Log, SystemError, Timers } from "../ports.ts";
import { ConnectionId } from "../tunnel/effect.ts";
import type { Ipv4 } from "../wire/ipv4.ts";

/** RFC 2637 §3.1. */
const PPTP_PORT = 1723;
/** How long `close` waits for the peers to confirm. */
const GOODBYE_MS = 3000;

export class ControlConnections {
  readonly #control: ControlTransport;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #sockets = new Map<ConnectionId, ControlSocket>();
  readonly #dials = new Map<ConnectionId, { abort(): void }>();
  #listener: { close(): void } | undefined;
  #next = 1;
  #onIdle: (() => void) | undefined;

  constructor(control: ControlTransport, timers: Timers, log: Log) {
    this.#control = control;
    this.#timers = timers;
    this.#log = log;
  }

  allocate(): ConnectionId {
    return ConnectionId(this.#next++);
  }

  /** `accept` may write to its connection at once; when it returns undefined the caller is dropped. No second listener. */
  listen(accept: (connection: ConnectionId, socket: ControlSocket) => ControlSocketEvents | undefined): void {
    this.#listener ??= this.#control.listen(
      PPTP_PORT,
      (socket) => {
        const connection = this.allocate();
        this.#sockets.set(connection, socket);
        const events = accept(connection, socket);
        if (events !== undefined) return this.#tracked(connection, events);
        this.#sockets.delete(connection);
        return undefined;
      },
      (error) => {
        this.#listener = undefined;
        this.#log.write("error", "pptp", `cannot listen on TCP port ${PPTP_PORT}: ${error.message}`);
      },
    );
  }

  stopListening(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** `connected` may write to its connection at once. */
  connect(
    connection: ConnectionId,
    server: Ipv4,
    told: { connected(socket: ControlSocket): ControlSocketEvents; failed(error: SystemError): void },
  ): void {
    const dial = this.#control.connect(
      server,
      PPTP_PORT,
      (socket) => {
        this.#dials.delete(connection);
        this.#sockets.set(connection, socket);
        return this.#tracked(connection, told.connected(socket));
      },
      (error) => {
        this.#dials.delete(connection);
        told.failed(error);
      },
    );
    this.#dials.set(connection, dial);
  }

  /** Bytes for a connection that has closed meanwhile are dropped, as TCP would. */
  write(connection: ConnectionId, bytes: Buffer): void {
    this.#sockets.get(connection)?.write(bytes);
  }

  /** Closes after what was written, or gives the dial up. */
  end(connection: ConnectionId): void {
    this.#sockets.get(connection)?.end();
    this.#dials.get(connection)?.abort();
  }

  /** Waits a little for the peers to close, then closes whatever is left. */
  async close(): Promise<void> {
    if (this.#sockets.size > 0)
      await new Promise<void>((resolve) => {
        const limit = this.#timers.after(GOODBYE_MS, resolve);
        this.#onIdle = () => {
          limit.cancel();
          resolve();
        };
      });
    for (const socket of this.#sockets.values()) socket.destroy();
    for (const dial of this.#dials.values()) dial.abort();
  }

  #tracked(connection: ConnectionId, events: ControlSocketEvents): ControlSocketEvents {
    return {
      data: (bytes) => events.data(bytes),
      closed: (reason) => {
        this.#sockets.delete(connection);
        events.closed(reason);
        if (this.#sockets.size === 0) this.#onIdle?.();
      },
    };
  }
}
