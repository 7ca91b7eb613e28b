/** LCP extensions: Identification, and the Callback option. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LcpPolicy } from "../../appliance/ppp/lcp.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { insideCp, WINDOWS_GRE } from "../support/codecs.ts";
import { hex } from "../support/hex.ts";
import { SERVER } from "../support/link-end.ts";
import { asks, judged, Script } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const lcp = (settings = {}) => new LcpPolicy({ ...SERVER.lcp, demandAuth: [], ...settings }, new SeededRandom(3));

test("RFC 1570 §1 the codes of Identification and Time-Remaining are 12 and 13, and neither is rejected", () => {
  assert.deepEqual([CpCode.identification, CpCode.timeRemaining], [12, 13]);
  const script = new Script(lcp()).open();
  assert.deepEqual(script.receive(12, 1, hex("00000000")), []);
  assert.deepEqual(script.receive(13, 1, hex("00000000 0000003c")), []);
});
test("RFC 1570 §1.1 Identification: magic number, then the message; received in any state, never answered", () => {
  const policy = lcp();
  const script = new Script(policy);
  script.start();
  assert.deepEqual(script.receive(CpCode.identification, 1, insideCp(WINDOWS_GRE.identification)), []);
  assert.deepEqual(policy.identifications, [Buffer.from("MSRASV5.20")]);
  const ours = policy.identification(7, Buffer.from("Culvert"));
  assert.equal(ours.code, 12);
  assert.equal(ours.data.readUInt32BE(), policy.magic);
  assert.equal(ours.data.subarray(4).toString(), "Culvert");
});
test("RFC 1570 §2.3 Callback: type 13, operation, message; taken only when CBCP decides", () => {
  assert.deepEqual(parseLcpOption({ type: 13, data: hex("03616263") }), {
    kind: "callback",
    operation: 3,
    message: Buffer.from("abc"),
  });
  assert.equal(judged(lcp(), "0d0306"), "reject 0d0306");
  assert.equal(judged(lcp({ callback: "cbcp" }), "0d0306"), "ack");
  assert.match(asks(lcp({ requestCallback: true })), /0d0306$/);
});
