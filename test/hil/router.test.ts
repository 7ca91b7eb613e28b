import assert from "node:assert/strict";
import { test } from "node:test";
import { defineLab } from "../../hil/lab.ts";
import { emitIcmp } from "../../hil/net/ip/icmp.ts";
import { IpProtocol } from "../../hil/net/ip/packet.ts";
import { natBox } from "../../hil/net/services/nat-box.ts";
import { router } from "../../hil/net/services/router.ts";
import { serviceHost } from "../../hil/net/services/service-host.ts";
import { icmpOf, serviceBench, text } from "./service-bench.ts";

async function between(mtu = 1500) {
  const bench = await serviceBench(
    router({
      nics: { left: "10.0.1.1/24", right: { address: "10.0.2.1/24", mtu } },
      routes: [{ to: "198.51.100.0/24", via: "10.0.2.9" }],
    }),
  );
  const left = bench.station("left", "10.0.1.2");
  const right = bench.station("right", "10.0.2.2");
  return { ...bench, left, right };
}

test("a router forwards, one hop older, after it has found out who has the address", async () => {
  const { left, right } = await between();
  left.udp("10.0.2.2", [5000, 53], "hello");
  const packet = right.takeOne();
  assert.equal(text(packet), "10.0.1.2:5000 > 10.0.2.2:53 hello");
  assert.equal(packet.ttl, 63);
});

test("packets wait for the answer to ARP, in their order", async () => {
  const { left, right, clock } = await between();
  right.isDead = true;
  for (const word of ["one", "two"]) left.udp("10.0.2.2", [5000, 53], word);
  assert.deepEqual(right.take(), []);
  right.isDead = false;
  clock.advance(1_000); // the second request
  assert.deepEqual(right.take().map(text), ["10.0.1.2:5000 > 10.0.2.2:53 one", "10.0.1.2:5000 > 10.0.2.2:53 two"]);
});

test("a host that does not answer to three requests is unreachable, and the journal says so", async () => {
  const { left, right, clock, notes, frames } = await between();
  right.isDead = true;
  left.udp("10.0.2.2", [5000, 53], "hello");
  for (let second = 0; second < 3; second++) clock.advance(1_000);
  assert.equal(text(left.takeOne()), "10.0.1.1 > 10.0.1.2 icmp 3/1 0/0");
  assert.equal(frames("right").length, 3);
  assert.deepEqual(notes(), ["nobody on right (10.0.2.1/24) answers for 10.0.2.2: a packet to 10.0.2.2 is lost"]);
});

test("a route leads over its gateway; without one the network is unreachable", async () => {
  const { left, ...bench } = await between();
  const gateway = bench.station("right", "10.0.2.9");
  left.udp("198.51.100.7", [1, 2], "far");
  assert.equal(text(gateway.takeOne()), "10.0.1.2:1 > 198.51.100.7:2 far");
  left.udp("192.0.2.1", [1, 2], "nowhere");
  assert.equal(text(left.takeOne()), "10.0.1.1 > 10.0.1.2 icmp 3/0 0/0");
});

test("a packet whose time is over comes back as an error that quotes it", async () => {
  const { left, right } = await between();
  left.ping("10.0.2.2", 9, 1, { ttl: 1 });
  const error = left.takeOne();
  assert.equal(text(error), "10.0.1.1 > 10.0.1.2 icmp 11/0 0/0");
  assert.deepEqual(icmpOf(error).data.subarray(12, 20), Buffer.from([10, 0, 1, 2, 10, 0, 2, 2]));
  assert.deepEqual(right.take(), []);
});

test("no error is sent about an error, a later fragment, or a packet from nobody: RFC 1122 §3.2.2", async () => {
  const { left } = await between();
  left.send(left.packet("192.0.2.1", IpProtocol.icmp, Buffer.from("030cfcf3000000004500", "hex")));
  left.send(left.packet("192.0.2.1", IpProtocol.udp, Buffer.alloc(16), { fragmentOffset: 8 }));
  left.send({
    ...left.packet("192.0.2.1", IpProtocol.udp, Buffer.alloc(16)),
    source: left.packet("0.0.0.0", 1, Buffer.alloc(0)).destination,
  });
  assert.deepEqual(left.take(), []);
});

test("the answer to a ping comes from the address that was asked, on either side", async () => {
  const { left } = await between();
  left.ping("10.0.1.1", 9, 1);
  left.ping("10.0.2.1", 9, 2);
  assert.deepEqual(left.take().map(text), ["10.0.1.1 > 10.0.1.2 icmp 0/0 9/1", "10.0.2.1 > 10.0.1.2 icmp 0/0 9/2"]);
});

