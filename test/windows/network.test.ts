/** windows.md §7–§9 and §13: encryption, addresses and the whole way, as Windows clients go it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HEADROOM_BYTES } from "../../appliance/dataplane/user-space.ts";
import { WINDOWS_7 } from "../../appliance/pptp/windows-profiles.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { type Dialer, Line } from "../support/dialer.ts";
import { ipv4Packet } from "../support/ip-packet.ts";
import { ip } from "../support/link-end.ts";
import { direction, PlaneBench } from "../support/plane-bench.ts";
import { type Caller, Desk, MPPE_128, SERVER_SETTINGS, WINDOWS_LCP } from "../support/scripted-caller.ts";

const optional = { ...SERVER_SETTINGS.encryption, use: "optional" } as const;
/** Packets of one protocol since the last look: `code data`. */
const of = (caller: Caller, protocol: number) =>
  caller
    .said()
    .filter((said) => said.protocol === protocol)
    .map(({ code, data }) => `${code} ${data.toString("hex")}`);

// --- §7 CCP ----------------------------------------------------------------------------------------------------------

/** First request → our answer; the client then asks for what it was told. */
const FIRST_REQUESTS = {
  "Windows 2000, default": ["010000e1", "nak"],
  "Windows XP, default": ["010000e1", "nak"],
  "NT 5.2": ["010000e0", "nak"],
  "Windows 7, encryption required": ["01000040", "ack"],
  "Windows 10, optional": ["01000000", "nak"],
  "RRAS as a client": ["01000041", "nak"],
  "Linux, stateful with MPPC": ["00000041", "nak"],
} as const;
for (const [system, [bits, answer]] of Object.entries(FIRST_REQUESTS))
  test(`windows.md §7 CCP of ${system}: ${bits} is ${answer === "ack" ? "acknowledged" : "Naked with 01000040"}, and it comes up`, () => {
    const caller = new Desk().caller().authenticated();
    caller.said();
    caller.ask(Protocol.ccp, `1206${bits}`);
    assert.deepEqual(of(caller, Protocol.ccp), [answer === "ack" ? `2 1206${bits}` : `3 ${MPPE_128}`]);
    if (answer === "nak") caller.ask(Protocol.ccp, MPPE_128);
    caller.acknowledge(Protocol.ccp).ipcp();
    assert.equal(caller.session?.state, "connected");
    assert.equal(caller.session?.encryption, "MPPE-128 stateless");
  });

test("windows.md §7 CCP: we request 01000040, and keep to it when a client Naks with the same", () => {
  const caller = new Desk().caller().authenticated();
  assert.deepEqual(of(caller, Protocol.ccp), [`1 ${MPPE_128}`]);
  caller.answer(Protocol.ccp, 3, MPPE_128);
  assert.deepEqual(of(caller, Protocol.ccp), [`1 ${MPPE_128}`]);
});

test("windows.md §7 CCP: the Windows 7 profile asks RRAS for 01000040 again and again, and Naks 01000041 and 010000e1 with it", () => {
  const dialer = inNetworkPhase();
  const ccp = () => dialer.frames.filter((wire) => wire.startsWith("80fd"));
  dialer.packet(Protocol.ccp, 1, 1, "120601000041");
  assert.match(ccp().at(-1) ?? "", new RegExp(`^80fd0301000a${MPPE_128}$`));
  dialer.packet(Protocol.ccp, 1, 2, "1206010000e1");
  assert.match(ccp().at(-1) ?? "", new RegExp(`^80fd0302000a${MPPE_128}$`));
});

test("windows.md §7 CCP: an RRAS that Naks with stateful and MPPC, 00000041, is asked for 01000040 again", () => {
  const dialer = inNetworkPhase();
  const ours = dialer.frames.findLast((wire) => wire.startsWith("80fd01")) ?? assert.fail("no request");
  dialer.packet(Protocol.ccp, 3, Number.parseInt(ours.slice(6, 8), 16), "120600000041");
  assert.match(dialer.frames.at(-1) ?? "", new RegExp(`^80fd01..000a${MPPE_128}$`));
});

/** The Windows 7 profile behind authentication, its server played by the test. */
function inNetworkPhase(): Dialer {
  const line = new Line({ profile: WINDOWS_7 });
  line.loses = (said) => /^. gre (ff03)?80/.test(said);
  return line.connect().dialer;
}

test("windows.md §7 CCP: a client without encryption answers Protocol-Reject; IPCP goes on in the clear where that is allowed", () => {
  const caller = new Desk({ encryption: optional }).caller().authenticated();
  caller.packet(Protocol.lcp, 8, 9, "80fd 0101000a 120601000040").ipcp();
  assert.equal(caller.session?.state, "connected");
  assert.equal(caller.session?.encryption, "none");
});

test("windows.md §7 CCP: the same client where encryption is required gets no network, and the log says why", () => {
  const desk = new Desk();
  const caller = desk.caller().authenticated().packet(Protocol.lcp, 8, 9, "80fd 0101000a 120601000040");
  assert.equal(caller.said().at(-1)?.code, 5);
  caller.packet(Protocol.lcp, 6, 0, "");
  assert.equal(caller.has("network-up"), false);
  assert.match(desk.told.at(-1) ?? "", /after stage authenticated: the peer refuses MPPE.*Windows shows error 741/);
});

