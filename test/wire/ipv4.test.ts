import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatIpv4, Ipv4, ipv4Source, isIpv4Packet, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { octets, u32 } from "../support/arbitrary.ts";
import { hex } from "../support/hex.ts";

const PACKET = hex("4500001c00000000400166cc 0a000001 0a000002 0800f7ff00000000");

test("parse(format(x)) = x for every address", () =>
  fc.assert(fc.property(u32, (value) => assert.equal(parseIpv4(formatIpv4(Ipv4(value))), value))));
test("text to address and back", () => {
  assert.equal(parseIpv4("192.168.43.111"), 0xc0a82b6f);
  assert.equal(formatIpv4(Ipv4(0xc0a82b6f)), "192.168.43.111");
  assert.equal(parseIpv4("0.0.0.0"), 0);
  assert.equal(parseIpv4("255.255.255.255"), 0xffffffff);
});
for (const text of [
  "",
  "1.2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "1.2.3.999",
  "01.2.3.4",
  "1.2.3.4 ",
  "0x1.2.3.4",
  "a.b.c.d",
  "-1.2.3.4",
])
  test(`not an address: '${text}'`, () => assert.equal(parseIpv4(text), undefined));

test("a whole packet, anywhere in a buffer", () => {
  const bytes = Buffer.concat([hex("ff03"), PACKET, hex("ee")]);
  assert.equal(isIpv4Packet(bytes, 2, bytes.length), true);
  assert.equal(ipv4Source(bytes, 2), 0x0a000001);
});
for (const [what, at, value] of [
  ["version 6", 0, 0x65],
  ["a header of 16 bytes", 0, 0x44],
  ["a header longer than the packet", 0, 0x4f],
  ["a total length beyond the packet", 3, 0x1d],
  ["a total length below the header", 3, 0x13],
] as const)
  test(`not a packet: ${what}`, () => {
    const bytes = Buffer.from(PACKET);
    bytes[at] = value;
    assert.equal(isIpv4Packet(bytes, 0, bytes.length), false);
  });
test("looks at no byte outside its bounds, whatever they are", () =>
  fc.assert(
    fc.property(octets(40), fc.nat(40), fc.nat(40), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length);
      const end = Math.min(Math.max(a, b), bytes.length);
      const alone = Buffer.from(bytes.subarray(start, end));
      assert.equal(isIpv4Packet(bytes, start, end), isIpv4Packet(alone, 0, alone.length));
    }),
  ));
