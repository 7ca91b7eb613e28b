import assert from "node:assert/strict";
import { test } from "node:test";
import { emitIcmp, errorAbout, IcmpType } from "../../hil/net/ip/icmp.ts";
import { cutIntoFragments, IpProtocol, parseIpv4Packet } from "../../hil/net/ip/packet.ts";
import { type NatBoxSettings, natBox } from "../../hil/net/services/nat-box.ts";
import { icmpOf, type Station, serviceBench, text } from "./service-bench.ts";

const OUTSIDE = "203.0.113.7";

async function box(settings: Partial<NatBoxSettings> = {}) {
  const bench = await serviceBench(
    natBox({ inside: "192.168.1.1/24", outside: `${OUTSIDE}/24`, gateway: "203.0.113.1", ...settings }),
  );
  const one = bench.station("inside", "192.168.1.10");
  const two = bench.station("inside", "192.168.1.11");
  const web = bench.station("outside", "203.0.113.80");
  const other = bench.station("outside", "203.0.113.81");
  return { ...bench, one, two, web, other };
}

/** Sends from 192.168.1.10:5000 and tells by which port the world sees it. */
function portSeen(from: Station, to: Station, destination: string, port = 53): number {
  from.udp(destination, [5000, port], "out");
  return to.takeOne().payload.readUInt16BE(0);
}

test("a packet leaves with the outside address, and its answer comes back; both are one hop older", async () => {
  const { one, web, notes } = await box();
  one.udp("203.0.113.80", [5000, 53], "question");
  const out = web.takeOne();
  assert.equal(text(out), "203.0.113.7:5000 > 203.0.113.80:53 question");
  assert.equal(out.ttl, 63);
  web.udp(OUTSIDE, [53, 5000], "answer");
  const back = one.takeOne();
  assert.equal(text(back), "203.0.113.80:53 > 192.168.1.10:5000 answer");
  assert.equal(back.ttl, 63);
  assert.deepEqual(notes(), ["udp 192.168.1.10:5000 is mapped to outside port 5000, to 203.0.113.80:53"]);
});

test("two hosts that use the same port get two outside ports, and each its own answers", async () => {
  const { one, two, web } = await box();
  assert.equal(portSeen(one, web, "203.0.113.80"), 5000);
  assert.equal(portSeen(two, web, "203.0.113.80"), 5001);
  web.udp(OUTSIDE, [53, 5001], "for two");
  assert.deepEqual(one.take(), []);
  assert.equal(text(two.takeOne()), "203.0.113.80:53 > 192.168.1.11:5000 for two");
});

test("endpoint-independent: one port for everybody, and everybody may answer: RFC 4787 §4.1, §5", async () => {
  const { one, web, other } = await box({ behaviour: "endpoint-independent" });
  assert.equal(portSeen(one, web, "203.0.113.80"), 5000);
  other.udp(OUTSIDE, [99, 5000], "stranger");
  assert.equal(text(one.takeOne()), "203.0.113.81:99 > 192.168.1.10:5000 stranger");
  assert.equal(portSeen(one, other, "203.0.113.81"), 5000);
});

test("address-dependent: one port for each remote address, which may answer from any port", async () => {
  const { one, web, other, node } = await box({ behaviour: "address-dependent" });
  assert.equal(portSeen(one, web, "203.0.113.80"), 5000);
  assert.equal(portSeen(one, web, "203.0.113.80", 54), 5000);
  assert.equal(portSeen(one, other, "203.0.113.81"), 5001);
  web.udp(OUTSIDE, [99, 5000], "another port");
  assert.equal(text(one.takeOne()), "203.0.113.80:99 > 192.168.1.10:5000 another port");
  other.udp(OUTSIDE, [53, 5000], "not its mapping");
  assert.deepEqual(one.take(), []);
  assert.equal(node.nat.dropped, 1);
});

test("symmetric: one port for each remote endpoint, and only that endpoint may answer", async () => {
  const { one, web, notes } = await box({ behaviour: "symmetric" });
  assert.equal(portSeen(one, web, "203.0.113.80"), 5000);
  assert.equal(portSeen(one, web, "203.0.113.80", 54), 5001);
  web.udp(OUTSIDE, [54, 5000], "wrong port");
  assert.deepEqual(one.take(), []);
  web.udp(OUTSIDE, [53, 5000], "right port");
  assert.equal(one.take().length, 1);
  assert.equal(
    notes().at(-1),
    "dropped UDP from 203.0.113.80:54 to 203.0.113.7:5000, because no mapping of outside port 5000 lets it in",
  );
});

test("mapping and filtering can differ, as they do in most homes", async () => {
  const { one, web, other } = await box({ behaviour: "endpoint-independent", filtering: "symmetric" });
  assert.equal(portSeen(one, web, "203.0.113.80"), 5000);
  other.udp(OUTSIDE, [53, 5000], "stranger");
  assert.deepEqual(one.take(), []);
  assert.equal(portSeen(one, other, "203.0.113.81"), 5000);
  other.udp(OUTSIDE, [53, 5000], "asked for");
  assert.equal(one.take().length, 1);
});

