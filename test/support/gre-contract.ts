/** What every GreTransport must do: the fake and the kernel's raw socket alike. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GreSocket, GreTransport } from "../../appliance/ports.ts";
import { type Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Inbox } from "./inbox.ts";

const address = (text: string): Ipv4 => parseIpv4(text) ?? assert.fail(`not an address: ${text}`);
const ONE = address("127.0.0.1");
const TWO = address("127.0.0.2");
const FOREIGN = address("192.0.2.1");
const TIMEOUT = { timeout: 10_000 };

interface Arrived {
  readonly peer: Ipv4;
  readonly packet: string;
}

/** `transport` belongs to a host that owns 127.0.0.1 and 127.0.0.2 and hears what it sends to itself. */
export function greContract(name: string, transport: () => GreTransport): void {
  const open = (): { socket: GreSocket; arrived: Inbox<Arrived> } => {
    const arrived = new Inbox<Arrived>();
    const socket = transport().open(() =>
      socket.receive((peer, packet) => arrived.put({ peer, packet: packet.toString("hex") })),
    );
    return { socket, arrived };
  };
  const gre = (text: string): Buffer => Buffer.from(`3001880b00000007${text}`, "hex");

  test(`${name}: a packet arrives without IP header, from the local address it was sent with`, TIMEOUT, async () => {
    const { socket, arrived } = open();
    socket.send(TWO, ONE, gre("00000001"));
    socket.send(ONE, TWO, gre("00000002"));
    socket.flush();
    assert.deepEqual(await arrived.take(2), [
      { peer: TWO, packet: "3001880b0000000700000001" },
      { peer: ONE, packet: "3001880b0000000700000002" },
    ]);
    socket.close();
  });

  test(`${name}: more packets than a batch holds arrive whole and in order`, TIMEOUT, async () => {
    const { socket, arrived } = open();
    const packets = Array.from({ length: 300 }, (_, i) =>
      Buffer.concat([gre(i.toString(16).padStart(8, "0")), Buffer.alloc(1400, i)]),
    );
    for (const packet of packets) socket.send(ONE, TWO, packet);
    socket.flush();
    const all = await arrived.take(packets.length);
    assert.deepEqual(
      all.map(({ packet }) => packet),
      packets.map((packet) => packet.toString("hex")),
    );
    socket.close();
  });

  test(`${name}: a packet that cannot leave does not hold up the next`, TIMEOUT, async () => {
    const { socket, arrived } = open();
    socket.send(FOREIGN, ONE, gre("0000000a"));
    socket.send(TWO, ONE, gre("0000000b"));
    socket.flush();
    assert.deepEqual(await arrived.next(), { peer: TWO, packet: "3001880b000000070000000b" });
    socket.close();
  });

  test(`${name}: nothing leaves before flush, and a closed socket is silent`, TIMEOUT, async () => {
    const { socket, arrived } = open();
    const listener = open();
    socket.send(ONE, TWO, gre("00000001"));
    socket.close();
    socket.close();
    socket.flush();
    socket.send(ONE, TWO, gre("00000002"));
    socket.flush();
    listener.socket.send(ONE, TWO, gre("00000003"));
    listener.socket.flush();
    assert.deepEqual(await listener.arrived.next(), { peer: ONE, packet: "3001880b0000000700000003" });
    socket.receive(() => assert.fail("a closed socket receives nothing"));
    assert.equal(arrived.size, 0);
    listener.socket.close();
  });
}
