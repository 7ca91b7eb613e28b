/** What every DatagramTransport must do: the fake and node:dgram alike. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatagramTransport, SystemError } from "../../appliance/ports.ts";
import { type Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Inbox } from "./inbox.ts";

const HERE = parseIpv4("127.0.0.1") ?? assert.fail();
const PORT = 41812;
const TIMEOUT = { timeout: 10_000 };

interface Datagram {
  readonly from: Ipv4;
  readonly port: number;
  readonly bytes: Buffer;
}

const unexpected = (error: SystemError): void => assert.fail(error);

/** `transport` belongs to the host 127.0.0.1. */
export function datagramContract(name: string, transport: DatagramTransport): void {
  const open = (port: number | undefined) => {
    const inbox = new Inbox<Datagram>();
    const socket = transport.open(
      port,
      (from, fromPort, bytes) => inbox.put({ from, port: fromPort, bytes }),
      unexpected,
    );
    return { socket, inbox };
  };

  test(`${name}: a datagram arrives whole, and its answer finds the port it came from`, TIMEOUT, async (t) => {
    const server = open(PORT);
    const client = open(undefined);
    t.after(() => server.socket.close());
    t.after(() => client.socket.close());
    // The first datagrams may be faster than the socket of the other side.
    const question = Buffer.alloc(4096, 0x51);
    client.socket.send(HERE, PORT, question);
    const heard = await server.inbox.next();
    assert.deepEqual([heard.from, heard.bytes], [HERE, question]);
    assert.notEqual(heard.port, PORT);
    server.socket.send(heard.from, heard.port, Buffer.from("yes"));
    const answer = await client.inbox.next();
    assert.deepEqual([answer.from, answer.port, answer.bytes.toString()], [HERE, PORT, "yes"]);
  });

  test(`${name}: two sockets without a port of their own differ`, TIMEOUT, async (t) => {
    const server = open(PORT);
    const clients = [open(undefined), open(undefined)];
    for (const { socket } of [server, ...clients]) t.after(() => socket.close());
    for (const { socket } of clients) socket.send(HERE, PORT, Buffer.from("x"));
    const ports = [(await server.inbox.next()).port, (await server.inbox.next()).port];
    assert.notEqual(ports[0], ports[1]);
  });

  test(`${name}: what is sent to nobody is gone, and the socket goes on`, TIMEOUT, async (t) => {
    const client = open(undefined);
    t.after(() => client.socket.close());
    client.socket.send(HERE, PORT + 1, Buffer.from("anybody?"));
    const server = open(PORT);
    t.after(() => server.socket.close());
    client.socket.send(HERE, PORT, Buffer.from("hello"));
    assert.equal((await server.inbox.next()).bytes.toString(), "hello");
  });

  test(`${name}: a port that is taken fails once and says which; closed, it can be had`, TIMEOUT, async (t) => {
    const first = open(PORT);
    first.socket.send(HERE, PORT, Buffer.from("x"));
    await first.inbox.next(); // it is open
    const failed = new Inbox<SystemError>();
    const second = transport.open(
      PORT,
      () => assert.fail("received on a port of somebody else"),
      (error) => failed.put(error),
    );
    const error = await failed.next();
    assert.deepEqual([error.operation, error.errno], [`listen on UDP port ${PORT}`, "EADDRINUSE"]);
    second.close();
    second.send(HERE, PORT, Buffer.from("x"));
    first.socket.close();
    first.socket.close();
    const third = open(PORT);
    t.after(() => third.socket.close());
    third.socket.send(HERE, PORT, Buffer.from("mine"));
    assert.equal((await third.inbox.next()).bytes.toString(), "mine");
  });
}
