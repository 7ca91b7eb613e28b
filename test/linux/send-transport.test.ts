import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { parseRouteTable } from "../../appliance/linux/route-table.ts";
import { sendTransport, udpTransport } from "../../appliance/linux/send-transport.ts";
import { FakeSend, FakeUdp } from "../support/fake-send.ts";
import { Inbox } from "../support/inbox.ts";
import { ip } from "../support/link-end.ts";
import { sendContract, udpContract } from "../support/send-contract.ts";

udpContract("system", udpTransport, async () => {
  const texts = new Inbox<string>();
  let from: AddressInfo | undefined;
  const socket = createSocket("udp4", (bytes, sender) => {
    from = sender as unknown as AddressInfo;
    texts.put(bytes.toString());
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    next: () => texts.next(),
    reply: (text) => socket.send(text, from?.port ?? 0, "127.0.0.1"),
    close: () => void socket.close(),
  };
});

const udp = new FakeUdp();
udpContract("fake", udp, () =>
  Promise.resolve({
    port: 9,
    next: () => Promise.resolve(udp.sent.at(-1)?.bytes.toString() ?? "nothing"),
    reply: (text) => udp.receive(Buffer.from(text)),
    close: () => {},
  }),
);

sendContract(
  "system",
  sendTransport,
  async () => {
    const texts = new Inbox<string>();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("data", (bytes) => texts.put(bytes.toString()));
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      port: (server.address() as AddressInfo).port,
      next: () => texts.next(),
      hangUp: () => {
        for (const socket of sockets) socket.end();
      },
      close: () => void server.close(),
    };
  },
  1,
);

const tcp = new FakeSend();
tcp.refusing = 1;
sendContract(
  "fake",
  tcp,
  () => {
    tcp.atOnce = true;
    return Promise.resolve({
      port: 9,
      next: () => Promise.resolve(tcp.streams.at(-1)?.sent.at(-1)?.toString() ?? "nothing"),
      hangUp: () => {
        const stream = tcp.streams.at(-1);
        if (stream?.isOpen === true) stream.down("the far end closed the connection");
      },
      close: () => {},
    });
  },
  1,
);

test("the kernel's route table is read in the machine's order of bytes, and what is no route is passed over", () => {
  const text = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wan0\t00000000\tFE7100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0
lan0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t0000000A\t00000000\t0200\t0\t0\t0\t000000FF\t0\t0\t0
lan0\tnonsense
`;
  assert.deepEqual(parseRouteTable(text, "LE"), [
    { destination: { address: ip("0.0.0.0"), length: 0 }, by: { interfaceName: "wan0", gateway: ip("203.0.113.254") } },
    { destination: { address: ip("192.168.1.0"), length: 24 }, by: { interfaceName: "lan0", gateway: undefined } },
  ]);
  const big = "lan0\tC0A80100\t00000000\t0001\t0\t0\t0\tFFFFFF00\t0\t0\t0";
  assert.deepEqual(parseRouteTable(big, "BE"), parseRouteTable(text, "LE").slice(1));
});
