import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuthMethod, LcpPolicy, type LcpSettings } from "../../appliance/ppp/lcp.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { hex } from "../support/hex.ts";
import { answer, asks, judged, list, packets, request, Script, story } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const SERVER: LcpSettings = {
  mru: 1400,
  demandAuth: ["mschap-v2"],
  offerAuth: [],
  compressHeaders: true,
  callback: "refuse",
  requestCallback: false,
};
const CLIENT: LcpSettings = { ...SERVER, demandAuth: [], offerAuth: ["mschap-v2"] };
const policy = (settings: Partial<LcpSettings> = {}, base = SERVER) =>
  new LcpPolicy({ ...base, ...settings }, new SeededRandom(7));
const magicOf = (lcp: LcpPolicy) => lcp.magic.toString(16).padStart(8, "0");

const AUTH: Readonly<Record<AuthMethod, string>> = {
  pap: "0304c023",
  "chap-md5": "0305c22305",
  "mschap-v1": "0305c22380",
  "mschap-v2": "0305c22381",
};
const EAP = "0304c227";

// First Configure-Requests of Windows clients, as they were captured or logged; option 13 is refused, the rest taken.
for (const [system, first, refused, second] of [
  [
    "Windows 2000",
    `0506 2d5d1f31 0702 0802 0d0306 1104064e 131701${"11".repeat(20)}`,
    `0d0306 1104064e 131701${"11".repeat(20)}`,
    "0506 2d5d1f31 0702 0802",
  ],
  ["Windows XP", "01040578 0506 3c1b2a55 0702 0802 0d0306", "0d0306", "01040578 0506 3c1b2a55 0702 0802"],
  ["Windows 7", "01040578 0506 75eb25d5 0702 0802 0d0306", "0d0306", "01040578 0506 75eb25d5 0702 0802"],
  ["Windows 10", "01040578 0506 5e5a20c3 0702 0802 0d0306", "0d0306", "01040578 0506 5e5a20c3 0702 0802"],
] as const)
  test(`${system}: callback and multilink are rejected, the second request is acknowledged`, () => {
    const lcp = policy();
    const script = new Script(lcp);
    script.acknowledge(script.start());
    assert.equal(answer(script.ask(first)), `reject ${refused.replaceAll(" ", "")}`);
    assert.equal(answer(script.ask(second)), `ack ${second.replaceAll(" ", "")}`);
    assert.equal(script.state, "opened");
    const { mru, pfc, acfc, accm, auth, callback } = lcp.peer;
    const want = { mru: first.startsWith("0104") ? 1400 : 1500, pfc: true, acfc: true, accm: 0xffffffff };
    assert.deepEqual({ mru, pfc, acfc, accm }, want);
    assert.deepEqual([auth, callback], [undefined, false]);
  });
test("Windows retransmits its first request with the next identifier: the last one is answered", () => {
  const script = new Script(policy());
  script.start();
  const [first, second] = [script.ask("050675eb25d5"), script.ask("050675eb25d5")].map(
    (outputs) => packets(outputs)[0],
  );
  assert.equal(second?.code, CpCode.configureAck);
  assert.equal(second.identifier, (first?.identifier ?? 0) + 1);
});
test("RRAS: EAP is Naked with MS-CHAPv2 after multilink and callback are rejected; what is left is taken", () => {
  const lcp = policy({}, CLIENT);
  const rras = `01040578 ${EAP} 0506 70ed20e6 0702 0802 0d0306 1104064e 131701${"22".repeat(20)}`;
  assert.equal(judged(lcp, rras), `reject 0d03061104064e131701${"22".repeat(20)}`);
  assert.equal(judged(lcp, `01040578 ${EAP} 050670ed20e6 0702 0802`), "nak 0305c22381");
  assert.equal(judged(lcp, "01040578 0305c22381 050670ed20e6 0702 0802"), "ack");
  assert.equal(lcp.peer.auth, "mschap-v2");
  assert.equal(lcp.peer.magic, 0x70ed20e6);
});
test("pptp-linux and pppd: an ACCM of zero is taken and remembered for Set-Link-Info", () => {
  const lcp = policy();
  assert.equal(judged(lcp, "020600000000 050658012d87 0702 0802"), "ack");
  assert.equal(lcp.peer.accm, 0);
});

