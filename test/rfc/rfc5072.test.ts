/** IPV6CP, and the IPv6 header the data path looks at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv6cpPolicy } from "../../appliance/ppp/ipv6cp.ts";
import { isIpv6Packet } from "../../appliance/wire/ipv4.ts";
import { parseIpv6cpOption } from "../../appliance/wire/ipv6cp-option.ts";
import { hex } from "../support/hex.ts";
import { judged } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

test("RFC 5072 §4.1 Interface-Identifier: type 1, eight octets, not zero, the universal bit clear", () => {
  assert.equal(parseIpv6cpOption({ type: 1, data: hex("0011223344556677") }).kind, "interface-identifier");
  for (let seed = 0; seed < 200; seed++) {
    const { local } = new Ipv6cpPolicy(new SeededRandom(seed));
    assert.equal(local.length, 8);
    assert.equal((local[0] ?? 0) & 2, 0);
  }
  const unlucky = new Ipv6cpPolicy({ bytes: (length) => Buffer.alloc(length) });
  assert.notDeepEqual(unlucky.local, Buffer.alloc(8));
});
test("RFC 5072 §4.1 equal identifiers are Naked with another, and zero asks for one", () => {
  const policy = new Ipv6cpPolicy(new SeededRandom(1));
  for (const bad of [policy.local.toString("hex"), "0000000000000000"])
    assert.match(judged(policy, `010a${bad}`), /^nak 010a(?!0{16})[0-9a-f]{16}$/);
});
test("RFC 8200 §3 the header: version 6, forty octets, and a payload length that fits", () => {
  const packet = Buffer.concat([hex("60000000 0004 3aff"), Buffer.alloc(32), hex("01020304")]);
  assert.equal(isIpv6Packet(packet, 0, packet.length), true);
  assert.equal(isIpv6Packet(packet, 0, packet.length - 1), false);
  assert.equal(isIpv6Packet(packet, 0, 39), false);
  const other = Buffer.from(packet);
  other[0] = 0x45;
  assert.equal(isIpv6Packet(other, 0, other.length), false);
});
