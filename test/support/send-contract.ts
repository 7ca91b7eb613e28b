/** What the sockets that send must do: the fakes and the system's alike. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SendTransport, UdpTransport } from "../../appliance/ports.ts";
import { Inbox } from "./inbox.ts";

const TIMEOUT = { timeout: 10_000 };

/** A far end that takes what is sent to it. */
export interface FarEnd {
  readonly port: number;
  next(): Promise<string>;
  close(): void;
}

export function udpContract(
  name: string,
  udp: UdpTransport,
  open: () => Promise<FarEnd & { reply(text: string): void }>,
): void {
  test(`${name}: a packet arrives, and so does its answer`, TIMEOUT, async () => {
    const far = await open();
    const answers = new Inbox<string>();
    const socket = udp.open({
      received: (bytes) => answers.put(bytes.toString()),
      failed: (error) => answers.put(error.errno),
    });
    socket.send("127.0.0.1", far.port, Buffer.from("question"));
    assert.equal(await far.next(), "question");
    far.reply("answer");
    assert.equal(await answers.next(), "answer");
    socket.close();
    far.close();
  });
}

export function sendContract(
  name: string,
  tcp: SendTransport,
  open: () => Promise<FarEnd & { hangUp(): void }>,
  refusing: number,
): void {
  const connect = (port: number) => {
    const events = new Inbox<string>();
    const stream = tcp.connect("127.0.0.1", port, {
      up: () => events.put("up"),
      down: (reason) => events.put(`down: ${reason}`),
    });
    return { events, stream };
  };

  test(`${name}: what is sent arrives, and the far end's goodbye is told`, TIMEOUT, async () => {
    const far = await open();
    const { events, stream } = connect(far.port);
    assert.equal(await events.next(), "up");
    stream.send(Buffer.from("text"));
    assert.equal(await far.next(), "text");
    far.hangUp();
    assert.match(await events.next(), /^down: /);
    far.close();
  });

  test(`${name}: a refused connection is down without having been up`, TIMEOUT, async () => {
    assert.equal(await connect(refusing).events.next(), "down: ECONNREFUSED");
  });

  test(`${name}: after close nothing more is told`, TIMEOUT, async () => {
    const far = await open();
    const { events, stream } = connect(far.port);
    assert.equal(await events.next(), "up");
    stream.close();
    far.hangUp();
    far.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(events.size, 0);
  });
}
