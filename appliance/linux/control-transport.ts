/** TCP by node:net: IPv4 only, no Nagle delay, and no endless queue for a peer that does not read. */
import { connect, createServer, type Socket } from "node:net";
import { type ControlSocket, type ControlSocketEvents, type ControlTransport, SystemError } from "../ports.ts";
import { formatIpv4, type Ipv4, parseIpv4 } from "../wire/ipv4.ts";
import { toSystemError } from "./system-call.ts";

/** A control connection says a few hundred bytes in its life. */
const LARGEST_QUEUE_BYTES = 64 * 1024;

export const tcpControlTransport: ControlTransport = {
  listen(port, accept, failed) {
    const operation = `listen on TCP port ${port}`;
    const server = createServer({ noDelay: true }, (socket) => {
      const events = attach(socket, accept);
      if (events === undefined) socket.resetAndDestroy();
    });
    server.on("error", (error) => failed(asSystemError(error, operation)));
    server.listen({ host: "0.0.0.0", port });
    return { close: () => void server.close() };
  },

  connect(peer, port, connected, failed) {
    const operation = `connect to ${formatIpv4(peer)} port ${port}`;
    const socket = connect({ host: formatIpv4(peer), port, family: 4, noDelay: true });
    const refused = (error: Error): void => failed(asSystemError(error, operation));
    socket.once("error", refused);
    socket.once("connect", () => {
      socket.off("error", refused);
      if (attach(socket, connected) !== undefined) return;
      socket.destroy();
      failed(new SystemError(operation, "ECONNRESET"));
    });
    return {
      abort: () => {
        socket.off("error", refused);
        // What fails after this is of no interest, but an unheard error event would end the process.
        socket.on("error", () => {});
        socket.destroy();
      },
    };
  },
};

/** Joins a socket to the events that `open` returns for it; undefined when `open` refuses or the peer is gone already. */
function attach(
  socket: Socket,
  open: (socket: ControlSocket) => ControlSocketEvents | undefined,
): ControlSocketEvents | undefined {
  let reason: string | undefined;
  socket.on("error", (error) => {
    reason = toSystemError(error)?.errno ?? error.message;
  });
  const peer = parseIpv4(socket.remoteAddress ?? "");
  const local = parseIpv4(socket.localAddress ?? "");
  if (peer === undefined || local === undefined) return undefined;
  const drop = (why: string): void => {
    reason = why;
    socket.destroy();
  };
  const events = open(new TcpControlSocket(socket, peer, local, drop));
  if (events === undefined) return undefined;
  socket.on("data", (bytes) => events.data(bytes));
  socket.on("close", () => events.closed(reason));
  return events;
}

class TcpControlSocket implements ControlSocket {
  readonly peer: Ipv4;
  readonly local: Ipv4;
  readonly #socket: Socket;
  readonly #drop: (why: string) => void;

  constructor(socket: Socket, peer: Ipv4, local: Ipv4, drop: (why: string) => void) {
    this.#socket = socket;
    this.peer = peer;
    this.local = local;
    this.#drop = drop;
  }

  write(bytes: Buffer): void {
    if (!this.#socket.writable) return;
    this.#socket.write(bytes);
    if (this.#socket.writableLength > LARGEST_QUEUE_BYTES) this.#drop("the peer does not read what we send");
  }
  end(): void {
    this.#socket.end();
  }
  destroy(): void {
    this.#socket.destroy();
  }
}

function asSystemError(error: Error, operation: string): SystemError {
  return toSystemError(error, operation) ?? new SystemError(operation, error.message, { cause: error });
}
