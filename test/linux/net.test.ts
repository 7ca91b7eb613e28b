/** The contract of Net on the kernel in memory. On the real one: test/system/linux-net.test.ts. */
import assert from "node:assert/strict";
import { FakeNet } from "../support/fake-net.ts";
import { netContract } from "../support/net-contract.ts";
import { emitUdp, udpText } from "../support/udp-packet.ts";

netContract("fake", () => {
  const net = new FakeNet("eth0");
  return {
    net,
    send(tunName, source, destination, text) {
      const packet = emitUdp({ source, destination, sourcePort: 1, destinationPort: 2, payload: Buffer.from(text) });
      net.tun(tunName)?.deliver(packet);
    },
    received(tunName) {
      const tun = net.tun(tunName) ?? assert.fail(`no ${tunName}`);
      const next = (): Promise<string> => {
        const text = tun.written.map(udpText).find((each) => each !== undefined);
        return Promise.resolve(text ?? assert.fail("nothing was written"));
      };
      return Promise.resolve({ next, close() {} });
    },
  };
});
