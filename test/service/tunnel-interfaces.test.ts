/** What the kernel is told about tunnels: interfaces, routes, host routes, and that all of it is given back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemError } from "../../appliance/ports.ts";
import { LocalCallId } from "../../appliance/pptp/call-id.ts";
import { TunnelInterfaces } from "../../appliance/service/tunnel-interfaces.ts";
import { FakeNet } from "../support/fake-net.ts";
import { ipv4Packet } from "../support/ip-packet.ts";
import { ip } from "../support/link-end.ts";

const ENDS = { local: ip("10.0.0.2"), remote: ip("10.0.0.1"), mtu: 1400 };
const ROUTE = { address: ip("10.9.0.0"), length: 16 };
const SERVER = ip("203.0.113.1");
const [ONE, TWO] = [LocalCallId(1), LocalCallId(2)];

function bench(...ethernets: readonly string[]) {
  const net = new FakeNet("wan", ...ethernets);
  net.setUp("wan", true);
  net.addAddress("wan", { address: ip("198.51.100.7"), length: 24 });
  net.setDefaultGateway(ip("198.51.100.1"));
  net.changes.length = 0;
  const log: string[] = [];
  const events: string[] = [];
  const interfaces = new TunnelInterfaces(
    net,
    { write: (level, _area, text) => log.push(`${level} ${text}`) },
    { packets: (callId) => events.push(`packets ${callId}`), demand: (client) => events.push(`demand ${client}`) },
  );
  const names = () => net.interfaces().map(({ name }) => name);
  return { net, log, events, interfaces, names };
}
/** Everything that waits in microtasks has happened. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

test("each session has an interface with the lowest free name, which goes with it", () => {
  const { interfaces, names } = bench();
  interfaces.up(ONE, ENDS, [], false);
  interfaces.up(TWO, ENDS, [], false);
  assert.deepEqual(names(), ["wan", "pptp0", "pptp1"]);
  assert.equal(interfaces.nameOf(TWO), "pptp1");
  interfaces.down(ONE);
  assert.equal(interfaces.nameOf(ONE), undefined);
  interfaces.up(ONE, ENDS, [], false);
  assert.equal(interfaces.nameOf(ONE), "pptp0");
  interfaces.down(LocalCallId(9)); // nobody's: no error
});

test("routes of a client lead into its interface; one that is refused is logged, and the rest goes on", () => {
  const { net, log, interfaces } = bench();
  const refuse = net.addRoute.bind(net);
  net.addRoute = (destination, by) => {
    if (destination.length === 0) throw new SystemError("route 0.0.0.0/0", "EPERM");
    refuse(destination, by);
  };
  interfaces.up(ONE, ENDS, [{ address: ip("0.0.0.0"), length: 0 }, ROUTE], false);
  assert.deepEqual(net.nextHopTo(ip("10.9.1.1")), { interfaceName: "pptp0", gateway: undefined });
  assert.deepEqual(log, ["error route 0.0.0.0/0: EPERM"]);
});

test("an interface that the kernel refuses is the caller's to handle, and leaves nothing", () => {
  const { interfaces, names } = bench("pptp0");
  assert.throws(() => interfaces.up(ONE, ENDS, [ROUTE], false), { name: "SystemError", errno: "EBUSY" });
  assert.equal(interfaces.nameOf(ONE), undefined);
  assert.deepEqual(names(), ["wan", "pptp0"]);
});

test("packets on a session's interface are announced by its call", async () => {
  const { net, events, interfaces } = bench();
  interfaces.up(TWO, ENDS, [], false);
  net.tun("pptp0")?.deliver(ipv4Packet(60, 1));
  await quiet();
  assert.deepEqual(events, ["packets 2"]);
});

test("a host route pins the way to a server by the gateway it had, until the last session lets it go", () => {
  const { net, interfaces } = bench();
  interfaces.pin(SERVER);
  interfaces.pin(SERVER);
  assert.deepEqual(net.changes, ["route 203.0.113.1/32 by 198.51.100.1 on wan"]);
  interfaces.up(ONE, ENDS, [{ address: ip("0.0.0.0"), length: 0 }], false);
  assert.equal(
    net.nextHopTo(SERVER)?.interfaceName,
    "wan",
    "the default route through the tunnel does not lead it into itself",
  );
  interfaces.unpin(SERVER);
  assert.ok(!net.changes.some((change) => change.startsWith("remove")));
  interfaces.unpin(SERVER);
  interfaces.unpin(SERVER); // once too often: no error
  assert.equal(net.changes.filter((change) => change === "remove the route to 203.0.113.1/32").length, 1);
});

test("a server nobody can reach has no host route, and letting go of it is no error", () => {
  const { net, log, interfaces } = bench();
  net.setDefaultGateway(undefined);
  interfaces.pin(SERVER);
  interfaces.unpin(SERVER);
  assert.deepEqual(log, []);
});

test("a client that waits has one interface; its first packet asks for the tunnel and is lost", async () => {
  const { net, events, interfaces, names } = bench();
  interfaces.wait("office", [ROUTE], 1400, false);
  interfaces.wait("office", [ROUTE], 1400, false);
  assert.deepEqual(names(), ["wan", "pptp0"]);
  assert.equal(net.nextHopTo(ip("10.9.1.1"))?.interfaceName, "pptp0");
  for (let n = 1; n <= 2; n++) {
    net.tun("pptp0")?.deliver(ipv4Packet(60, n));
    await quiet();
  }
  assert.deepEqual(events, ["demand office", "demand office"], "it is drained, so that the next one is heard");
  interfaces.stopWaiting("office");
  interfaces.stopWaiting("office");
  assert.deepEqual(names(), ["wan"]);
});

test("clients that wait have addresses of their own, in whatever order they come and go", () => {
  const { net, interfaces } = bench();
  interfaces.wait("one", [], 1400, false);
  interfaces.wait("two", [], 1400, false);
  interfaces.stopWaiting("one");
  interfaces.wait("three", [], 1400, false);
  const addresses = net.interfaces().flatMap((each) => each.addresses.map(({ address }) => address));
  assert.equal(new Set(addresses).size, addresses.length);
});

test("a placeholder that the kernel refuses is logged", () => {
  const { log, interfaces } = bench("pptp0");
  interfaces.wait("office", [ROUTE], 1400, false);
  assert.match(log.join(), /error open TUN interface pptp0: EBUSY/);
});

test("IPv6 goes to the interface of its call, and to none when that is gone", () => {
  const { net, interfaces } = bench();
  interfaces.addLinkLocal(ONE, Buffer.alloc(8, 1));
  interfaces.up(ONE, ENDS, [], false);
  interfaces.addLinkLocal(ONE, Buffer.alloc(8, 2));
  assert.deepEqual(net.changes, ["give pptp0 fe80::0202020202020202"]);
});

test("close gives back every interface and host route, however often it was asked for", () => {
  const { net, interfaces, names } = bench();
  interfaces.up(ONE, ENDS, [ROUTE], false);
  interfaces.wait("office", [], 1400, false);
  interfaces.pin(SERVER);
  interfaces.pin(SERVER);
  interfaces.close();
  assert.deepEqual(names(), ["wan"]);
  assert.equal(net.changes.at(-1), "remove the route to 203.0.113.1/32");
});

test("a tunnel whose client hides the LAN is known by its name, and so is its placeholder", () => {
  const { interfaces, names } = bench();
  interfaces.wait("munich", [ROUTE], 1400, true);
  interfaces.up(ONE, ENDS, [], false);
  interfaces.up(TWO, ENDS, [], true);
  assert.deepEqual(names(), ["wan", "pptp-nat0", "pptp0", "pptp-nat1"]);
});
