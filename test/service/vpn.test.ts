/** The VPN service and the system: what it does when the kernel, the port or the peer does not play along. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ControlSocket } from "../../appliance/ports.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { advance, Device, quiet, wires } from "../support/device.ts";
import { CLIENT, SERVER } from "../support/dialer.ts";
import { ip } from "../support/link-end.ts";

async function connected() {
  const between = wires();
  const server = new Device(SERVER, between).serve();
  const client = new Device(CLIENT, between).call();
  await advance(1000, server, client);
  assert.deepEqual([server.states, client.states], [["connected"], ["connected"]], client.log.join("\n"));
  return { server, client };
}

test("a connection has an interface on both sides and a host route on the client's; hanging up takes all of it away", async () => {
  const { server, client } = await connected();
  assert.deepEqual([server.tunnels, client.tunnels], [["pptp0"], ["pptp0"]]);
  assert.ok(client.net.changes.some((change) => change.startsWith("route 203.0.113.1/32 by ")));
  assert.ok(client.vpn.hangUp(client.vpn.sessions()[0]?.id ?? 0));
  await advance(1000, server, client);
  assert.deepEqual([server.tunnels, client.tunnels, server.states, client.states], [[], [], [], []]);
  assert.equal(client.net.changes.at(-1), "remove the route to 203.0.113.1/32");
  assert.equal(client.vpn.hangUp(7), false);
  assert.equal(client.vpn.dial("nobody"), false);
});

test("a client whose kernel refuses the interface hangs up, says so, and leaves neither host route nor session", async () => {
  const between = wires();
  const server = new Device(SERVER, between).serve();
  const client = new Device(CLIENT, between, "pptp0").call();
  await advance(5000, server, client);
  assert.ok(client.log.some((line) => /^error cannot make the tunnel interface: .*pptp0: EBUSY/.test(line)));
  assert.deepEqual([server.states, client.states, server.tunnels, client.tunnels], [[], [], [], []]);
  const routes = client.net.changes.filter((change) => change.includes("203.0.113.1/32"));
  assert.equal(routes.length, 2, routes.join());
  assert.match(routes[1] ?? "", /^remove/);
});

test("a server whose kernel refuses the interface hangs up, and the peer is told", async () => {
  const between = wires();
  const server = new Device(SERVER, between, "pptp0").serve({ pool: { start: ip("192.168.1.200"), count: 1 } });
  const client = new Device(CLIENT, between).call();
  await advance(5000, server, client);
  assert.ok(server.log.some((line) => line.startsWith("error cannot make the tunnel interface")));
  assert.deepEqual([server.states, client.states, client.tunnels], [[], [], []]);
  client.vpn.dial("office");
  await advance(5000, server, client);
  const refused = server.log.filter((line) => line.startsWith("error cannot make"));
  assert.equal(refused.length, 2, "the only address of the pool had come back");
});

test("close says goodbye to both sides' peers and gives everything back, without waiting for a clock", async () => {
  for (const closing of ["server", "client"] as const) {
    const pair = await connected();
    const [near, far] = closing === "server" ? [pair.server, pair.client] : [pair.client, pair.server];
    await near.vpn.close();
    await quiet();
    assert.deepEqual([near.tunnels, far.tunnels, far.states], [[], [], []], closing);
    assert.equal(near.alarm.armed, 0, "no timer is left");
  }
});

/** A TCP connection to `SERVER` that says what a caller says and never listens. */
function silentCaller(between: ReturnType<typeof wires>): { socket: ControlSocket | undefined; ended: number } {
  const caller: { socket: ControlSocket | undefined; ended: number } = { socket: undefined, ended: 0 };
  between.control.host(CLIENT).connect(
    SERVER,
    1723,
    (socket) => {
      caller.socket = socket;
      return { data: () => {}, closed: () => caller.ended++ };
    },
    (error) => assert.fail(error.message),
  );
  return caller;
}

test("close returns after three seconds when the peers are silent", async () => {
  const between = wires();
  const server = new Device(SERVER, between).serve();
  const caller = silentCaller(between);
  await quiet();
  caller.socket?.write(Buffer.concat([WINDOWS_CONTROL.startRequest, WINDOWS_CONTROL.callRequest]));
  await quiet();
  assert.deepEqual(server.states, ["connecting"]);
  let closed = false;
  const done = server.vpn.close().then(() => {
    closed = true;
  });
  await server.alarm.advance(2900);
  assert.equal(closed, false);
  await server.alarm.advance(100);
  await done;
  await quiet();
  assert.equal(caller.ended, 1);
  assert.equal(server.alarm.armed, 0);
});

test("a dial that is given up before the peer answers reaches nobody", async () => {
  const between = wires();
  between.control.host(SERVER).listen(1723, () => assert.fail("connected after hanging up"), assert.fail);
  const client = new Device(CLIENT, between).call();
  assert.ok(client.vpn.hangUp(client.vpn.clients()[0]?.id ?? 0));
  await quiet();
  assert.deepEqual(client.states, []);
});

test("a server that is switched off no longer listens, and listens again when it is switched on", async () => {
  const between = wires();
  const server = new Device(SERVER, between).serve().serve({ enabled: false });
  const client = new Device(CLIENT, between).call();
  await advance(100, server, client);
  assert.match(client.vpn.clients()[0]?.lastFailure ?? "", /ECONNREFUSED.*808/);
  server.serve();
  client.vpn.dial("office");
  await advance(1000, server, client);
  assert.deepEqual(client.states, ["connected"]);
  server.serve({ enabled: false });
  await advance(1000, server, client);
  assert.deepEqual([server.states, client.states, server.tunnels, client.tunnels], [[], [], [], []]);
});

test("a port that is taken is logged, and tried again with the next change", async () => {
  const between = wires();
  const other = between.control.host(SERVER).listen(1723, () => undefined, assert.fail);
  const server = new Device(SERVER, between).serve();
  await quiet();
  assert.match(server.log.join(), /^error cannot listen on TCP port 1723: .*EADDRINUSE/);
  other.close();
  server.serve();
  const client = new Device(CLIENT, between).call();
  await advance(1000, server, client);
  assert.deepEqual(client.states, ["connected"]);
});

test("a connection that the server refuses is dropped without a word", async () => {
  const between = wires();
  new Device(SERVER, between).serve();
  const callers = Array.from({ length: 17 }, () => silentCaller(between));
  await quiet();
  assert.deepEqual(
    callers.map(({ ended }) => ended),
    [...Array(16).fill(0), 1],
  );
});

test("one timer stands at the earliest deadline, however many sessions there are", async () => {
  const { server, client } = await connected();
  assert.deepEqual([server.alarm.armed, client.alarm.armed], [1, 1]);
});