for (const [option, settings, verdict] of [
  ["01040578", {}, "ack"], // MRU 1400
  ["01040080", {}, "ack"], // the smallest we take
  ["0104007f", {}, "nak 01040080"],
  ["01040000", {}, "nak 01040080"],
  ["0104ffff", {}, "ack"],
  ["010305", {}, "reject 010305"], // length wrong
  ["020600000000", {}, "ack"], // ACCM
  ["0206ffffffff", {}, "ack"],
  [AUTH.pap, { offerAuth: [] }, `reject ${AUTH.pap}`],
  [AUTH.pap, { offerAuth: ["pap"] }, "ack"],
  [AUTH.pap, { offerAuth: ["mschap-v2"] }, `nak ${AUTH["mschap-v2"]}`],
  [AUTH["chap-md5"], { offerAuth: ["mschap-v2", "chap-md5"] }, "ack"],
  [AUTH["mschap-v1"], { offerAuth: ["mschap-v2"] }, `nak ${AUTH["mschap-v2"]}`],
  [EAP, { offerAuth: ["chap-md5", "pap"] }, `nak ${AUTH["chap-md5"]}`],
  ["0305c22306", { offerAuth: ["pap"] }, `nak ${AUTH.pap}`], // an algorithm nobody has
  ["0308c025 00000000", {}, "reject 0308c02500000000"], // Shiva PAP or the like
  ["040cc025 0000000000000000", {}, "reject 040cc0250000000000000000"], // quality protocol
  ["050612345678", {}, "ack"], // magic number
  ["0702", {}, "ack"],
  ["0802", {}, "ack"],
  ["0904abcd", {}, "reject 0904abcd"], // FCS alternatives
  ["0d0306", {}, "reject 0d0306"],
  ["0d0306", { callback: "cbcp" }, "ack"],
  ["0d0300", { callback: "cbcp" }, "reject 0d0300"], // only by CBCP
  ["0d06 03 353535", { callback: "cbcp" }, "reject 0d0603353535"],
  ["1104064e", {}, "reject 1104064e"], // MRRU
  [`131701${"33".repeat(20)}`, {}, `reject 131701${"33".repeat(20)}`], // endpoint discriminator
  ["170400ff", {}, "reject 170400ff"],
] as const)
  test(`option ${option}${Object.keys(settings).length > 0 ? ` with ${JSON.stringify(settings)}` : ""}: ${verdict}`, () =>
    assert.equal(judged(policy(settings), option), verdict));
test("magic number 0 is Naked with another", () =>
  assert.match(judged(policy(), "050600000000"), /^nak 0506(?!00000000)[0-9a-f]{8}$/));
test("rejected options come before Naked ones, and alone", () =>
  assert.equal(judged(policy({ offerAuth: ["mschap-v2"] }), `${AUTH.pap} 0d0306 0702`), "reject 0d0306"));
test("when nothing may be Naked any more it is rejected as it came", () =>
  assert.equal(judged(policy({ offerAuth: ["mschap-v2"] }), `${EAP} 0702`, false), `reject ${EAP}`));
test("values of a request that was not acknowledged do not count", () => {
  const lcp = policy();
  judged(lcp, "01040200 0702 0d0306");
  assert.deepEqual([lcp.peer.mru, lcp.peer.pfc], [1500, false]);
  judged(lcp, "01040200 0702");
  assert.deepEqual([lcp.peer.mru, lcp.peer.pfc], [512, true]);
  judged(lcp, "");
  assert.deepEqual([lcp.peer.mru, lcp.peer.pfc], [1500, false], "an empty request is one for the defaults");
});

