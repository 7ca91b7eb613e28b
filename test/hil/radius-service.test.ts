/** The lab's RADIUS server, judged by the code that reads such answers on the device. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkResponseAuthenticator, messageAuthenticator } from "../../appliance/crypto/radius.ts";
import { parseMsChapFailure } from "../../appliance/wire/chap.ts";
import { emitRadiusPacket, parseRadiusPacket, RadiusCode } from "../../appliance/wire/radius.ts";
import {
  emitMsChapAttribute,
  emitRadiusAttribute,
  interpretRadiusAttributes,
  octetsOf,
} from "../../appliance/wire/radius-attribute.ts";
import { parseUdp } from "../../hil/net/ip/udp.ts";
import { serviceHost } from "../../hil/net/services/service-host.ts";
import { serviceBench } from "./service-bench.ts";

const SECRET = "shared";
const AUTHENTICATOR = Buffer.alloc(16, 7);

async function network() {
  const bench = await serviceBench(serviceHost({ address: "192.168.1.10/24", radius: { secret: SECRET } }));
  const host = bench.station("eth0", "192.168.1.1");
  const ask = (bytes: Buffer): Buffer | undefined => {
    host.udp("192.168.1.10", [40_000, 1812], bytes);
    const [packet] = host.take();
    if (packet === undefined) return undefined;
    const udp = parseUdp(packet);
    assert.ok(udp.ok && udp.value.destinationPort === 40_000);
    return udp.value.payload;
  };
  return { ...bench, ask, radius: bench.node.radius ?? assert.fail() };
}

function accessRequest(identifier = 9): Buffer {
  const value = emitMsChapAttribute(5, 0, Buffer.alloc(16), 16, Buffer.alloc(24));
  const attributes = [
    { kind: "user-name", octets: Buffer.from("alice") },
    { kind: "ms-chap2-response", octets: value },
  ] as const;
  return emitRadiusPacket({
    code: RadiusCode.accessRequest,
    identifier,
    authenticator: AUTHENTICATOR,
    attributes: attributes.map(emitRadiusAttribute),
  });
}

test("a caller is refused with the code that was set, signed twice, for the identifier of its CHAP packet", async () => {
  const { ask, radius, notes } = await network();
  radius.refusal = 648;
  const bytes = ask(accessRequest()) ?? assert.fail("no answer");
  assert.ok(checkResponseAuthenticator(bytes, AUTHENTICATOR, SECRET), "Response Authenticator");
  const packet = parseRadiusPacket(bytes);
  assert.ok(packet.ok && packet.value.code === RadiusCode.accessReject && packet.value.identifier === 9);
  const attributes = interpretRadiusAttributes(packet.value.attributes);
  const signature = octetsOf(attributes, "message-authenticator") ?? assert.fail();
  assert.deepEqual(messageAuthenticator(bytes, bytes.indexOf(signature), AUTHENTICATOR, SECRET), signature);
  const error = octetsOf(attributes, "ms-chap-error") ?? assert.fail();
  assert.equal(error[0], 5);
  const said = parseMsChapFailure(error.subarray(1));
  assert.ok(said.ok && said.value.errorCode === 648 && !said.value.retryAllowed);
  assert.deepEqual(notes(), ["RADIUS: 192.168.1.1 asks for alice: refused with 648"]);
});

test("silent, it answers nobody; and what it was told outlives a saved lab", async () => {
  const { ask, radius } = await network();
  radius.isSilent = true;
  assert.equal(ask(accessRequest()), undefined);
  const saved = radius.save();
  const other = (await network()).radius;
  other.restore(saved);
  assert.deepEqual(other.save(), { refusal: 691, isSilent: true });
});

test("any bytes: it never throws, and answers nothing that is no Access-Request", async () => {
  const { ask } = await network();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      if (bytes[0] !== RadiusCode.accessRequest) assert.equal(ask(Buffer.from(bytes)), undefined);
      else ask(Buffer.from(bytes));
    }),
  );
});