test("random ports follow from the seed", async () => {
  const draw = async (seed: number): Promise<number[]> => {
    const { one, web } = await box({ ports: "random", behaviour: "symmetric", seed });
    return [1, 2, 3].map((port) => portSeen(one, web, "203.0.113.80", port));
  };
  const ports = await draw(7);
  assert.deepEqual(await draw(7), ports);
  assert.notDeepEqual(await draw(8), ports);
  assert.equal(new Set(ports).size, 3);
});

test("a mapping is forgotten after its time without packets, in either direction", async () => {
  const { one, web, clock, notes } = await box();
  portSeen(one, web, "203.0.113.80");
  clock.advance(119_000);
  web.udp(OUTSIDE, [53, 5000], "in time");
  clock.advance(119_000);
  web.udp(OUTSIDE, [53, 5000], "in time again");
  assert.equal(one.take().length, 2);
  clock.advance(120_000);
  web.udp(OUTSIDE, [53, 5000], "late");
  assert.deepEqual(one.take(), []);
  assert.ok(notes().includes("udp 192.168.1.10:5000 at outside port 5000 is forgotten"));
});

test("TCP: an open connection lives for hours, one that is closed or never opened for minutes: RFC 5382 REQ-5", async () => {
  const [SYN, ACK, FIN, RST] = [0x02, 0x10, 0x11, 0x04];
  const { one, web, node, clock } = await box();
  const isMapped = (port: number): boolean => node.nat.mappings.some(({ outsidePort }) => outsidePort === port);
  for (const port of [6000, 6001, 6002, 6003]) one.tcp("203.0.113.80", [port, 80], SYN);
  for (const port of [6001, 6002, 6003]) {
    web.tcp(OUTSIDE, [80, port], SYN | ACK);
    one.tcp("203.0.113.80", [port, 80], ACK);
  }
  one.tcp("203.0.113.80", [6002, 80], FIN);
  web.tcp(OUTSIDE, [80, 6002], FIN);
  one.tcp("203.0.113.80", [6002, 80], ACK);
  web.tcp(OUTSIDE, [80, 6003], RST);
  assert.equal([...web.take(), ...one.take()].map(text).length, 14);
  clock.advance(240_000);
  assert.deepEqual([6000, 6001, 6002, 6003].map(isMapped), [false, true, false, false]);
  clock.advance(7_440_000 - 240_000);
  assert.equal(isMapped(6001), false);
});

test("pings are translated by their identifier, and the box itself answers those from outside", async () => {
  const { one, two, web } = await box();
  one.ping("203.0.113.80", 2000);
  two.ping("203.0.113.80", 2000);
  assert.deepEqual(web.take().map(text), [
    "203.0.113.7 > 203.0.113.80 icmp 8/0 2000/1",
    "203.0.113.7 > 203.0.113.80 icmp 8/0 2001/1",
  ]);
  web.send(
    web.packet(OUTSIDE, IpProtocol.icmp, emitIcmp({ type: 0, code: 0, rest: 2001 * 65536 + 1, data: Buffer.alloc(0) })),
  );
  assert.equal(text(two.takeOne()), "203.0.113.80 > 192.168.1.11 icmp 0/0 2000/1");
  web.ping(OUTSIDE, 5, 5);
  assert.equal(text(web.takeOne()), "203.0.113.7 > 203.0.113.80 icmp 0/0 5/5");
});

test("an error about a translated packet reaches its sender, who finds its own packet in it: RFC 5508 §4.2", async () => {
  const { one, two, web } = await box();
  portSeen(two, web, "203.0.113.80");
  one.udp("203.0.113.80", [5000, 53], "hello");
  const sent = web.takeOne();
  assert.equal(sent.payload.readUInt16BE(0), 5001);
  const error = errorAbout(sent, IcmpType.unreachable, 4, 1400) ?? assert.fail();
  web.send(web.packet(OUTSIDE, IpProtocol.icmp, emitIcmp(error)));
  const arrived = one.takeOne();
  assert.equal(text(arrived), "203.0.113.80 > 192.168.1.10 icmp 3/4 0/1400");
  const quoted = parseIpv4Packet(icmpOf(arrived).data);
  assert.ok(quoted.ok, "the quoted header's checksum is right");
  assert.equal(text(quoted.value).split(" ")[0], "192.168.1.10:5000");
});

test("an error from inside about a packet from outside leaves with the outside address, also in what it quotes", async () => {
  const { one, web } = await box();
  portSeen(one, web, "203.0.113.80");
  web.udp(OUTSIDE, [53, 5000], "answer");
  const error = errorAbout(one.takeOne(), IcmpType.unreachable, 3) ?? assert.fail();
  one.send(one.packet("203.0.113.80", IpProtocol.icmp, emitIcmp(error)));
  const arrived = web.takeOne();
  assert.equal(text(arrived), "203.0.113.7 > 203.0.113.80 icmp 3/3 0/0");
  const quoted = parseIpv4Packet(icmpOf(arrived).data);
  assert.ok(quoted.ok);
  assert.equal(text(quoted.value), "203.0.113.80:53 > 203.0.113.7:5000 answer");
});