test("our request: in Windows' order, with only what we want", () => {
  const lcp = policy();
  assert.equal(asks(lcp), `01040578${AUTH["mschap-v2"]}0506${magicOf(lcp)}07020802`);
  const client = policy({ requestCallback: true }, CLIENT);
  assert.equal(asks(client), `010405780506${magicOf(client)}070208020d0306`);
  const bare = policy({ mru: 1500, compressHeaders: false }, CLIENT);
  assert.equal(asks(bare), `0506${magicOf(bare)}`);
});
test("the auth Nak dance: our choices in turn, the peer's wish first, then the end", () => {
  const lcp = policy({ demandAuth: ["mschap-v2", "mschap-v1", "chap-md5", "pap"] });
  const demanded = () => AUTH[lcp.demanded ?? "pap"];
  assert.equal(demanded(), AUTH["mschap-v2"]);
  assert.equal(lcp.naked(list(EAP)), true);
  assert.equal(demanded(), AUTH["mschap-v1"], "what we do not have is no wish: our next");
  assert.equal(lcp.naked(list(AUTH.pap)), true);
  assert.equal(demanded(), AUTH.pap, "a wish among ours is fulfilled");
  assert.equal(lcp.naked(list(AUTH["mschap-v2"])), false, "nothing left");
});
test("a peer that may use only MS-CHAPv2 cannot talk us down to PAP", () => {
  const lcp = policy();
  assert.equal(lcp.naked(list(AUTH.pap)), false);
});
test("a peer that rejects authentication is not let in without", () => {
  const script = new Script(policy());
  const first = script.start();
  const outputs = script.receive(CpCode.configureReject, first.identifier, hex(AUTH["mschap-v2"]));
  assert.deepEqual(story(outputs), ["terminateRequest"]);
});
test("what else the peer rejects we stop asking for; an MRU it wants smaller we take, larger we do not", () => {
  const lcp = policy();
  assert.equal(lcp.rejected(list("0702 0802")), true);
  assert.equal(asks(lcp), `01040578${AUTH["mschap-v2"]}0506${magicOf(lcp)}`);
  assert.equal(lcp.naked(list("01040500")), true);
  assert.match(asks(lcp), /^01040500/);
  assert.equal(lcp.naked(list("010405dc")), true);
  assert.match(asks(lcp), /^01040578/);
  assert.equal(lcp.naked(list("01040001")), true);
  assert.match(asks(lcp), /^01040578/, "too small to be a wish");
});
test("callback: asked for, rejected, forgotten", () => {
  const lcp = policy({ requestCallback: true }, CLIENT);
  assert.equal(lcp.callbackRequested, true);
  lcp.rejected(list("0d0306"));
  assert.equal(lcp.callbackRequested, false);
});

test("a magic number of the peer's that is ours is Naked; three of them are a loop", () => {
  const lcp = policy();
  for (let i = 0; i < 3; i++) {
    assert.equal(lcp.isLoopback, false);
    assert.match(judged(lcp, `0506${magicOf(lcp)}`), /^nak 0506/);
  }
  assert.equal(lcp.isLoopback, true);
});
test("our own Naks and Echo-Replies, come back, are a loop too", () => {
  const lcp = policy();
  for (let i = 0; i < 3; i++) {
    assert.equal(lcp.isLoopback, false);
    lcp.naked(list(`0506${magicOf(lcp)}`));
  }
  assert.equal(lcp.isLoopback, true);

  const echoes = policy();
  judged(echoes, "050612345678");
  for (let i = 0; i < 3; i++)
    echoes.extra({ code: CpCode.echoReply, identifier: i, data: hex(magicOf(echoes)) }, "opened", 0 as never);
  assert.equal(echoes.isLoopback, true);
});
test("two peers that happen on the same number get over it", () => {
  const lcp = policy();
  judged(lcp, `0506${magicOf(lcp)}`);
  judged(lcp, `0506${magicOf(lcp)}`);
  assert.equal(judged(lcp, "050612345678"), "ack");
  judged(lcp, `0506${magicOf(lcp)}`);
  assert.equal(lcp.isLoopback, false);
});