test("windows.md §7 CCP: a Terminate-Request of CCP leaves IPCP unharmed where encryption is optional", () => {
  const caller = new Desk({ encryption: optional }).caller().authenticated();
  caller.packet(Protocol.ccp, 5, 9, "75eb25d5 003ccd74 000002dc").ipcp();
  assert.equal(caller.session?.state, "connected");
});

test("windows.md §7 CCP: a server of weak encryption and a client of 128 bit alone end with 741", () => {
  const desk = new Desk({ encryption: { ...SERVER_SETTINGS.encryption, strengths: [56, 40] } });
  const caller = desk.caller().authenticated().answer(Protocol.ccp, 3, MPPE_128);
  caller.packet(Protocol.ccp, 6, 0, "").packet(Protocol.lcp, 6, 0, "");
  assert.match(desk.told.at(-1) ?? "", /no MPPE key length in common; Windows shows error 741/);
});

test("windows.md §7 NCPs start together: our CCP and IPCP requests leave at once, the profile's with IPV6CP first", () => {
  const caller = new Desk().caller().authenticated();
  const ncps = caller.said().filter(({ protocol }) => protocol >>> 8 === 0x80);
  assert.deepEqual(
    ncps.map(({ protocol, code }) => [protocol, code]),
    [
      [Protocol.ccp, 1],
      [Protocol.ipcp, 1],
    ],
  );
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const first = line.transcript.filter((said) => /^C gre 80..01/.test(said)).map((said) => said.slice(6, 10));
  assert.deepEqual(first.slice(0, 3), ["8057", "80fd", "8021"]);
});

test("windows.md §7 trap 1: an IPCP request before CCP is open is negotiated, never answered with Terminate-Ack", () => {
  const caller = new Desk().caller().authenticated();
  caller.said();
  caller.ask(Protocol.ipcp, "0306c0a801c8");
  assert.deepEqual(of(caller, Protocol.ipcp), ["2 0306c0a801c8"]);
  caller.acknowledge(Protocol.ipcp);
  assert.equal(caller.has("network-up"), false, "data waits for CCP");
  caller.ccp();
  assert.equal(caller.has("network-up"), true);
});

test("windows.md §7 trap 1: a client that acknowledges IPCP and is slow with CCP sends nothing we would forward in the clear", () => {
  const caller = new Desk().caller().authenticated().ipcp();
  const open = caller.effects.find((effect) => effect.type === "open-call");
  assert.ok(open?.type === "open-call" && open.requireEncryption);
  assert.equal(caller.has("network-up"), false);
});

test("windows.md §7 trap 2: the same CCP request once more after both sides are open is acknowledged, nothing starts over", () => {
  const caller = new Desk().caller().connected();
  const encrypts = () => caller.effects.filter(({ type }) => type === "encrypt").length;
  caller.said();
  caller.ask(Protocol.ccp, MPPE_128);
  assert.deepEqual(of(caller, Protocol.ccp), [`2 ${MPPE_128}`]);
  assert.equal(encrypts(), 1, "no key lives twice");
  assert.equal(caller.session?.state, "connected");
});

test("windows.md §7 MPPE header: A and D on every stateless packet, the count from 0, per direction", () => {
  const bench = new PlaneBench(true).encrypt(direction(128, true));
  for (let n = 0; n < 3; n++) bench.tun.put(ipv4Packet(60, n), HEADROOM_BYTES);
  bench.transmit();
  assert.deepEqual(
    bench.take().map(({ payload }) => payload.readUInt16BE(4).toString(16)),
    ["9000", "9001", "9002"],
  );
});

// --- §8 IPCP, IPV6CP -------------------------------------------------------------------------------------------------

const ZEROS = "030600000000 810600000000 820600000000 830600000000 840600000000";

test("windows.md §8 IPCP of a Windows client: name servers we lack are rejected alone, the rest Naked with its values", () => {
  const caller = new Desk().caller().authenticated();
  caller.said();
  caller.ask(Protocol.ipcp, ZEROS);
  assert.deepEqual(of(caller, Protocol.ipcp), ["4 820600000000840600000000"]);
  caller.ask(Protocol.ipcp, "030600000000 810600000000 830600000000");
  const values = "0306c0a801c88106c0a801018306c0a80102";
  assert.deepEqual(of(caller, Protocol.ipcp), [`3 ${values}`]);
  caller.ask(Protocol.ipcp, values);
  assert.deepEqual(of(caller, Protocol.ipcp), [`2 ${values}`]);
});

test("windows.md §8 IPCP: all four name servers rejected, and the client connects all the same", () => {
  const caller = new Desk({ dns: [] }).caller().authenticated();
  caller.said();
  caller.ask(Protocol.ipcp, ZEROS);
  assert.deepEqual(of(caller, Protocol.ipcp), ["4 810600000000820600000000830600000000840600000000"]);
  caller.ccp().ipcp();
  assert.equal(caller.session?.state, "connected");
});

