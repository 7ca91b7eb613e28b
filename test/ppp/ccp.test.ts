/** CCP as Windows clients and servers speak it, and what we make of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MppeStrength } from "../../appliance/crypto/mppe-keys.ts";
import { CcpPolicy, type EncryptionPolicy } from "../../appliance/ppp/ccp.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { hex } from "../support/hex.ts";
import { answer, asks, judged, list, packets, request, Script, story } from "../support/negotiation-script.ts";

const REQUIRED: EncryptionPolicy = { use: "required", strengths: [128], allowStateful: false, preferStateful: false };
const ALL: readonly MppeStrength[] = [128, 56, 40];
const policy = (settings: Partial<EncryptionPolicy> = {}, usable = ALL, onReset = () => {}) =>
  new CcpPolicy({ ...REQUIRED, ...settings }, usable, onReset);
const OURS = "120601000040";

// First CCP Configure-Requests, as captured or logged; the answer of a server with our defaults, and the next request.
for (const [system, first, ours] of [
  ["Windows 2000, default", "010000e1", "nak"],
  ["Windows XP, default", "010000e1", "nak"],
  ["Windows XP x64 and 2003", "010000e0", "nak"],
  ["Windows 7, encryption required", "01000040", "ack"],
  ["Windows 10, encryption optional", "01000000", "nak"],
  ["Windows XP over L2TP, no key bits", "01000001", "nak"],
  ["RRAS as the other end", "01000041", "nak"],
  ["RRAS, weaker policy", "01000001", "nak"],
  ["a peer that knows only stateful", "00000040", "nak"],
  ["a peer that knows only 40 bit", "01000020", "nak"],
  ["a peer that wants compression alone", "00000001", "nak"],
] as const)
  for (const use of ["required", "optional"] as const)
    test(`${system} (${first}), encryption ${use}: ${ours}, then 01000040 is agreed on`, () => {
      const ccp = policy({ use });
      const script = new Script(ccp);
      assert.equal(script.start().data.toString("hex"), OURS);
      const outputs = script.ask(`1206${first}`);
      assert.equal(answer(outputs), `${ours} ${OURS}`);
      if (ours === "nak") assert.equal(answer(script.ask(OURS)), `ack ${OURS}`);
      assert.deepEqual(ccp.agreement.send, { strength: 128, stateless: true });
    });
test("the whole dance of a Windows 7 client with RRAS: its Nak of compression, our Ack of its request", () => {
  const ccp = policy();
  const script = new Script(ccp);
  const first = script.start();
  script.ask(OURS);
  script.acknowledge(first);
  assert.equal(script.state, "opened");
  assert.deepEqual(ccp.agreement, {
    send: { strength: 128, stateless: true },
    receive: { strength: 128, stateless: true },
  });
});
test("a Windows 10 client Naks our wider request with 01000040", () => {
  const ccp = policy({ strengths: [128, 40] });
  const script = new Script(ccp);
  const first = script.start();
  const next = request(script.receive(CpCode.configureNak, first.identifier, hex(OURS)));
  assert.equal(next.data.toString("hex"), OURS);
});
test("after both are open Windows 10 sends its request once more: acknowledged again, nothing starts over", () => {
  const script = new Script(policy()).open(OURS);
  assert.deepEqual(story(script.ask(OURS)), ["configureAck"]);
  assert.equal(script.state, "opened");
});
test("RRAS Naks ours with compression: we keep asking for what we want", () => {
  const ccp = policy();
  assert.equal(ccp.naked(list("120601000041")), true);
  assert.equal(asks(ccp), OURS);
});

for (const [peer, settings, verdict] of [
  ["010000e0", { strengths: [128, 56, 40] }, `nak ${OURS}`], // one length at a time
  ["010000a0", { strengths: [128, 56, 40] }, "nak 120601000080"], // 56 is the strongest in common
  ["01000020", { strengths: [128, 56, 40] }, "ack"],
  ["01000020", { strengths: [56] }, "nak 120601000080"],
  ["00000040", { allowStateful: true }, "ack"],
  ["00000060", { strengths: [128, 40], allowStateful: true }, "nak 120600000040"],
  ["01000040", { allowStateful: true }, "ack"], // stateless whenever the peer asks for it
  ["01000040", { allowStateful: true, preferStateful: true }, "nak 120600000040"],
  ["00000040", {}, `nak ${OURS}`],
  ["01000050", {}, `nak ${OURS}`], // the obsolete bit
] as const)
  test(`a peer that asks for ${peer}, with ${JSON.stringify(settings)}: ${verdict}`, () =>
    assert.equal(judged(policy(settings), `1206${peer}`), verdict));
test("another compression is rejected, and so is ours at the wrong length", () => {
  assert.equal(judged(policy(), "1505000000 1a0478 00"), "reject 15050000001a047800");
  assert.equal(judged(policy(), "1205010000"), "reject 1205010000");
  assert.equal(judged(policy(), `${OURS} 1104abcd`), "reject 1104abcd");
});
test("an empty request is Naked with what we want", () => assert.equal(judged(policy(), ""), `nak ${OURS}`));
test("a peer whose empty request had to be acknowledged after all has agreed to nothing", () => {
  const ccp = policy();
  assert.equal(judged(ccp, OURS), "ack");
  assert.equal(judged(ccp, "", false), "ack");
  assert.equal(ccp.agreement.send, undefined, "what it asked for earlier does not count");
});
test("only key lengths that the authentication yields are on the table", () => {
  assert.equal(asks(policy({ strengths: [128, 40] }, [40])), "120601000020");
  assert.equal(judged(policy({ strengths: [128, 40] }, [40]), OURS), "nak 120601000020");
});
test("a peer that insists on key lengths we do not have ends it", () => {
  assert.equal(policy().naked(list("120601000020")), false);
  assert.equal(policy({ strengths: [128, 40] }).naked(list("120601000020")), true);
});
test("a Nak cannot talk us into less than our policy, nor into no encryption", () => {
  const ccp = policy();
  ccp.naked(list("120601000000"));
  assert.equal(asks(ccp), OURS);
  ccp.naked(list("120600000040"));
  assert.equal(asks(ccp), OURS, "stateful only where allowed");
});
test("a peer that rejects MPPE ends it", () => {
  assert.equal(policy().rejected(list(OURS)), false);
  assert.equal(policy().rejected(list("1504abcd")), true);
});
test("stateful: asked for when preferred, agreed to when the peer knows no other", () => {
  const ccp = policy({ allowStateful: true, preferStateful: true });
  assert.equal(asks(ccp), "120600000040");
  const script = new Script(ccp).open("120600000040");
  assert.deepEqual(ccp.agreement, {
    send: { strength: 128, stateless: false },
    receive: { strength: 128, stateless: false },
  });
  assert.equal(script.state, "opened");
  assert.equal(asks(policy({ preferStateful: true })), OURS, "preferring without allowing is nothing");
});
test("stateful preferred: a peer that asks for stateless is asked for stateful once, and then has its way", () => {
  const ccp = policy({ allowStateful: true, preferStateful: true });
  assert.equal(judged(ccp, OURS), "nak 120600000040");
  assert.equal(judged(ccp, OURS), "ack");
  assert.deepEqual(ccp.agreement.send, { strength: 128, stateless: true });
});
test("MPPC: each direction is compressed when both want it, and Naked away where we do not", () => {
  const ccp = policy({ mppc: true });
  assert.equal(asks(ccp), "120601000041");
  assert.equal(judged(ccp, "120601000041"), "ack");
  assert.deepEqual(ccp.agreement.send, { strength: 128, stateless: true, mppc: true });
  const oneWay = policy({ mppc: true });
  assert.equal(judged(oneWay, OURS), "ack", "a peer that cannot decompress gets nothing compressed");
  assert.deepEqual(oneWay.agreement.send, { strength: 128, stateless: true });
  const refused = policy({ mppc: true });
  assert.equal(refused.naked(list(OURS)), true);
  assert.equal(asks(refused), OURS, "Windows Naks it away");
  assert.equal(judged(policy(), "120601000041"), `nak ${OURS}`);
});
test("Reset-Request: flushed and answered by a Reset-Ack with its identifier, in Opened only", () => {
  let resets = 0;
  const script = new Script(policy({}, ALL, () => resets++));
  script.start();
  assert.deepEqual(script.receive(CpCode.resetRequest, 1), []);
  assert.equal(resets, 0);
  const opened = new Script(policy({}, ALL, () => resets++)).open(OURS);
  const outputs = opened.receive(CpCode.resetRequest, 42);
  assert.deepEqual(packets(outputs), [{ code: CpCode.resetAck, identifier: 42, data: hex("") }]);
  assert.equal(resets, 1);
  assert.deepEqual(opened.receive(CpCode.resetAck, 42), []);
  assert.equal(opened.state, "opened");
});
