/** Where QEMU connects to: a line of a machine that is started listens before QEMU does. */
import { createServer, type Socket } from "node:net";
import type { Scope } from "../../scope.ts";

/** A listening unix socket, and the first connection to it. */
export async function firstConnection(path: string, scope: Scope): Promise<{ path: string; socket: Promise<Socket> }> {
  const server = createServer();
  const socket = new Promise<Socket>((resolve) => {
    server.once("connection", (connection) => {
      scope.defer(path, () => void connection.destroy());
      server.close();
      resolve(connection);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  scope.defer(path, () => void server.close());
  return { path, socket };
}