test("windows.md §8 IPCP: our request is our own address and nothing else", () => {
  const caller = new Desk().caller().authenticated();
  assert.deepEqual(of(caller, Protocol.ipcp), ["1 0306c0a80101"]);
});

test("windows.md §8 IPCP: the Windows 7 profile asks address, DNS, WINS, DNS, WINS, in that order and 36 bytes with its protocol", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const request = line.transcript.find((said) => said.startsWith("C gre 802101"))?.slice(6) ?? "";
  assert.equal(request.slice(12), ZEROS.replaceAll(" ", ""));
  assert.equal(request.length / 2, 36);
});

test("windows.md §8 VJ: a header compression that is offered is rejected by both sides", () => {
  const caller = new Desk().caller().authenticated();
  caller.said();
  caller.ask(Protocol.ipcp, "030600000000 0206002d0f01");
  assert.deepEqual(of(caller, Protocol.ipcp), ["4 0206002d0f01"]);
  const dialer = inNetworkPhase();
  dialer.packet(Protocol.ipcp, 1, 99, "0306c0a80101 0206002d0f01");
  assert.equal(dialer.frames.at(-1), "80210463000a0206002d0f01");
});

test("windows.md §8 IPV6CP: a server that does not want it answers Protocol-Reject, and the client goes on", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  assert.ok(line.transcript.some((said) => /^S gre ff03c02108.{6}8057/.test(said)));
  assert.equal(line.dialer.client.status()?.state, "connected");
  assert.equal(line.dialer.count("ipv6-up"), 0);
});

test("windows.md §8 IPV6CP: where it is wanted, an interface identifier of 8 bytes each way", () => {
  const line = new Line({ profile: WINDOWS_7 }, { ipv6: "link-local" }).connect();
  const up = line.caller.effects.find((effect) => effect.type === "ipv6-up");
  assert.ok(up?.type === "ipv6-up");
  assert.deepEqual([up.local.length, up.remote.length], [8, 8]);
  assert.equal(line.dialer.count("ipv6-up"), 1);
});

test("windows.md §8: Windows 2000 and XP, without IPV6CP, come up where it is wanted", () => {
  const caller = new Desk({ ipv6: "link-local" }).caller().authenticated();
  caller.packet(Protocol.lcp, 8, 9, "8057 0101000e").ccp().ipcp();
  assert.equal(caller.session?.state, "connected");
  assert.equal(caller.has("ipv6-up"), false);
});

// --- §9, §13 ---------------------------------------------------------------------------------------------------------

for (const [mtu, mru, expected] of [
  [1400, "01040578", 1400],
  [1460, "01040578", 1400],
  [1300, "01040578", 1300],
  [1400, "", 1400],
] as const)
  test(`windows.md §9 MTU: ours ${mtu}, the client's MRU ${mru === "" ? "not said" : 1400}: the interface has ${expected}`, () => {
    const caller = new Desk({ mtu }).caller().lcp(WINDOWS_LCP.replace("01040578", mru));
    caller.respond();
    caller.ccp().ipcp();
    const up = caller.effects.find((effect) => effect.type === "network-up");
    assert.ok(up?.type === "network-up");
    assert.equal(up.mtu, expected);
  });

test("windows.md §9 MTU: our client keeps to the server's MRU too", () => {
  const line = new Line({ profile: WINDOWS_7, mtu: 1400 }, { mtu: 1320 }).connect();
  const up = line.dialer.effects.find((effect) => effect.type === "network-up");
  assert.ok(up?.type === "network-up");
  assert.equal(up.mtu, 1320);
});

test("windows.md §13 checklist: a Windows 7 dials our defaults: callback rejected, IPv6 rejected, encrypted, addressed, gone without a trace", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const [session] = line.desk.server.sessions();
  assert.deepEqual(
    [session?.stage, session?.user, session?.encryption, session?.address],
    ["network-up", "alice", "MPPE-128 stateless", ip("192.168.1.200")],
  );
  assert.ok(line.transcript.some((said) => said.startsWith("S gre ff03c02104") && said.endsWith("0d0306")));
  line.hangUp();
  assert.deepEqual(line.desk.server.sessions(), []);
  assert.equal(line.dialer.count("close-call"), 1);
  assert.equal(line.caller.closed, true);
});

test("windows.md §13 checklist: everything a Windows XP says, said once more, changes nothing", () => {
  const caller = new Desk().caller().connected();
  caller.said();
  caller.control(WINDOWS_CONTROL.linkInfo);
  caller.packet(Protocol.lcp, 12, 9, `75eb25d5 ${Buffer.from("MSRASV5.10").toString("hex")}`);
  caller.packet(Protocol.ipv6cp, 1, 9, "010a0011223344556677");
  const [rejected, ...rest] = caller.said();
  assert.deepEqual(
    [rejected?.protocol, rejected?.code, rejected?.data.toString("hex", 0, 2)],
    [Protocol.lcp, 8, "8057"],
  );
  assert.deepEqual(rest, []);
  assert.equal(caller.session?.state, "connected");
});
