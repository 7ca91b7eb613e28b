/** A killed app leaves routes to servers and of its configuration: they go before the next one puts its own in force. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv4Prefix } from "../../appliance/ports.ts";
import { removeLeftovers } from "../../appliance/service/leftovers.ts";
import { Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { FakeNet } from "../support/fake-net.ts";

function prefix(text: string): Ipv4Prefix {
  const [address = "", length] = text.split("/");
  return { address: parseIpv4(address) ?? Ipv4(0), length: Number(length) };
}

test("routes to servers and by gateways go; the kernel's own, the default and a provider's stay", () => {
  const net = new FakeNet("eth0", "eth1");
  net.setUp("eth0", true);
  net.addAddress("eth0", prefix("203.0.113.1/24"));
  net.setDefaultGateway(prefix("203.0.113.254/32").address);
  net.addPointToPoint("ppp0", "198.51.100.2", "198.51.100.1");
  const gateway = prefix("203.0.113.254/32").address;
  net.addRoute(prefix("192.0.2.7/32"), { interfaceName: "eth0", gateway });
  net.addRoute(prefix("203.0.113.9/32"), { interfaceName: "eth0", gateway: undefined });
  net.addRoute(prefix("10.0.0.0/8"), { interfaceName: "eth0", gateway });
  net.changes.length = 0;
  const log: string[] = [];
  removeLeftovers(net, { write: (level, area, text) => log.push(`${level} ${area}: ${text}`) });
  assert.deepEqual(net.changes.sort(), [
    "remove the route to 10.0.0.0/8",
    "remove the route to 192.0.2.7/32",
    "remove the route to 203.0.113.9/32",
  ]);
  assert.equal(log.length, 3);
  assert.match(log[0] ?? "", /^warning network: a route to .* was left behind$/);
  assert.equal(net.defaultGateway(), gateway);
  net.changes.length = 0;
  removeLeftovers(net, { write: () => assert.fail("nothing is left") });
  assert.deepEqual(net.changes, []);
});
