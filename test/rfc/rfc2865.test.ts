/** RADIUS: the RFC's own packets, byte for byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chapMd5 } from "../../appliance/crypto/chap.ts";
import {
  authenticatorAttributeAt,
  checkResponseAuthenticator,
  hideUserPassword,
  radiusAuthenticator,
  revealUserPassword,
} from "../../appliance/crypto/radius.ts";
import { emitRadiusPacket, parseRadiusPacket } from "../../appliance/wire/radius.ts";
import {
  addressOf,
  emitRadiusAttribute,
  interpretRadiusAttributes,
  numberOf,
  octetsOf,
  parseFramedRoute,
  type RadiusAttribute,
} from "../../appliance/wire/radius-attribute.ts";
import { hex } from "../support/hex.ts";
import { ip } from "../support/link-end.ts";

const SECRET = "xyzzy5461";
const TELNET_REQUEST = hex(`01000038 0f403f9473978057bd83d5cb98f4227a 01066e656d6f 02120dbe708d93d413ce3196e43f782a0aee
  0406c0a80110 050600000003`);
const TELNET_ACCEPT = hex("02000026 86fe220e7624ba2a1005f6bf9b55e0b2 060600000001 0f0600000000 0e06c0a80103");
const CHAP_REQUEST =
  hex(`01010047 2aee86f08d0d55969ca5978e0d3367a2 0108666c6f707379 031316e97557c316185895f293ff63440772
  75 0406c0a80110 050600000014 060600000002 070600000001`);
const CHAP_ACCEPT = hex(`02010038 15efbc7dab26cfa3dc34d9c03c8601a4 060600000002 070600000001 0806fffffffe 0a0600000002
  0d0600000001 0c06000005dc`);
const CARD_REQUEST = hex(`01020039 f3a47a1f6a6d76710b947ab93041a039 01076d6f707379 021233657573778289b570885e15084825c5
  0406c0a80110 050600000007`);
const CARD_CHALLENGE = hex(`0b02004e 36f3c8764ae8c71157403c0c71ff9c45 12304368616c6c656e67652033323736393433302e2020456e
  74657220726573706f6e73652061742070726f6d70742e 180a3332373639343330`);
const CARD_RESPONSE = hex(`01030043 b122556d428a13d0d6253807c457ecf0 01076d6f707379 0212692c1f205fc081b919b95195f561a581
  0406c0a80110 050600000007 180a3332373639343330`); // printed as 18 10, against the Length of 67
const CARD_REJECT = hex("03030014 a42f4fca45916c4e09c8340f9e746aa0");

function attributes(packet: Buffer): readonly RadiusAttribute[] {
  const parsed = parseRadiusPacket(packet);
  assert.ok(parsed.ok);
  return interpretRadiusAttributes(parsed.value.attributes);
}
const authenticator = (packet: Buffer) => packet.subarray(4, 20);
function password(request: Buffer): string | undefined {
  const hidden = octetsOf(attributes(request), "user-password");
  assert.ok(hidden);
  const plain = revealUserPassword(hidden, authenticator(request), SECRET);
  assert.deepEqual(hideUserPassword(plain ?? hidden, authenticator(request), SECRET), hidden);
  return plain?.toString("latin1").replace(/\0+$/, "");
}

test("RFC 2865 §3 octets behind Length are padding, and what is parsed is emitted as it was", () => {
  for (const packet of [TELNET_REQUEST, TELNET_ACCEPT, CHAP_REQUEST, CHAP_ACCEPT, CARD_CHALLENGE, CARD_REJECT]) {
    const parsed = parseRadiusPacket(Buffer.concat([packet, hex("dead")]));
    assert.ok(parsed.ok);
    assert.deepEqual(emitRadiusPacket(parsed.value), packet);
    const meaning = interpretRadiusAttributes(parsed.value.attributes);
    assert.deepEqual(emitRadiusPacket({ ...parsed.value, attributes: meaning.map(emitRadiusAttribute) }), packet);
  }
});
test("RFC 2865 §5.2 a password of 0 to 128 octets is hidden in blocks of 16 and revealed again; a longer one is not sent", () => {
  const request = Buffer.alloc(16, 7);
  for (const length of [0, 1, 15, 16, 17, 128]) {
    const hidden = hideUserPassword(Buffer.alloc(length, 0x61), request, SECRET) ?? assert.fail();
    assert.equal(hidden.length, Math.max(16, Math.ceil(length / 16) * 16));
    const plain = revealUserPassword(hidden, request, SECRET) ?? assert.fail();
    assert.equal(plain.toString("latin1").replace(/\0+$/, ""), "a".repeat(length));
  }
  assert.equal(hideUserPassword(Buffer.alloc(129), request, SECRET), undefined);
  assert.equal(revealUserPassword(Buffer.alloc(17), request, SECRET), undefined);
});
test("RFC 2865 §5.22 a Framed-Route without a length uses the classes of addresses", () =>
  assert.deepEqual(parseFramedRoute(Buffer.from("192.168.1.0 192.168.1.1 1")), {
    ok: true,
    value: { address: ip("192.168.1.0"), length: 24 },
  }));
test("RFC 2865 §7.1 telnet: nemo's password is arctangent, and the Accept answers this request alone", () => {
  assert.equal(password(TELNET_REQUEST), "arctangent");
  assert.equal(octetsOf(attributes(TELNET_REQUEST), "user-name")?.toString(), "nemo");
  assert.equal(addressOf(attributes(TELNET_REQUEST), "nas-ip-address"), ip("192.168.1.16"));
  assert.ok(checkResponseAuthenticator(TELNET_ACCEPT, authenticator(TELNET_REQUEST), SECRET));
  assert.ok(!checkResponseAuthenticator(TELNET_ACCEPT, authenticator(CHAP_REQUEST), SECRET));
  assert.ok(!checkResponseAuthenticator(TELNET_ACCEPT, authenticator(TELNET_REQUEST), "xyzzy5460"));
  const changed = Buffer.from(TELNET_ACCEPT);
  changed[changed.length - 1] = 4;
  assert.ok(!checkResponseAuthenticator(changed, authenticator(TELNET_REQUEST), SECRET));
});
test("RFC 2865 §7.2 CHAP: the Request Authenticator is the challenge; 255.255.255.254 leaves the address to us", () => {
  const request = attributes(CHAP_REQUEST);
  const value = octetsOf(request, "chap-password") ?? assert.fail();
  assert.deepEqual([value.length, value[0]], [17, 22]);
  assert.deepEqual(value.subarray(1).length, chapMd5(22, "?", authenticator(CHAP_REQUEST)).length);
  assert.deepEqual([numberOf(request, "service-type"), numberOf(request, "framed-protocol")], [2, 1]);
  assert.ok(checkResponseAuthenticator(CHAP_ACCEPT, authenticator(CHAP_REQUEST), SECRET));
  assert.equal(addressOf(attributes(CHAP_ACCEPT), "framed-ip-address"), ip("255.255.255.254"));
  assert.equal(numberOf(attributes(CHAP_ACCEPT), "framed-mtu"), 1500);
});
test("RFC 2865 §7.3 challenge, response and reject", () => {
  assert.equal(password(CARD_REQUEST), "challenge");
  assert.equal(password(CARD_RESPONSE), "99101462");
  assert.ok(checkResponseAuthenticator(CARD_CHALLENGE, authenticator(CARD_REQUEST), SECRET));
  assert.equal(octetsOf(attributes(CARD_CHALLENGE), "state")?.toString(), "32769430");
  assert.ok(checkResponseAuthenticator(CARD_REJECT, authenticator(CARD_RESPONSE), SECRET));
  assert.deepEqual(radiusAuthenticator(CARD_REJECT, authenticator(CARD_RESPONSE), SECRET), authenticator(CARD_REJECT));
  assert.equal(authenticatorAttributeAt(CARD_RESPONSE, 80), undefined);
});
test("RFC 2865 §5 the attribute numbers of the table", () => {
  const numbers = { "user-name": 1, "reply-message": 18, state: 24, class: 25, "nas-identifier": 32 } as const;
  for (const [kind, type] of Object.entries(numbers))
    assert.equal(emitRadiusAttribute({ kind: kind as "user-name", octets: Buffer.alloc(1) }).type, type);
});
