/** A device, a caller and RADIUS servers on networks in memory: from the first packet to the last record, by way of the interface. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RadiusSettings } from "../../appliance/radius/settings.ts";
import type { ClientSettings } from "../../appliance/tunnel/settings.ts";
import { RadiusCode } from "../../appliance/wire/radius.ts";
import { numberOf, octetsOf } from "../../appliance/wire/radius-attribute.ts";
import { advance, Device, quiet, wires } from "../support/device.ts";
import { CLIENT, SERVER } from "../support/dialer.ts";
import { ipv4Packet } from "../support/ip-packet.ts";
import { ip } from "../support/link-end.ts";
import { dynamicRequest, FakeRadiusServer, RADIUS, RADIUS_ONE, RADIUS_TWO } from "../support/radius-server.ts";
import { ALICE, SERVER_SETTINGS } from "../support/scripted-caller.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const ASKS = { accountSources: ["radius"], accounting: { interimMs: undefined } } as const;
const BOB = { user: "bob", password: "b0b" };

function scene(radius: RadiusSettings = RADIUS, client: Partial<ClientSettings> = BOB, server: object = ASKS) {
  const between = wires();
  const servers = radius.servers.map((each) => new FakeRadiusServer(each, (address) => between.udp.host(address)));
  const device = new Device(SERVER, between).serve(server, [ALICE], radius);
  const caller = new Device(CLIENT, between);
  return {
    between,
    device,
    caller,
    one: servers[0] ?? assert.fail(),
    two: servers[1],
    dial: () => caller.call(client),
  };
}

for (const [method, encryption] of [
  ["mschap-v2", SERVER_SETTINGS.encryption],
  ["mschap-v2", { ...SERVER_SETTINGS.encryption, strengths: [40] }],
  ["chap-md5", { ...SERVER_SETTINGS.encryption, use: "none" }],
  ["pap", { ...SERVER_SETTINGS.encryption, use: "none" }],
] as const)
  test(`${method}, ${encryption.use === "none" ? "no encryption" : `MPPE-${encryption.strengths[0]}`}: a server's word connects, and packets pass both ways`, async () => {
    const settings = { authentication: [method], encryption };
    const { device, caller, dial, one } = scene(RADIUS, { ...BOB, ...settings }, { ...ASKS, ...settings });
    dial();
    await advance(1500, device, caller);
    assert.deepEqual([device.states, caller.states], [["connected"], ["connected"]], device.log.join("\n"));
    const [near, far] = [device.net.tun("pptp0"), caller.net.tun("pptp0")];
    near?.deliver(ipv4Packet(200, 1));
    far?.deliver(ipv4Packet(300, 2));
    await advance(200, device, caller);
    assert.deepEqual([near?.written, far?.written], [[ipv4Packet(300, 2)], [ipv4Packet(200, 1)]]);
    caller.vpn.hangUp(caller.vpn.sessions()[0]?.id ?? 0);
    await advance(500, device, caller);
    assert.equal(one.accounted(1).length, 1);
    const [stop] = one.accounted(2);
    const count = (kind: Parameters<typeof numberOf>[1]) => numberOf(stop?.attributes ?? [], kind);
    assert.deepEqual(
      [count("acct-input-octets"), count("acct-output-octets")],
      [300, 200],
      "after the call was closed",
    );
    assert.deepEqual([count("acct-input-packets"), count("acct-output-packets")], [1, 1]);
    assert.doesNotMatch(device.log.join("\n"), /b0b|xyzzy/);
  });

test("a wrong password is refused by the server, and the client learns it as 691", async () => {
  const { device, caller, dial } = scene(RADIUS, { ...BOB, password: "wrong" });
  dial();
  await advance(1500, device, caller);
  assert.deepEqual(device.states, []);
  assert.ok(
    device.log.some((line) => line.includes("Windows shows error 691")),
    device.log.join("\n"),
  );
});

test("Framed-IP-Address and Framed-Route: on the interface while the session lasts", async () => {
  const { device, caller, dial, one } = scene();
  one.grants = [
    { kind: "framed-ip-address", address: ip("10.1.2.3") },
    { kind: "framed-route", octets: Buffer.from("10.9.0.0/16 0.0.0.0 1") },
    { kind: "framed-route", octets: Buffer.from("203.0.113.0/24 0.0.0.0 1") },
  ];
  dial();
  await advance(1500, device, caller);
  assert.equal(device.vpn.sessions()[0]?.address, ip("10.1.2.3"));
  assert.equal(device.net.nextHopTo(ip("10.9.8.7"))?.interfaceName, "pptp0");
  assert.equal(device.net.nextHopTo(ip("203.0.113.9"))?.interfaceName, "wan", "our own network stays ours");
  assert.ok(device.log.includes("warning no route to 203.0.113.0/24 into a tunnel: that network is our own"));
  caller.vpn.hangUp(caller.vpn.sessions()[0]?.id ?? 0);
  await advance(500, device, caller);
  assert.equal(device.net.nextHopTo(ip("10.9.8.7"))?.interfaceName, "wan");
});

test("a silent server: the second one is asked in time for the caller, and show vpn radius says so", async () => {
  const { device, caller, dial, one, two } = scene({ ...RADIUS, servers: [RADIUS_ONE, RADIUS_TWO] });
  two?.users.set("bob", "b0b");
  one.answers = false;
  dial();
  await advance(20_000, device, caller);
  assert.deepEqual(device.states, ["connected"], device.log.join("\n"));
  const states = device.vpn.radius().servers.map(({ name, state }) => [name, state]);
  assert.deepEqual(states, [
    ["one", "silent"],
    ["two", "answers"],
  ]);
});

test("no server at all: the caller is hung up on, and the log says what to look at", async () => {
  const { device, caller, dial, one } = scene();
  one.answers = false;
  dial();
  await advance(20_000, device, caller);
  assert.deepEqual(device.states, []);
  assert.ok(device.log.some((line) => line.includes("no RADIUS server answered; Windows shows error 734")));
});

test("a third of all datagrams lost: still connected, one start, one stop", async () => {
  const { between, device, caller, dial, one } = scene();
  const luck = new SeededRandom(4);
  let lost = 0;
  between.udp.wire = () => {
    const arrives = !luck.chance(0.33);
    if (!arrives) lost++;
    return arrives;
  };
  dial();
  await advance(16_000, device, caller);
  assert.deepEqual(device.states, ["connected"], device.log.join("\n"));
  caller.vpn.hangUp(caller.vpn.sessions()[0]?.id ?? 0);
  await advance(60_000, device, caller);
  const ids = (status: number) => new Set(one.accounted(status).map(({ identifier }) => identifier)).size;
  assert.deepEqual([ids(1), ids(2)], [1, 1]);
  assert.ok(lost > 0);
  assert.equal(device.vpn.radius().waiting, 0);
});

test("Disconnect-Request over UDP: acknowledged, the session ends; without the setting nobody listens", async () => {
  for (const dynamicPort of [3799, undefined]) {
    const { between, device, caller, dial } = scene({ ...RADIUS, dynamicPort });
    dial();
    await advance(1500, device, caller);
    const answers: number[] = [];
    const socket = between.udp
      .host(RADIUS_ONE.address)
      .open(undefined, (_from, _port, bytes) => answers.push(bytes[0] ?? 0), assert.fail);
    const request = dynamicRequest(RadiusCode.disconnectRequest, [{ kind: "user-name", octets: Buffer.from("bob") }]);
    socket.send(SERVER, 3799, request);
    await advance(1000, device, caller);
    assert.deepEqual(answers, dynamicPort === undefined ? [] : [RadiusCode.disconnectAck]);
    assert.deepEqual(device.states, dynamicPort === undefined ? ["connected"] : []);
  }
});

test("Accounting-On when the device starts, Accounting-Off when it stops, and every session's Stop before it", async () => {
  const { device, caller, dial, one } = scene();
  dial();
  await advance(1500, device, caller);
  const closed = device.vpn.close();
  await advance(5000, device, caller);
  await closed;
  await quiet();
  const statuses = one.requests.flatMap(({ code, attributes }) =>
    code === RadiusCode.accountingRequest ? [numberOf(attributes, "acct-status-type")] : [],
  );
  assert.deepEqual(statuses, [7, 1, 2, 8]);
  const [on] = one.accounted(7);
  assert.equal(octetsOf(on?.attributes ?? [], "nas-identifier")?.toString(), "culvert");
});

test("an account's rate limit: packets above it are dropped and counted, by direction", async () => {
  const between = wires();
  const slow = { ...ALICE, rateLimit: { upload: 64_000, download: undefined } };
  const device = new Device(SERVER, between).serve({}, [slow]);
  const caller = new Device(CLIENT, between).call();
  await advance(1000, device, caller);
  const [near, far] = [device.net.tun("pptp0"), caller.net.tun("pptp0")];
  // 40 packets of 1000 bytes at once: 24 fit into the burst.
  for (let n = 0; n < 40; n++) far?.deliver(ipv4Packet(1000, n));
  await advance(50, device, caller);
  for (let n = 0; n < 40; n++) near?.deliver(ipv4Packet(1000, n));
  await advance(50, device, caller);
  assert.ok(Math.abs((near?.written.length ?? 0) - 24) <= 1, String(near?.written.length));
  assert.equal(far?.written.length, 40);
  const { dropped, receivedPackets } = device.vpn.sessions()[0]?.traffic ?? assert.fail();
  assert.equal((dropped["above the upload limit"] ?? 0) + receivedPackets, 40);
});
