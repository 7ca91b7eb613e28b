/** The monitor of a machine that dies while it is asked. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Qmp } from "../../hil/node/qemu/qmp.ts";

/** A monitor whose machine does `die` on the first command. */
async function asked(die: (socket: Socket) => void): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => die(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  try {
    return await new Qmp(socket).ready().catch((error: unknown) => error);
  } finally {
    socket.destroy();
    server.close();
  }
}

const ENDED = /QMP qmp_capabilities: the machine has ended/;

test("the connection is reset: whoever waits is told, and nothing else happens", async () => {
  assert.match(String(await asked((socket) => socket.resetAndDestroy())), ENDED);
});
test("it ends in the middle of a line: the same", async () => {
  assert.match(String(await asked((socket) => socket.end('{"return": {'))), ENDED);
});
test("it ends in order without an answer: the same", async () => {
  assert.match(String(await asked((socket) => socket.end())), ENDED);
});
