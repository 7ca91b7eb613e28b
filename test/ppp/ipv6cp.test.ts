import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv6cpPolicy } from "../../appliance/ppp/ipv6cp.ts";
import { asks, judged, list, Script } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const policy = (seed = 5) => new Ipv6cpPolicy(new SeededRandom(seed));
const WINDOWS = "010afcd3335cf10e5c31";

test("a Windows 7 client's identifier is taken; ours is asked for", () => {
  const ipv6cp = policy();
  const script = new Script(ipv6cp).open(WINDOWS);
  assert.equal(script.state, "opened");
  assert.equal(ipv6cp.remote.toString("hex"), "fcd3335cf10e5c31");
  assert.equal(asks(ipv6cp), `010a${ipv6cp.local.toString("hex")}`);
});
test("an identifier of zero, and ours, are Naked with another that is neither", () => {
  const ipv6cp = policy();
  for (const bad of ["010a0000000000000000", `010a${ipv6cp.local.toString("hex")}`]) {
    const [, nak = ""] = /^nak 010a([0-9a-f]{16})$/.exec(judged(ipv6cp, bad)) ?? [];
    assert.ok(nak !== "" && nak !== "0000000000000000" && nak !== ipv6cp.local.toString("hex"), nak);
  }
});
test("other options are rejected", () => assert.equal(judged(policy(), `${WINDOWS} 0204004f`), "reject 0204004f"));
test("an identifier we are told is taken, zero is not", () => {
  const ipv6cp = policy();
  assert.equal(ipv6cp.naked(list("010a0000000000000000")), true);
  assert.notEqual(ipv6cp.local.toString("hex"), "0000000000000000");
  ipv6cp.naked(list("010a1122334455667788"));
  assert.equal(asks(ipv6cp), "010a1122334455667788");
});
test("without an identifier there is no IPv6", () => assert.equal(policy().rejected(), false));
