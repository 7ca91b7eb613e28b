/** The packets of PAP and CHAP, with what MS-CHAP puts into them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  emitChangePasswordV2,
  emitChapValue,
  emitMsChapFailure,
  emitMsChapV1Response,
  emitMsChapV2Response,
  type MsChapFailure,
  parseChangePasswordV2,
  parseChapValue,
  parseMsChapFailure,
  parseMsChapV1Response,
  parseMsChapV2Response,
} from "../../appliance/wire/chap.ts";
import { emitPapMessage, emitPapRequest, parsePapMessage, parsePapRequest } from "../../appliance/wire/pap.ts";
import { octets, PLAIN, u8 } from "../support/arbitrary.ts";
import { insideCp, WINDOWS_GRE } from "../support/codecs.ts";
import { hex } from "../support/hex.ts";

test("PAP: parse(emit(x)) = x for every request and message", () => {
  const requests = fc.record({ peerId: octets(255), password: octets(255) }, PLAIN);
  fc.assert(
    fc.property(requests, (value) => assert.deepEqual(parsePapRequest(emitPapRequest(value)), { ok: true, value })),
  );
  fc.assert(
    fc.property(octets(255), (value) => assert.deepEqual(parsePapMessage(emitPapMessage(value)), { ok: true, value })),
  );
});
test("PAP: golden request, and an answer without the length of its message", () => {
  const wire = hex("05 616c696365 06 733363726574");
  const value = { peerId: Buffer.from("alice"), password: Buffer.from("s3cret") };
  assert.deepEqual(parsePapRequest(wire), { ok: true, value });
  assert.deepEqual(emitPapRequest(value), wire);
  assert.deepEqual(parsePapMessage(hex("")), { ok: true, value: hex("") });
});
test("PAP: a length beyond the packet is refused", () => {
  assert.deepEqual(parsePapRequest(hex("05 616c69")), { ok: false, fault: "short" });
  assert.deepEqual(parsePapRequest(hex("01 61 ff 62")), { ok: false, fault: "short" });
});

test("CHAP: parse(emit(x)) = x for every value and name", () => {
  const values = fc.record({ value: octets(255), name: octets(60) }, PLAIN);
  fc.assert(
    fc.property(values, (value) => assert.deepEqual(parseChapValue(emitChapValue(value)), { ok: true, value })),
  );
});
test("CHAP: the Challenge of RRAS and the Response of a Windows 7 client", () => {
  const challenge = insideCp(WINDOWS_GRE.challenge);
  const value = { value: hex("05b2f10bdc3d6c92b6cd160adee148b4"), name: Buffer.from("WIN-9BAGS70V5IP") };
  assert.deepEqual(parseChapValue(challenge), { ok: true, value });
  assert.deepEqual(emitChapValue(value), challenge);

  const response = parseChapValue(insideCp(WINDOWS_GRE.response));
  assert.ok(response.ok);
  assert.equal(response.value.name.toString(), "vpnuser");
  const inside = {
    peerChallenge: hex("789223b02a0cc515404bca2c696edcff"),
    ntResponse: hex("8cd6161253eac63fa53cfc6f74692fd73b0768ca63d612f0"),
    flags: 0,
  };
  assert.deepEqual(parseMsChapV2Response(response.value.value), { ok: true, value: inside });
  assert.deepEqual(emitMsChapV2Response(inside), response.value.value);
});
test("CHAP: a value longer than the packet is refused", () =>
  assert.deepEqual(parseChapValue(hex("10 0011")), { ok: false, fault: "short" }));

test("MS-CHAPv2: parse(emit(x)) = x; only 49 bytes are a Response; the reserved bytes do not matter", () => {
  const responses = fc.record({ peerChallenge: octets(16, 16), ntResponse: octets(24, 24), flags: u8 }, PLAIN);
  fc.assert(
    fc.property(responses, octets(8, 8), (value, reserved) => {
      const wire = emitMsChapV2Response(value);
      assert.equal(wire.length, 49);
      reserved.copy(wire, 16);
      assert.deepEqual(parseMsChapV2Response(wire), { ok: true, value });
    }),
  );
  assert.deepEqual(parseMsChapV2Response(Buffer.alloc(48)), { ok: false, fault: "bad-length" });
  assert.deepEqual(parseMsChapV2Response(Buffer.alloc(50)), { ok: false, fault: "bad-length" });
});
test("MS-CHAPv1: parse(emit(x)) = x; only 49 bytes are a Response; only flag 1 makes the NT response count", () => {
  const responses = fc.record(
    { lmResponse: octets(24, 24), ntResponse: octets(24, 24), useNtResponse: fc.boolean() },
    PLAIN,
  );
  fc.assert(
    fc.property(responses, (value) =>
      assert.deepEqual(parseMsChapV1Response(emitMsChapV1Response(value)), { ok: true, value }),
    ),
  );
  assert.deepEqual(parseMsChapV1Response(Buffer.alloc(48)), { ok: false, fault: "bad-length" });
  const other = parseMsChapV1Response(Buffer.concat([Buffer.alloc(48), hex("02")]));
  assert.ok(other.ok && !other.value.useNtResponse);
});
test("Change-Password: parse(emit(x)) = x, 582 bytes of data; fewer are refused", () => {
  const packets = fc.record(
    {
      encryptedPassword: octets(516, 516),
      encryptedHash: octets(16, 16),
      peerChallenge: octets(16, 16),
      ntResponse: octets(24, 24),
    },
    PLAIN,
  );
  fc.assert(
    fc.property(packets, (value) => {
      const wire = emitChangePasswordV2(value);
      assert.equal(wire.length, 582);
      assert.deepEqual(parseChangePasswordV2(wire), { ok: true, value });
    }),
    { numRuns: 20 },
  );
  assert.deepEqual(parseChangePasswordV2(Buffer.alloc(581)), { ok: false, fault: "short" });
});

const failures: fc.Arbitrary<MsChapFailure> = fc.record(
  {
    errorCode: fc.nat(999_999),
    retryAllowed: fc.boolean(),
    challenge: fc.option(fc.oneof(octets(8, 8), octets(16, 16)), { nil: undefined }),
    passwordVersion: fc.nat(9),
    message: fc.oneof(fc.constantFrom("R=1", " E=646", "x R=1 C=0011223344556677 V=9", "M=M= "), fc.string()),
  },
  PLAIN,
);
test("MS-CHAP Failure: parse(emit(x)) = x, whatever the message looks like", () =>
  fc.assert(
    fc.property(failures, (value) =>
      assert.deepEqual(parseMsChapFailure(emitMsChapFailure(value)), { ok: true, value }),
    ),
  ));
test("MS-CHAP Failure: as Windows writes it", () => {
  const text = "E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Authentication failure";
  const value = {
    errorCode: 691,
    retryAllowed: true,
    challenge: hex("00112233445566778899aabbccddeeff"),
    passwordVersion: 3,
    message: "Authentication failure",
  };
  assert.deepEqual(parseMsChapFailure(Buffer.from(text)), { ok: true, value });
  assert.equal(emitMsChapFailure(value).toString(), text);
});
test("MS-CHAP Failure: pppd writes V=0 and small letters; fields may be in any order or missing", () => {
  const read = (text: string) => parseMsChapFailure(Buffer.from(text));
  const pppd = read("E=691 R=1 C=d4f74cb6cb204079dba903b0da331c0e V=0 M=Access denied");
  assert.ok(pppd.ok);
  assert.deepEqual(pppd.value.challenge, hex("d4f74cb6cb204079dba903b0da331c0e"));
  assert.equal(pppd.value.passwordVersion, 0);
  const swapped = read("R=1 E=648");
  assert.ok(swapped.ok);
  assert.deepEqual([swapped.value.errorCode, swapped.value.retryAllowed], [648, true]);
  assert.equal(read("R=1 M=E=691").ok, false); // no error code but in the message
  assert.equal(read("").ok, false);
});
