/** The contract of Net on the kernel, in a namespace of its own, and the settings that only a kernel has. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kernelNet } from "../../appliance/linux/net.ts";
import { formatIpv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Inbox } from "../support/inbox.ts";
import { hostAddon } from "../support/native.ts";
import { netContract } from "../support/net-contract.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

await inNetworkNamespace(async () => {
  const net = kernelNet(await hostAddon());
  execFileSync("ip", "link add eth0 type veth peer name far0".split(" "));

  netContract("kernel", () => ({
    net,
    send: (_tun, from, to, text) =>
      new Promise((resolve, reject) => {
        const socket = createSocket("udp4");
        socket.bind({ address: formatIpv4(from) }, () =>
          socket.send(text, 2, formatIpv4(to), (error) => {
            socket.close();
            if (error) reject(error);
            else resolve();
          }),
        );
      }),
    async received(_tun, at) {
      const texts = new Inbox<string>();
      const socket = createSocket("udp4", (message) => texts.put(message.toString()));
      socket.bind({ address: formatIpv4(at), port: 4711 });
      await once(socket, "listening");
      return { next: () => texts.next(), close: () => socket.close() };
    },
  }));

  test("forwarding and proxy ARP reach the kernel", () => {
    const value = (path: string): string => readFileSync(`/proc/sys/net/ipv4/${path}`, "latin1").trim();
    for (const on of [true, false]) {
      net.setForwarding(on);
      net.setProxyArp("eth0", on);
      assert.equal(value("ip_forward"), on ? "1" : "0");
      assert.equal(value("conf/eth0/proxy_arp"), on ? "1" : "0");
      assert.equal(value("neigh/eth0/proxy_delay"), on ? "0" : "80");
    }
    assert.throws(() => net.setProxyArp("eth9", true), { name: "SystemError", errno: "ENOENT" });
  });

  test("iproute2 agrees about what was set", () => {
    const lan = { address: parseIpv4("192.168.16.1") ?? assert.fail(), length: 20 };
    net.setUp("eth0", true);
    net.addAddress("eth0", lan);
    net.setDefaultGateway(parseIpv4("192.168.16.254") ?? assert.fail());
    const ip = (words: string): string => execFileSync("ip", words.split(" "), { encoding: "utf8" });
    assert.match(ip("-4 address show dev eth0"), /inet 192\.168\.16\.1\/20 brd 192\.168\.31\.255 scope global/);
    assert.match(ip("route show default"), /^default via 192\.168\.16\.254 dev eth0 proto static/);
    net.setDefaultGateway(undefined);
    assert.equal(ip("route show default"), "");
  });

  test("a taken interface name is refused, and the failed tunnel leaves nothing behind", () => {
    const settings = { local: lan(1), remote: lan(2), mtu: 1400 };
    assert.throws(() => net.openTun({ ...settings, name: "eth0" }, () => {}), {
      name: "SystemError",
      operation: "open TUN interface eth0",
    });
    assert.throws(() => net.openTun({ ...settings, name: "tunnel9", mtu: 40 }, () => {}), { errno: "EINVAL" });
    assert.ok(!net.interfaces().some((each) => each.name === "tunnel9"));
  });
});

function lan(host: number) {
  return parseIpv4(`10.1.1.${host}`) ?? assert.fail();
}
