/** Unix stream sockets by node:net: how programs of this machine reach the appliance. */
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { type LocalSocket, type LocalTransport, SystemError } from "../ports.ts";
import { toSystemError } from "./system-call.ts";

export const localTransport: LocalTransport = {
  listen(path, accept, failed) {
    const operation = `listen on ${path}`;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      const events = accept(new NodeSocket(socket));
      // What becomes of it is told by `close`; an unheard error event would end the process.
      socket.on("error", () => {});
      socket.on("data", (bytes) => events.data(bytes));
      socket.on("drain", () => events.drained());
      socket.on("close", () => {
        sockets.delete(socket);
        events.closed();
      });
    });
    server.on("error", (error) =>
      failed(toSystemError(error, operation) ?? new SystemError(operation, error.message, { cause: error })),
    );
    // Left by a process that was killed.
    rmSync(path, { force: true });
    // Who may get there is a matter of the folder it lies in.
    server.listen({ path, readableAll: true, writableAll: true });
    return {
      close: () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  },
};

class NodeSocket implements LocalSocket {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }
  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }
  end(): void {
    this.#socket.end();
  }
  destroy(): void {
    this.#socket.destroy();
  }
}
