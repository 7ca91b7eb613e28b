/** RADIUS extensions and accounting: what protects a packet. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import {
  authenticatorAttributeAt,
  checkRequestAuthenticator,
  messageAuthenticator,
  radiusAuthenticator,
} from "../../appliance/crypto/radius.ts";
import { emitRadiusPacket } from "../../appliance/wire/radius.ts";
import { emitRadiusAttribute, MESSAGE_AUTHENTICATOR } from "../../appliance/wire/radius-attribute.ts";

const SECRET = "xyzzy5461";
const NAME = emitRadiusAttribute({ kind: "user-name", octets: Buffer.from("nemo") });
const HMAC = emitRadiusAttribute({ kind: "message-authenticator", octets: Buffer.alloc(16) });

test("RFC 2869 §5.14 Message-Authenticator = HMAC-MD5 (Type, Identifier, Length, Request Authenticator, Attributes)", () => {
  const authenticator = Buffer.alloc(16, 9);
  const packet = emitRadiusPacket({ code: 1, identifier: 3, authenticator, attributes: [NAME, HMAC] });
  const at = authenticatorAttributeAt(packet, MESSAGE_AUTHENTICATOR) ?? assert.fail();
  assert.equal(at, packet.length - 16);
  const expected = createHmac("md5", SECRET).update(packet).digest();
  assert.deepEqual(messageAuthenticator(packet, at, authenticator, SECRET), expected);
  Buffer.from(expected).copy(packet, at);
  assert.deepEqual(messageAuthenticator(packet, at, authenticator, SECRET), expected, "whatever stands in its place");
});
test("RFC 2869 §5 a Message-Authenticator of another length is none", () => {
  const short = { type: MESSAGE_AUTHENTICATOR, data: Buffer.alloc(15) };
  const packet = emitRadiusPacket({ code: 1, identifier: 3, authenticator: Buffer.alloc(16), attributes: [short] });
  assert.equal(authenticatorAttributeAt(packet, MESSAGE_AUTHENTICATOR), undefined);
});
test("RFC 2866 §3 the authenticator of an Accounting-Request is MD5 over the packet with 16 zeros, and the secret", () => {
  const zeros = Buffer.alloc(16);
  const packet = emitRadiusPacket({ code: 4, identifier: 3, authenticator: zeros, attributes: [NAME] });
  radiusAuthenticator(packet, zeros, SECRET).copy(packet, 4);
  assert.ok(checkRequestAuthenticator(packet, SECRET));
  packet[21] = 7;
  assert.ok(!checkRequestAuthenticator(packet, SECRET));
});
test("RFC 2866 §5 accounting attributes are words of 32 bits, Acct-Session-Id is text", () => {
  const kinds = { "acct-status-type": 40, "acct-input-octets": 42, "acct-terminate-cause": 49 } as const;
  for (const [kind, type] of Object.entries(kinds))
    assert.deepEqual(emitRadiusAttribute({ kind: kind as "acct-status-type", number: 0x01020304 }), {
      type,
      data: Buffer.from([1, 2, 3, 4]),
    });
  assert.equal(emitRadiusAttribute({ kind: "acct-session-id", octets: Buffer.from("7") }).type, 44);
});
test("RFC 3576 §3 Error-Cause is attribute 101", () =>
  assert.deepEqual(emitRadiusAttribute({ kind: "error-cause", number: 503 }), {
    type: 101,
    data: Buffer.from([0, 0, 1, 0xf7]),
  }));