test("Echo-Request in Opened: answered with our magic number and its data; elsewhere ignored", () => {
  const lcp = policy();
  const script = new Script(lcp);
  script.start();
  assert.deepEqual(script.receive(CpCode.echoRequest, 1, hex("12345678 aabb")), []);
  const opened = new Script(policy()).open("050612345678");
  const [reply] = packets(opened.receive(CpCode.echoRequest, 42, hex("12345678 aabb")));
  assert.deepEqual([reply?.code, reply?.identifier], [CpCode.echoReply, 42]);
  assert.deepEqual(reply?.data.subarray(4), hex("aabb"));
});
test("an Echo-Reply is no longer than the peer takes", () => {
  const script = new Script(policy()).open("01040080 050612345678");
  const [reply] = packets(script.receive(CpCode.echoRequest, 1, Buffer.alloc(1000, 7)));
  assert.equal(reply?.data.length, 124);
  const [short] = packets(script.receive(CpCode.echoRequest, 1, hex("1234")));
  assert.equal(short?.data.length, 4, "a request without a magic number gets ours alone");
});
test("Echo-Requests of ours are counted until one is answered", () => {
  const lcp = policy();
  assert.deepEqual(lcp.echoRequest(9), { code: CpCode.echoRequest, identifier: 9, data: hex(magicOf(lcp)) });
  lcp.echoRequest(10);
  assert.equal(lcp.unansweredEchoes, 2);
  lcp.extra({ code: CpCode.echoReply, identifier: 10, data: hex("12345678") }, "opened", 0 as never);
  assert.equal(lcp.unansweredEchoes, 0);
  lcp.echoRequest(11);
  lcp.restart();
  assert.equal(lcp.unansweredEchoes, 0);
});
test("Identification is stored without its magic number, four of them and 256 bytes each, and not answered", () => {
  const lcp = policy();
  const script = new Script(lcp).open();
  assert.deepEqual(script.receive(CpCode.identification, 1, hex("75eb25d5 4d5352415356352e3230")), []);
  script.receive(CpCode.identification, 2, Buffer.alloc(1000, 0x41));
  for (let i = 0; i < 10; i++) script.receive(CpCode.identification, 3, hex("00000000 61"));
  assert.equal(lcp.identifications.length, 4);
  assert.deepEqual(
    lcp.identifications.slice(0, 2).map((message) => message.length),
    [10, 256],
  );
  assert.equal(lcp.identifications[0]?.toString(), "MSRASV5.20");
});
test("Discard-Request, Time-Remaining and Protocol-Reject want no answer; an unknown code gets a Code-Reject", () => {
  const script = new Script(policy()).open();
  for (const code of [CpCode.discardRequest, CpCode.timeRemaining, CpCode.protocolReject])
    assert.deepEqual(script.receive(code, 1, hex("12345678")), []);
  assert.deepEqual(story(script.receive(77, 1)), ["codeReject"]);
});
test("a Protocol-Reject of ours fits the peer's MRU", () => {
  const lcp = policy();
  judged(lcp, "01040080");
  const reject = lcp.protocolReject(3, 0x8057, Buffer.alloc(500, 9));
  assert.equal(reject.data.length, 124);
  assert.deepEqual(reject.data.subarray(0, 3), hex("805709"));
});
test("an LCP that starts over asks with another magic number", () => {
  const lcp = policy();
  const script = new Script(lcp).open("050612345678");
  const first = asks(lcp);
  assert.notEqual(request(script.ask("050687654321")).data.toString("hex"), first);
});
