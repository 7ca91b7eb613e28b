/** RADIUS packets and attributes: everything that can be said is read back, and nothing that cannot be is an exception. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitRadiusPacket, parseRadiusPacket, type RawAttribute } from "../../appliance/wire/radius.ts";
import {
  emitRadiusAttribute,
  interpretRadiusAttributes,
  parseFramedRoute,
  RADIUS_KINDS,
  type RadiusAttribute,
} from "../../appliance/wire/radius-attribute.ts";
import { octets, PLAIN, u8, u32 } from "../support/arbitrary.ts";
import { hex } from "../support/hex.ts";
import { ip } from "../support/link-end.ts";

const raw = fc.record({ type: u8, data: octets(253) }, PLAIN);
const packets = fc.record(
  { code: u8, identifier: u8, authenticator: octets(16, 16), attributes: fc.array(raw, { maxLength: 8 }) },
  PLAIN,
);
/** Every kind with a value of each format: only the one that fits its kind survives as that kind. */
const attributes: fc.Arbitrary<RadiusAttribute> = fc
  .record({ kind: fc.constantFrom(...RADIUS_KINDS), octets: octets(247), number: u32 }, PLAIN)
  .map(({ kind, octets: bytes, number }) => {
    for (const candidate of [
      { kind, octets: bytes },
      { kind, number },
      { kind, address: Ipv4(number) },
    ] as RadiusAttribute[]) {
      const [again] = interpretRadiusAttributes([emitRadiusAttribute(candidate)]);
      if (again?.kind === kind && Object.keys(again).join() === Object.keys(candidate).join()) return candidate;
    }
    return assert.fail(`no format fits ${kind}`);
  });

test("packets: parse(emit(x)) = x for every x", () =>
  fc.assert(
    fc.property(packets, (value) => assert.deepEqual(parseRadiusPacket(emitRadiusPacket(value)), { ok: true, value })),
  ));
test("attributes: interpret(emit(x)) = x for every kind", () =>
  fc.assert(
    fc.property(attributes, (value) => {
      assert.deepEqual(interpretRadiusAttributes([emitRadiusAttribute(value)]), [value]);
    }),
    { numRuns: 500 },
  ));
test("any bytes: parsing ends without an exception, and what is not understood is kept as it was", () =>
  fc.assert(
    fc.property(octets(300), (bytes) => {
      const parsed = parseRadiusPacket(bytes);
      if (!parsed.ok) return;
      const meaning = interpretRadiusAttributes(parsed.value.attributes);
      assert.deepEqual(interpretRadiusAttributes(meaning.map(emitRadiusAttribute)), meaning);
    }),
  ));
test("any attributes, vendor ones among them: what is understood, said again, reads the same", () =>
  fc.assert(
    fc.property(fc.array(fc.oneof(raw, octets(60).map(microsoft)), { maxLength: 5 }), (list) => {
      const meaning = interpretRadiusAttributes(list);
      assert.deepEqual(interpretRadiusAttributes(meaning.map(emitRadiusAttribute)), meaning);
    }),
  ));
test("any bytes: a Framed-Route is a network without host bits, or nothing", () =>
  fc.assert(
    fc.property(octets(40), (bytes) => {
      const route = parseFramedRoute(bytes);
      if (route.ok) assert.ok(route.value.length <= 32);
    }),
  ));

function microsoft(inner: Buffer): RawAttribute {
  return { type: 26, data: Buffer.concat([hex("00000137"), inner]) };
}

for (const [what, wire, fault] of [
  ["nothing", "", "short"],
  ["half a header", "0100001400", "short"],
  ["a length below the header", `01000013${"00".repeat(16)}`, "bad-length"],
  ["a length beyond 4096", `01001001${"00".repeat(5000)}`, "bad-length"],
  ["a length beyond the datagram", `01000015${"00".repeat(16)}`, "short"],
  ["an attribute of length 1", `01000016${"00".repeat(16)}0101`, "short"],
  ["an attribute of length 0 in the middle", `01000018${"00".repeat(16)}01000102`, "bad-length"],
  ["an attribute beyond the packet", `01000016${"00".repeat(16)}0103`, "short"],
] as const)
  test(`${what} is refused: ${fault}`, () => assert.deepEqual(parseRadiusPacket(hex(wire)), { ok: false, fault }));

test("an attribute or a packet that is too long cannot be written", () => {
  const packet = { code: 1, identifier: 0, authenticator: Buffer.alloc(16) };
  const long = { type: 1, data: Buffer.alloc(254) };
  assert.throws(() => emitRadiusPacket({ ...packet, attributes: [long] }), RangeError);
  const many = Array.from({ length: 17 }, () => ({ type: 1, data: Buffer.alloc(253) }));
  assert.throws(() => emitRadiusPacket({ ...packet, attributes: many }), RangeError);
  assert.throws(() => emitRadiusAttribute({ kind: "ms-chap-error", octets: Buffer.alloc(248) }), RangeError);
});

test("several of Microsoft's attributes in one come out alone; one broken part leaves the whole unknown", () => {
  const two = hex("07 06 00000002 08 06 00000006");
  assert.deepEqual(interpretRadiusAttributes([microsoft(two)]), [
    { kind: "ms-mppe-encryption-policy", number: 2 },
    { kind: "ms-mppe-encryption-types", number: 6 },
  ]);
  for (const broken of ["07 06 00000002 08 07 00000006", "07 05 000002", "07 01", ""])
    assert.equal(interpretRadiusAttributes([microsoft(hex(broken))])[0]?.kind, "unknown", broken);
});

test("a number that is not 4 bytes long is unknown, not a guess", () =>
  assert.equal(interpretRadiusAttributes([{ type: 27, data: hex("0e10") }])[0]?.kind, "unknown"));

for (const [text, route] of [
  ["192.168.2.0/24 192.168.2.1 1", ["192.168.2.0", 24]],
  ["192.168.2.77/24 0.0.0.0 1 2 -1 3 400", ["192.168.2.0", 24]],
  ["10.0.0.0 0.0.0.0 1", ["10.0.0.0", 8]],
  ["172.16.0.0", ["172.16.0.0", 16]],
  ["0.0.0.0/0 0.0.0.0", ["0.0.0.0", 0]],
  ["192.168.2.0/33 0.0.0.0", undefined],
  ["192.168.2.256/24", undefined],
  ["branch office", undefined],
] as const)
  test(`Framed-Route "${text}"`, () => {
    const parsed = parseFramedRoute(Buffer.from(text));
    const expected = route && { address: ip(route[0]), length: route[1] };
    assert.deepEqual(parsed.ok ? parsed.value : undefined, expected);
  });
