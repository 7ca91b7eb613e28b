import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  emitPppFrame,
  PLAIN_FRAMING,
  type PppFraming,
  Protocol,
  parsePppFrame,
  skipAddressControl,
  writePppHeader,
} from "../../appliance/wire/ppp-frame.ts";
import { octets, PLAIN, u8 } from "../support/arbitrary.ts";
import { insideGre, WINDOWS_GRE } from "../support/codecs.ts";
import { hex } from "../support/hex.ts";

/** High byte even, low byte odd: RFC 1661 §2. */
const protocols = fc.tuple(u8, u8).map(([high, low]) => ((high & 0xfe) << 8) | low | 1);
const framings: fc.Arbitrary<PppFraming> = fc.record(
  { omitAddressControl: fc.boolean(), compressProtocol: fc.boolean() },
  PLAIN,
);
const frames = fc.record({ protocol: protocols, payload: octets(40) }, PLAIN);

test("parse(emit(x)) = x, however it is framed", () =>
  fc.assert(
    fc.property(frames, framings, (frame, framing) => {
      assert.deepEqual(parsePppFrame(emitPppFrame(frame, framing)), { ok: true, value: frame });
    }),
  ));
test("the header written into headroom ends where the payload begins", () =>
  fc.assert(
    fc.property(frames, framings, ({ protocol, payload }, framing) => {
      const bytes = Buffer.concat([Buffer.alloc(6, 0xee), payload]);
      const start = writePppHeader(bytes, 6, protocol, framing);
      assert.ok(start >= 2 && start <= 5);
      assert.deepEqual(bytes.subarray(start), emitPppFrame({ protocol, payload }, framing));
      assert.ok(bytes.subarray(0, start).every((byte) => byte === 0xee));
    }),
  ));

for (const [what, wire, protocol, payload] of [
  ["all of the header", "ff03c0210101", Protocol.lcp, "0101"],
  ["no Address and Control", "c2230301", Protocol.chap, "0301"],
  ["one protocol byte, as Windows sends MPPE", "fd9000", Protocol.compressed, "9000"],
  ["both bytes of a protocol that fits one", "00fd9000", Protocol.compressed, "9000"],
  ["Address and Control before one byte", "ff03fd9000", Protocol.compressed, "9000"],
  ["nothing behind the protocol", "8021", Protocol.ipcp, ""],
] as const)
  test(`accepted: ${what}`, () =>
    assert.deepEqual(parsePppFrame(hex(wire)), { ok: true, value: { protocol, payload: hex(payload) } }));

for (const [what, wire, fault] of [
  ["nothing", "", "short"],
  ["Address and Control alone", "ff03", "short"],
  ["half a protocol", "c0", "short"],
  ["a protocol that ends in an even byte", "c022", "bad-value"],
] as const)
  test(`refused: ${what}`, () => assert.deepEqual(parsePppFrame(hex(wire)), { ok: false, fault }));

test("RFC 1661 §6.6 LCP keeps Address and Control when they are left out elsewhere", () => {
  const both = { omitAddressControl: true, compressProtocol: true };
  const payload = hex("05010004");
  assert.deepEqual(emitPppFrame({ protocol: Protocol.lcp, payload }, both), hex("ff03c02105010004"));
  assert.deepEqual(emitPppFrame({ protocol: Protocol.ccp, payload }, both), hex("80fd05010004"));
  assert.deepEqual(emitPppFrame({ protocol: Protocol.compressed, payload }, both), hex("fd05010004"));
  assert.deepEqual(emitPppFrame({ protocol: Protocol.compressed, payload }, PLAIN_FRAMING), hex("ff0300fd05010004"));
});
test("Windows frames, each as it was captured", () => {
  const protocolOf = (packet: Buffer) => {
    const parsed = parsePppFrame(insideGre(packet));
    assert.ok(parsed.ok);
    return parsed.value.protocol;
  };
  assert.equal(protocolOf(WINDOWS_GRE.lcpRequest), Protocol.lcp);
  assert.equal(protocolOf(WINDOWS_GRE.identification), Protocol.lcp); // without ff03, once ACFC is agreed
  assert.equal(protocolOf(WINDOWS_GRE.cbcpRequest), Protocol.cbcp);
  assert.equal(protocolOf(WINDOWS_GRE.ipv6cpRequest), Protocol.ipv6cp);
  assert.equal(protocolOf(WINDOWS_GRE.mppe), Protocol.compressed);
});
test("Address and Control are looked for inside the bounds only", () => {
  const bytes = hex("00ff03c021");
  assert.equal(skipAddressControl(bytes, 1, 5), 3);
  assert.equal(skipAddressControl(bytes, 1, 2), 1);
  assert.equal(skipAddressControl(bytes, 3, 5), 3);
});
