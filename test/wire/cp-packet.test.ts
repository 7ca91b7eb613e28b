import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitCpPacket, emitOptions, parseCpPacket, parseOptions } from "../../appliance/wire/cp-packet.ts";
import { octets, PLAIN, u8 } from "../support/arbitrary.ts";
import { insidePpp, WINDOWS_GRE } from "../support/codecs.ts";
import { hex } from "../support/hex.ts";

const packets = fc.record({ code: u8, identifier: u8, data: octets(80) }, PLAIN);
const optionLists = fc.array(fc.record({ type: u8, data: octets(253) }, PLAIN), { maxLength: 6 });

test("packets: parse(emit(x)) = x for every x", () =>
  fc.assert(
    fc.property(packets, (value) => assert.deepEqual(parseCpPacket(emitCpPacket(value)), { ok: true, value })),
  ));
test("option lists: parse(emit(x)) = x for every x", () =>
  fc.assert(
    fc.property(optionLists, (value) => assert.deepEqual(parseOptions(emitOptions(value)), { ok: true, value })),
  ));

test("golden: the first Configure-Request of a Windows 7 client", () => {
  const packet = parseCpPacket(insidePpp(WINDOWS_GRE.lcpRequest));
  assert.ok(packet.ok);
  assert.deepEqual([packet.value.code, packet.value.identifier], [1, 0]);
  assert.deepEqual(parseOptions(packet.value.data), {
    ok: true,
    value: [
      { type: 1, data: hex("0578") },
      { type: 5, data: hex("75eb25d5") },
      { type: 7, data: hex("") },
      { type: 8, data: hex("") },
      { type: 13, data: hex("06") },
    ],
  });
  assert.deepEqual(emitCpPacket(packet.value), insidePpp(WINDOWS_GRE.lcpRequest));
});

for (const [what, wire, fault] of [
  ["nothing", "", "short"],
  ["half a header", "010100", "short"],
  ["a length below the header", "01010003", "bad-length"],
  ["a length beyond the packet", "0101000601", "bad-length"],
] as const)
  test(`packet refused: ${what}`, () => assert.deepEqual(parseCpPacket(hex(wire)), { ok: false, fault }));
test("RFC 1661 §5 octets outside the range of Length are padding", () => {
  assert.deepEqual(parseCpPacket(hex("09070006 aabb eeee")), {
    ok: true,
    value: { code: 9, identifier: 7, data: hex("aabb") },
  });
});

for (const [what, wire] of [
  ["an option of length 0, which would never advance", "0100"],
  ["an option of length 1", "0101"],
  ["an option of length 1, in which another might be read", "630102"],
  ["an option longer than the list", "01040102 0306c0a8"],
  ["a type without a length", "01040578 05"],
] as const)
  test(`option list refused: ${what}`, () => assert.equal(parseOptions(hex(wire)).ok, false));
