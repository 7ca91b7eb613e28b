/** PPP beyond the transition table: what the other sections ask for and the code cites. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LcpPolicy } from "../../appliance/ppp/lcp.ts";
import { Negotiation } from "../../appliance/ppp/negotiation.ts";
import { CpCode, parseCpPacket } from "../../appliance/wire/cp-packet.ts";
import { parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { emitPppFrame, PLAIN_FRAMING, Protocol, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { hex } from "../support/hex.ts";
import { CLIENT, LinkEnd, LinkPair, packet, SERVER, SERVER_IPCP } from "../support/link-end.ts";
import { answer, asks, judged, list, packets, request, Script, story } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const lcp = () => new LcpPolicy({ ...SERVER.lcp, demandAuth: [] }, new SeededRandom(3));
const MAGIC = "050612345678";

test("RFC 1661 §2 the protocol field: the last octet is odd, any before it even", () => {
  assert.deepEqual(parsePppFrame(hex("c021aa")), { ok: true, value: { protocol: 0xc021, payload: hex("aa") } });
  assert.deepEqual(parsePppFrame(hex("21aa")), { ok: true, value: { protocol: 0x21, payload: hex("aa") } });
  assert.equal(parsePppFrame(hex("c020aa")).ok, false);
});
test("RFC 1661 §3.2 the phases in their order, and termination from each", () => {
  const end = new LinkEnd(SERVER, SERVER_IPCP, 1);
  assert.equal(end.link.phase, "dead");
  const pair = new LinkPair(SERVER, CLIENT);
  pair.up();
  assert.deepEqual(
    pair.server.events.map(({ type }) => type),
    ["lcp-opened", "verify", "authenticated", "mppe", "network-up"],
  );
});
test("RFC 1661 §3.4 before LCP is open, other packets are silently discarded", () => {
  const end = new LinkEnd(SERVER, SERVER_IPCP, 1);
  end.give({ type: "up" }, 0);
  end.take();
  for (const protocol of [Protocol.chap, Protocol.ipcp, Protocol.ccp, Protocol.eap, 0x1235])
    end.receive(protocol, packet(1, 1));
  assert.deepEqual(end.take(), []);
});
test("RFC 1661 §3.5 before authentication is through, network packets are silently discarded", () => {
  const pair = new LinkPair(SERVER, CLIENT);
  pair.wire = (_from, { protocol }) => protocol !== Protocol.chap;
  pair.up();
  pair.server.receive(Protocol.ipcp, packet(CpCode.configureRequest, 1, [{ type: 3, data: hex("c0a80101") }]));
  assert.deepEqual(pair.server.take(), []);
  assert.equal(pair.server.event("network-up"), undefined);
});
test("RFC 1661 §3.6 each network protocol opens and closes by itself: IPV6CP's end is not the link's", () => {
  const v6 = { ipv6: "link-local" } as const;
  const pair = new LinkPair({ ...SERVER, ...v6 }, { ...CLIENT, ...v6 }).up();
  pair.server.receive(Protocol.ipv6cp, packet(CpCode.terminateRequest, 1));
  pair.settle().advance(10_000);
  assert.equal(pair.server.end, undefined);
  assert.equal(pair.server.link.phase, "network");
});
test("RFC 1661 §3.7 after a Terminate-Ack a restart time passes before the link is gone", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  pair.server.receive(Protocol.lcp, packet(CpCode.terminateRequest, 1));
  assert.equal(pair.server.end, undefined);
  pair.advance(2000);
  assert.deepEqual(pair.server.end, { reason: "terminated-by-peer", windowsError: undefined, message: "" });
});
test("RFC 1661 §4.1 what the table leaves open cannot occur, and changes nothing", () => {
  const script = new Script(lcp());
  assert.deepEqual(script.receive(CpCode.configureRequest, 1), []);
  assert.deepEqual(script.give({ type: "tick" }), []);
  assert.equal(script.state, "initial");
});
test("RFC 1661 §4.6 the counters: Max-Configure 10, Max-Terminate 2, Max-Failure 5", () => {
  const script = new Script(lcp());
  script.start();
  let requests = 1;
  while (story(script.expire()).includes("configureRequest")) requests++;
  assert.equal(requests, 10);

  const closing = new Script(lcp()).open(MAGIC);
  let terminates = story(closing.give({ type: "close" })).filter((word) => word === "terminateRequest").length;
  while (story(closing.expire()).includes("terminateRequest")) terminates++;
  assert.equal(terminates, 2);

  const failing = new Script(lcp());
  failing.start();
  const answers = Array.from({ length: 6 }, () => answer(failing.ask("01040001")).slice(0, 3));
  assert.deepEqual(answers, ["nak", "nak", "nak", "nak", "nak", "rej"]);
});

test("RFC 1661 §5 octets behind Length are padding, a Length that cannot be is silently discarded", () => {
  assert.deepEqual(parseCpPacket(hex("01010004 ffff")), { ok: true, value: { code: 1, identifier: 1, data: hex("") } });
  const end = new LinkEnd(SERVER, SERVER_IPCP, 1);
  end.give({ type: "up" }, 0);
  end.take();
  end.give({ type: "frame", protocol: Protocol.lcp, payload: hex("01010003") }, 0);
  end.give({ type: "frame", protocol: Protocol.lcp, payload: hex("010100ff") }, 0);
  assert.deepEqual(end.take(), []);
});
test("RFC 1661 §5.1 the identifier changes with every new request, and with a repeated one", () => {
  const script = new Script(lcp());
  const first = script.start();
  const repeated = request(script.expire());
  assert.deepEqual(repeated.data, first.data);
  assert.notEqual(repeated.identifier, first.identifier);
});
test("RFC 1661 §5.2 an Ack copies identifier and options; one that does not match the request is discarded", () => {
  const script = new Script(lcp());
  const first = script.start();
  const [ack] = packets(script.receive(CpCode.configureRequest, 77, hex(MAGIC)));
  assert.deepEqual(ack, { code: CpCode.configureAck, identifier: 77, data: hex(MAGIC) });
  script.receive(CpCode.configureAck, (first.identifier + 1) & 0xff, first.data);
  script.receive(CpCode.configureAck, first.identifier, hex(MAGIC));
  assert.equal(script.state, "ack-sent");
});
test("RFC 1661 §5.3 a Nak names only what is not acceptable, with values that are", () =>
  assert.equal(judged(lcp(), `01040001 ${MAGIC} 0702`), "nak 01040080"));
test("RFC 1661 §5.4 a Reject names what is not known, unchanged and in order, and nothing that may be Naked", () =>
  assert.equal(judged(lcp(), "630411aa 01040001 0904beef"), "reject 630411aa0904beef"));
test("RFC 1661 §5.5 a Terminate-Request is answered in any state, its identifier and data copied", () => {
  const script = new Script(lcp()).open(MAGIC);
  const [ack] = packets(script.receive(CpCode.terminateRequest, 200, hex("cafe")));
  assert.deepEqual(ack, { code: CpCode.terminateAck, identifier: 200, data: hex("cafe") });
});
test("RFC 1661 §5.6 a Code-Reject carries the packet it is about", () => {
  const script = new Script(lcp()).open(MAGIC);
  const [reject] = packets(script.receive(99, 5, hex("aabb")));
  assert.equal(reject?.code, CpCode.codeReject);
  assert.deepEqual(reject.data, hex("63050006aabb"));
});
test("RFC 1661 §5.7 a Protocol-Reject carries protocol and packet, cut to the peer's MRU, and only once LCP is open", () => {
  const pair = new LinkPair(SERVER, { ...CLIENT, lcp: { ...CLIENT.lcp, mru: 128 } }).up();
  pair.server.give({ type: "frame", protocol: 0x8235, payload: Buffer.alloc(1000, 9) }, 0);
  const [reject] = pair.server.takePackets(Protocol.lcp);
  assert.equal(reject?.code, CpCode.protocolReject);
  assert.equal(reject.data.readUInt16BE(), 0x8235);
  assert.equal(reject.data.length + 4, 128);
});
test("RFC 1661 §5.8 Echo-Request is answered in Opened only, with our magic number", () => {
  const policy = lcp();
  const script = new Script(policy);
  script.start();
  assert.deepEqual(script.receive(CpCode.echoRequest, 1, hex("00000000aa")), []);
  const opened = lcp();
  const [reply] = packets(new Script(opened).open(MAGIC).receive(CpCode.echoRequest, 1, hex("12345678aa")));
  assert.equal(reply?.data.toString("hex"), `${opened.magic.toString(16).padStart(8, "0")}aa`);
});
test("RFC 1661 §5.9 Discard-Request is discarded", () =>
  assert.deepEqual(new Script(lcp()).open(MAGIC).receive(CpCode.discardRequest, 1, hex("12345678")), []));

test("RFC 1661 §6 an option of the wrong length is not acceptable, whatever it says", () => {
  assert.equal(parseLcpOption({ type: 1, data: hex("05") }).kind, "unknown");
  assert.equal(judged(lcp(), "010305"), "reject 010305");
});
test("RFC 1661 §6.1 the MRU is 1500 unless the peer says otherwise, and ours is only sent when it is another", () => {
  const policy = lcp();
  judged(policy, "");
  assert.equal(policy.peer.mru, 1500);
  const standard = new LcpPolicy({ ...CLIENT.lcp, mru: 1500 }, new SeededRandom(1));
  assert.doesNotMatch(asks(standard), /^0104/);
});
test("RFC 1661 §6.2 authentication: one protocol at a time is asked for, and a Nak moves on to the next", () => {
  const policy = new LcpPolicy({ ...SERVER.lcp, demandAuth: ["mschap-v2", "pap"] }, new SeededRandom(1));
  assert.match(asks(policy), /0305c22381/);
  assert.equal(policy.naked(list("0304c023")), true);
  assert.match(asks(policy), /0304c023/);
  assert.doesNotMatch(asks(policy), /c223/);
});
test("RFC 1661 §6.4 a magic number equal to ours is Naked with another; zero is never sent", () => {
  const policy = lcp();
  assert.match(judged(policy, `0506${policy.magic.toString(16).padStart(8, "0")}`), /^nak 0506/);
  const zeros = new LcpPolicy(SERVER.lcp, { bytes: (length) => Buffer.alloc(length) });
  assert.notEqual(zeros.magic, 0);
});
test("RFC 1661 §6.5 Protocol-Field-Compression: low protocols in one octet, where the peer agreed", () => {
  const frame = { protocol: Protocol.compressed, payload: hex("9000") };
  assert.deepEqual(emitPppFrame(frame, { omitAddressControl: true, compressProtocol: true }), hex("fd9000"));
  assert.deepEqual(emitPppFrame(frame, { omitAddressControl: true, compressProtocol: false }), hex("00fd9000"));
});
test("RFC 1661 §6.6 LCP packets always have Address and Control", () => {
  const frame = { protocol: Protocol.lcp, payload: hex("05010004") };
  for (const omitAddressControl of [true, false])
    assert.deepEqual(emitPppFrame(frame, { ...PLAIN_FRAMING, omitAddressControl }), hex("ff03c02105010004"));
});
test("RFC 1661 §4 a machine serves any control protocol: the policy alone knows the options", () => {
  const machine = new Negotiation({
    request: () => [],
    judge: () => ({ answer: "ack" }),
    naked: () => true,
    rejected: () => true,
  });
  assert.equal(machine.state, "initial");
  assert.equal(machine.deadline, undefined);
});
