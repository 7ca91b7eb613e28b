/** Multilink, which there is none of in one tunnel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LcpPolicy } from "../../appliance/ppp/lcp.ts";
import { parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { hex } from "../support/hex.ts";
import { SERVER } from "../support/link-end.ts";
import { asks, judged } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

test("RFC 1990 §5.1 MRRU, short sequence numbers and endpoint discriminator are known and rejected", () => {
  assert.deepEqual(parseLcpOption({ type: 17, data: hex("064e") }), { kind: "mrru", mrru: 1614 });
  assert.deepEqual(parseLcpOption({ type: 19, data: hex("03aabbccddeeff") }), {
    kind: "endpoint",
    class: 3,
    address: hex("aabbccddeeff"),
  });
  const lcp = new LcpPolicy(SERVER.lcp, new SeededRandom(1));
  assert.equal(judged(lcp, "1104064e 1202 130903aabbccddeeff"), "reject 1104064e1202130903aabbccddeeff");
});

test("RFC 1990 §5.1.1 and RFC 1990 §5.1.3 a profile with multilink asks for an MRRU and names itself by class 1", () => {
  const multilink = { mrru: 1614, endpointDiscriminator: hex("aabbccddeeff") };
  const lcp = new LcpPolicy({ ...SERVER.lcp, multilink }, new SeededRandom(1));
  assert.match(asks(lcp), /1104064e130901aabbccddeeff$/);
});