test("an error about a packet that nobody here sent stays outside", async () => {
  const { one, web, node } = await box();
  const never = web.packet("203.0.113.80", IpProtocol.udp, Buffer.from("138800350008aaaa", "hex"));
  const error = errorAbout(never, IcmpType.unreachable, 3) ?? assert.fail();
  web.send(web.packet(OUTSIDE, IpProtocol.icmp, emitIcmp(error)));
  assert.deepEqual([one.take(), node.nat.dropped], [[], 1]);
});

test("fragments are put together to be translated, and cut again for a narrow outside", async () => {
  const { one, web, frames } = await box({ outside: { address: `${OUTSIDE}/24`, mtu: 600 } });
  const big = "x".repeat(1300);
  one.udp("203.0.113.80", [5000, 53], big);
  assert.equal(web.take().length, 3);
  assert.equal(Math.max(...frames("outside").map((frame) => frame.length)), 14 + 596);
  for (const piece of cutIntoFragments(web.udpPacket(OUTSIDE, [53, 5000], big), 600)) web.send(piece);
  assert.equal(text(one.takeOne()), `203.0.113.80:53 > 192.168.1.10:5000 ${big}`);
});

test("damage stays damage: a payload that was corrupted on its way is not made right by the translation", async () => {
  const { one, web } = await box();
  const packet = one.udpPacket("203.0.113.80", [5000, 53], "hello");
  packet.payload.write("j", 8);
  one.send(packet);
  const [arrived = assert.fail()] = web.take();
  assert.throws(() => text(arrived), /a UDP checksum is wrong/);
  arrived.payload.write("h", 8);
  assert.equal(text(arrived), "203.0.113.7:5000 > 203.0.113.80:53 hello");
});

test("a UDP packet without a checksum stays without one", async () => {
  const { one, web } = await box();
  one.send(one.packet("203.0.113.80", IpProtocol.udp, Buffer.from("13880035000d000068656c6c6f", "hex")));
  assert.equal(web.takeOne().payload.readUInt16BE(6), 0);
});

test("a forwarded port lets everybody in, and its answers leave from it", async () => {
  const { two, web } = await box({ forwards: [{ protocol: "udp", port: 8053, to: "192.168.1.11", toPort: 53 }] });
  web.udp(OUTSIDE, [4000, 8053], "question");
  assert.equal(text(two.takeOne()), "203.0.113.80:4000 > 192.168.1.11:53 question");
  two.udp("203.0.113.80", [53, 4000], "answer");
  assert.equal(text(web.takeOne()), "203.0.113.7:8053 > 203.0.113.80:4000 answer");
});

test("what lives on after a snapshot: mappings with the rest of their time, neighbours, the luck of ports", async () => {
  const settings: Partial<NatBoxSettings> = { ports: "random", behaviour: "symmetric", seed: 3 };
  const before = await box(settings);
  const port = portSeen(before.one, before.web, "203.0.113.80");
  before.web.udp(OUTSIDE, [53, port], "teaches the box who is who");
  before.clock.advance(100_000);
  const saved = JSON.parse(JSON.stringify(before.service.save())) as unknown;
  const next = portSeen(before.one, before.web, "203.0.113.80", 54);

  const after = await box(settings);
  after.clock.advance(5_000_000);
  after.service.restore(saved);
  after.web.udp(OUTSIDE, [53, port], "still there");
  assert.equal(text(after.one.takeOne()), "203.0.113.80:53 > 192.168.1.10:5000 still there");
  assert.equal(after.frames("inside").length, 1, "nobody had to be asked for");
  assert.equal(portSeen(after.one, after.web, "203.0.113.80", 54), next);
  const late = await box(settings);
  late.service.restore(saved);
  late.clock.advance(20_000);
  late.web.udp(OUTSIDE, [53, port], "its time is over");
  assert.deepEqual(late.one.take(), []);
});

test("forget is what a power failure does: the outside finds nobody, the inside makes new mappings", async () => {
  const { one, web, node } = await box();
  portSeen(one, web, "203.0.113.80");
  node.nat.forget();
  web.udp(OUTSIDE, [53, 5000], "whoever");
  assert.deepEqual(one.take(), []);
  assert.equal(portSeen(one, web, "203.0.113.80"), 5000);
});

test("a thousand equal drops are one note", async () => {
  const { web, node, notes } = await box();
  for (let times = 0; times < 1000; times++) web.udp(OUTSIDE, [1, 2], "knock");
  assert.deepEqual([node.nat.dropped, notes().length], [1000, 1]);
});

test("the inside is not reached by its own addresses, nor the outside from inside by a detour", async () => {
  const { one, web, node, notes } = await box();
  web.udp("192.168.1.10", [1, 2], "in by routing");
  one.udp(OUTSIDE, [1, 2], "hairpin");
  assert.deepEqual([one.take(), node.nat.dropped], [[], 2]);
  assert.match(notes().join("\n"), /it is not for the outside address\n.*this box does no hairpinning/);
});