test("what is too large for the next network is cut, or refused with its MTU when it may not be cut: RFC 1191", async () => {
  const { left, right } = await between(600);
  const payload = Buffer.from(Array.from({ length: 1400 }, (_, at) => at & 255));
  left.send(left.packet("10.0.2.2", IpProtocol.udp, payload));
  const pieces = right.take();
  assert.deepEqual(
    pieces.map((piece) => [piece.fragmentOffset, piece.payload.length, piece.moreFragments]),
    [
      [0, 576, true],
      [576, 576, true],
      [1152, 248, false],
    ],
  );
  assert.deepEqual(Buffer.concat(pieces.map((piece) => piece.payload)), payload);
  left.send(left.packet("10.0.2.2", IpProtocol.udp, payload, { dontFragment: true }));
  assert.equal(text(left.takeOne()), "10.0.1.1 > 10.0.1.2 icmp 3/4 0/600");
  assert.deepEqual(right.take(), []);
});

test("fragments are forwarded as they are", async () => {
  const { left, right } = await between();
  left.send(left.packet("10.0.2.2", IpProtocol.udp, Buffer.alloc(16), { fragmentOffset: 64, moreFragments: true }));
  const piece = right.takeOne();
  assert.deepEqual([piece.fragmentOffset, piece.moreFragments, piece.payload.length], [64, true, 16]);
});

test("a ping in fragments is put together and answered; overlapping or endless ones are not", async () => {
  const { left, clock } = await between();
  const whole = left.packet(
    "10.0.1.1",
    IpProtocol.icmp,
    emitIcmp({ type: 8, code: 0, rest: 0x0009_0001, data: Buffer.from("ABCDEFGH") }),
  );
  const piece = (from: number, to: number, more: boolean, identification = 1) => ({
    ...whole,
    identification,
    payload: whole.payload.subarray(from, to),
    fragmentOffset: from,
    moreFragments: more,
  });
  left.send(piece(8, 16, false));
  left.send(piece(0, 8, true));
  assert.equal(text(left.takeOne()), "10.0.1.1 > 10.0.1.2 icmp 0/0 9/1");
  left.send(piece(0, 16, true, 2));
  left.send(piece(8, 16, false, 2));
  left.send(piece(0, 8, true, 3));
  clock.advance(30_000);
  left.send(piece(8, 16, false, 3));
  assert.deepEqual(left.take(), []);
});

test("damage is not forwarded: a header whose checksum is wrong", async () => {
  const { left, right, throwIn, frames } = await between();
  left.udp("10.0.2.2", [5000, 53], "hello");
  const good = frames("right").at(-1) ?? assert.fail();
  right.take();
  const bad = Buffer.concat([Buffer.from("024300000100", "hex"), left.mac, good.subarray(12)]);
  bad.writeUInt8(bad.readUInt8(22) ^ 1, 22); // the TTL
  throwIn("left", bad);
  assert.deepEqual(right.take(), []);
});

test("settings that cannot be are refused when they are written, by the compiler where it can", () => {
  assert.throws(() => router({ nics: { a: "10.0.0.1" } }), /"10\.0\.0\.1": give an IPv4 address and a prefix length/);
  assert.throws(
    () => router({ nics: { a: "10.0.0.1/24" }, routes: [{ to: "0.0.0.0/0", via: "10.0.1.1" }] }),
    /the gateway 10\.0\.1\.1 of 0\.0\.0\.0\/0 is on none of the networks/,
  );
  assert.throws(() => router({ nics: { a: { address: "10.0.0.1/24", mtu: 9000 } } }), /mtu 9000/);
  const nics: readonly ("left" | "right")[] = router({ nics: { left: "10.0.0.1/24", right: "10.0.1.1/24" } }).nics;
  assert.deepEqual(nics, ["left", "right"]);
  // @ts-expect-error there is no NIC of this name
  const wrong: readonly "middle"[] = router({ nics: { left: "10.0.0.1/24" } }).nics;
  assert.deepEqual(wrong, ["left"]);
});

test("services are nodes of a lab; the compiler knows their NICs", () => {
  const nodes = {
    nat: natBox({ inside: "10.0.1.1/24", outside: "10.0.2.1/24" }),
    core: router({ nics: { left: "10.0.2.2/24", right: "10.0.3.1/24" } }),
    names: serviceHost({ address: "10.0.3.2/24", dns: {} }),
  };
  defineLab({ nodes, links: { wan: ["nat.outside", "core.left"], far: ["core.right", "names.eth0"] } });
  // @ts-expect-error a NAT box has no such NIC
  defineLab({ nodes, links: { wan: ["nat.wan", "core.left"] } });
  // @ts-expect-error this router has no such NIC
  defineLab({ nodes, links: { wan: ["nat.outside", "core.middle"] } });
});
