/** Disconnect- and CoA-Requests: who is obeyed, what is refused with which Error-Cause. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkResponseAuthenticator } from "../../appliance/crypto/radius.ts";
import { DynamicAuthorization, type DynamicRequest } from "../../appliance/radius/dynamic-authorization.ts";
import { parseRadiusPacket, RadiusCode } from "../../appliance/wire/radius.ts";
import {
  interpretRadiusAttributes,
  numberOf,
  octetsOf,
  type RadiusAttribute,
} from "../../appliance/wire/radius-attribute.ts";
import { hex } from "../support/hex.ts";
import { ip } from "../support/link-end.ts";
import { dynamicRequest, RADIUS, RADIUS_ONE } from "../support/radius-server.ts";
import { withSeed } from "../support/seeded-random.ts";

const { disconnectRequest, changeRequest } = RadiusCode;
const BOB: RadiusAttribute = { kind: "user-name", octets: Buffer.from("bob") };

function send(code: number, attributes: readonly RadiusAttribute[], sessions = 1) {
  const seen: DynamicRequest[] = [];
  const bytes = dynamicRequest(code, attributes);
  const act = (request: DynamicRequest): number => {
    seen.push(request);
    return sessions;
  };
  const answer = new DynamicAuthorization().receive(RADIUS_ONE.address, bytes, RADIUS, act);
  assert.ok(answer, "no answer");
  assert.ok(checkResponseAuthenticator(answer, bytes.subarray(4, 20), RADIUS_ONE.secret), "signed for this request");
  const packet = parseRadiusPacket(answer);
  assert.ok(packet.ok);
  const meaning = interpretRadiusAttributes(packet.value.attributes);
  return { code: packet.value.code, cause: numberOf(meaning, "error-cause"), meaning, seen };
}

test("RFC 3576 §2.3 a Disconnect-Request names its session by everything it says, and is acknowledged", () => {
  const { code, cause, seen } = send(disconnectRequest, [
    BOB,
    { kind: "acct-session-id", octets: Buffer.from("s1") },
    { kind: "framed-ip-address", address: ip("192.168.1.200") },
    { kind: "calling-station-id", octets: Buffer.from("198.51.100.7") },
    { kind: "nas-port", number: 7 },
  ]);
  assert.deepEqual([code, cause], [RadiusCode.disconnectAck, undefined]);
  const selector = {
    userName: "bob",
    acctSessionId: "s1",
    address: ip("192.168.1.200"),
    callingStation: "198.51.100.7",
    number: 7,
  };
  assert.deepEqual(seen, [{ type: "disconnect", selector }]);
});

test("a CoA-Request changes time-outs and nothing else", () => {
  const { code, seen } = send(changeRequest, [BOB, { kind: "session-timeout", number: 60 }]);
  assert.equal(code, RadiusCode.changeAck);
  assert.deepEqual(
    seen.map((each) => each.type === "change" && [each.sessionTimeoutMs, each.idleTimeoutMs]),
    [[60_000, undefined]],
  );
});

const OF_US: RadiusAttribute = { kind: "nas-identifier", octets: Buffer.from("culvert") };
for (const [what, code, attributes, sessions, cause] of [
  ["no such session", disconnectRequest, [BOB, OF_US], 0, 503],
  ["no session named", disconnectRequest, [OF_US], 1, 402],
  ["another NAS", disconnectRequest, [BOB, { kind: "nas-identifier", octets: Buffer.from("x") }], 1, 403],
  ["Authorize Only", disconnectRequest, [BOB, { kind: "service-type", number: 17 }], 1, 405],
  ["an attribute that cannot be obeyed", disconnectRequest, [BOB, { kind: "framed-mtu", number: 1 }], 1, 401],
  ["a vendor's attribute", changeRequest, [BOB, { kind: "unknown", type: 26, data: hex("0000000901020304") }], 1, 401],
  ["time-outs in a Disconnect-Request", disconnectRequest, [BOB, { kind: "session-timeout", number: 1 }], 1, 401],
  ["a CoA-Request that changes nothing", changeRequest, [BOB], 1, 402],
  ["a CoA-Request for nobody", changeRequest, [BOB, { kind: "idle-timeout", number: 1 }], 0, 503],
] as readonly (readonly [string, number, readonly RadiusAttribute[], number, number])[])
  test(`RFC 3576 §3.1 ${what}: refused with Error-Cause ${cause}, Proxy-State echoed`, () => {
    const state: RadiusAttribute = { kind: "proxy-state", octets: hex("0102") };
    const result = send(code, [...attributes, state], sessions);
    assert.deepEqual([result.code, result.cause], [code + 2, cause]);
    assert.deepEqual(octetsOf(result.meaning, "proxy-state"), hex("0102"));
    assert.equal(result.seen.length, cause === 503 ? 1 : 0);
  });

test("strangers, wrong secrets and other codes get no answer and are not obeyed", () => {
  const dynamic = new DynamicAuthorization();
  const obey = (): number => assert.fail("obeyed");
  const good = dynamicRequest(disconnectRequest, [BOB]);
  const wrong = dynamicRequest(disconnectRequest, [BOB], 1, "wrong");
  assert.equal(dynamic.receive(ip("10.0.0.99"), good, RADIUS, obey), undefined);
  assert.equal(dynamic.receive(RADIUS_ONE.address, wrong, RADIUS, obey), undefined);
  assert.equal(
    dynamic.receive(RADIUS_ONE.address, dynamicRequest(RadiusCode.accountingRequest, [BOB]), RADIUS, obey),
    undefined,
  );
  assert.equal(dynamic.refused, 3);
});

test("the same request twice gets the same answer and is carried out once: a replay ends nobody", () => {
  const dynamic = new DynamicAuthorization();
  const bytes = dynamicRequest(disconnectRequest, [BOB]);
  let carriedOut = 0;
  const act = (): number => ++carriedOut;
  const first = dynamic.receive(RADIUS_ONE.address, bytes, RADIUS, act);
  assert.deepEqual(dynamic.receive(RADIUS_ONE.address, bytes, RADIUS, act), first);
  assert.equal(carriedOut, 1);
  dynamic.receive(RADIUS_ONE.address, dynamicRequest(disconnectRequest, [BOB], 2), RADIUS, act);
  assert.equal(carriedOut, 2);
});

test("any bytes from a server are survived", () =>
  withSeed(5, (random) => {
    const dynamic = new DynamicAuthorization();
    for (let n = 0; n < 2000; n++)
      dynamic.receive(RADIUS_ONE.address, random.bytes(random.below(60)), RADIUS, () => assert.fail("obeyed"));
  }));
