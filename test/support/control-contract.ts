/** What every ControlTransport must do: the fake and node:net alike. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ControlSocket, ControlSocketEvents, ControlTransport, SystemError } from "../../appliance/ports.ts";
import { parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Inbox } from "./inbox.ts";

const HERE = parseIpv4("127.0.0.1") ?? assert.fail();
const PORT = 41723;
const TIMEOUT = { timeout: 10_000 };

/** One end of a connection with what happened to it. */
class End {
  readonly socket: ControlSocket;
  readonly closed = new Inbox<string>();
  readonly #data = new Inbox<Buffer>();

  constructor(socket: ControlSocket) {
    this.socket = socket;
  }
  get events(): ControlSocketEvents {
    return { data: (bytes) => this.#data.put(bytes), closed: (reason) => this.closed.put(reason ?? "orderly") };
  }
  /** Reads until this many bytes are there: TCP cuts as it likes. */
  async text(length: number): Promise<string> {
    let text = "";
    while (text.length < length) text += (await this.#data.next()).toString("latin1");
    return text;
  }
}

const unexpected = (error: SystemError): void => assert.fail(error);

/** `transport` belongs to the host 127.0.0.1. */
export function controlContract(name: string, transport: ControlTransport): void {
  const pair = async (t: TestContext): Promise<{ client: End; server: End }> => {
    const ends = { client: new Inbox<End>(), server: new Inbox<End>() };
    const opened = (inbox: Inbox<End>) => (socket: ControlSocket) => {
      const end = new End(socket);
      t.after(() => socket.destroy());
      inbox.put(end);
      return end.events;
    };
    const listener = transport.listen(PORT, opened(ends.server), unexpected);
    t.after(() => listener.close());
    transport.connect(HERE, PORT, opened(ends.client), unexpected);
    return { client: await ends.client.next(), server: await ends.server.next() };
  };

  test(`${name}: both ends know the addresses, and bytes go both ways in order`, TIMEOUT, async (t) => {
    const { client, server } = await pair(t);
    for (const { socket } of [client, server]) {
      assert.equal(socket.peer, HERE);
      assert.equal(socket.local, HERE);
    }
    client.socket.write(Buffer.from("one "));
    client.socket.write(Buffer.from("two"));
    assert.equal(await server.text(7), "one two");
    server.socket.write(Buffer.from("three"));
    assert.equal(await client.text(5), "three");
  });

  test(`${name}: end delivers what is queued, then closes both ends once and without a reason`, TIMEOUT, async (t) => {
    const { client, server } = await pair(t);
    client.socket.write(Buffer.from("last words"));
    client.socket.end();
    client.socket.write(Buffer.from("and more"));
    assert.equal(await server.text(10), "last words");
    assert.deepEqual([await client.closed.next(), await server.closed.next()], ["orderly", "orderly"]);
    client.socket.destroy();
    server.socket.end();
    assert.deepEqual([client.closed.size, server.closed.size], [0, 0]);
  });

  test(`${name}: destroy closes both ends`, TIMEOUT, async (t) => {
    const { client, server } = await pair(t);
    server.socket.destroy();
    assert.equal(await server.closed.next(), "orderly");
    await client.closed.next();
  });

  test(`${name}: a refused connection closes at the client`, TIMEOUT, async (t) => {
    const listener = transport.listen(PORT, () => undefined, unexpected);
    t.after(() => listener.close());
    const closed = new Inbox<string>();
    const events = { data: () => assert.fail("no data"), closed: (reason?: string) => closed.put(reason ?? "orderly") };
    transport.connect(
      HERE,
      PORT,
      () => events,
      (error) => closed.put(error.errno),
    );
    assert.equal(await closed.next(), "ECONNRESET");
  });

  test(`${name}: where nobody listens, connect fails once and says where`, TIMEOUT, async () => {
    const failed = new Inbox<SystemError>();
    transport.connect(
      HERE,
      PORT,
      () => assert.fail("nobody listens"),
      (error) => failed.put(error),
    );
    const error = await failed.next();
    assert.deepEqual([error.operation, error.errno], [`connect to 127.0.0.1 port ${PORT}`, "ECONNREFUSED"]);
  });

  test(`${name}: an aborted connect says nothing more`, TIMEOUT, async (t) => {
    const heard = new Inbox<string>();
    const attempt = transport.connect(
      HERE,
      PORT,
      () => assert.fail("connected after abort"),
      () => heard.put("failed"),
    );
    attempt.abort();
    await pair(t);
    assert.equal(heard.size, 0);
  });

  test(`${name}: a port that is taken cannot be listened on, and can be once it is free`, TIMEOUT, async (t) => {
    const first = transport.listen(PORT, () => undefined, unexpected);
    const failed = new Inbox<SystemError>();
    transport.listen(
      PORT,
      () => undefined,
      (error) => failed.put(error),
    );
    const error = await failed.next();
    assert.deepEqual([error.operation, error.errno], [`listen on TCP port ${PORT}`, "EADDRINUSE"]);
    first.close();
    await pair(t);
  });
}
