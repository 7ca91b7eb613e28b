/** windows.md §2–§4: GRE, framing and LCP, as Windows clients and RRAS speak them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HEADROOM_BYTES } from "../../appliance/dataplane/user-space.ts";
import { Millis } from "../../appliance/ports.ts";
import { WINDOWS_7 } from "../../appliance/pptp/windows-profiles.ts";
import { Protocol, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { insideGre, WINDOWS_CONTROL, WINDOWS_GRE } from "../support/codecs.ts";
import { Dialer, Line } from "../support/dialer.ts";
import { hex } from "../support/hex.ts";
import { ipv4Packet } from "../support/ip-packet.ts";
import { CALL, COMPRESSED, direction, Encryptor, PlaneBench } from "../support/plane-bench.ts";
import { type Caller, Desk, WINDOWS_LCP } from "../support/scripted-caller.ts";

const KEYS = direction(128, true);
const CLEAR = Buffer.concat([hex("21"), ipv4Packet(60, 1)]);

// --- §2 GRE ----------------------------------------------------------------------------------------------------------

test("windows.md §2 GRE flags: 3001, 3081 and 2081 are what we send, and what we read", () => {
  const bench = new PlaneBench(false);
  const send = () => {
    bench.tun.put(ipv4Packet(60, 1), HEADROOM_BYTES);
    bench.transmit();
  };
  send();
  bench.frame(CLEAR);
  send();
  bench.frame(CLEAR);
  bench.plane.tick(Millis(bench.now + 100));
  const flags = bench.wire.sent.map(({ packet }) => packet.toString("hex", 0, 4));
  assert.deepEqual(flags, ["3001880b", "3081880b", "2081880b"]);
  assert.equal(bench.wire.sent[2]?.packet.length, 12);
  const reader = new PlaneBench(false);
  for (const packet of bench.wire.sent.map((each) => Buffer.from(each.packet))) {
    packet.writeUInt16BE(CALL, 6);
    reader.wire.arriving.push({ peer: bench.wire.sent[0]?.peer ?? assert.fail(), packet });
  }
  reader.plane.receive(Millis(0));
  assert.deepEqual([reader.plane.strays, reader.tun.written.length], [0, 2]);
});

for (const first of [0, 1, 0xffffffff])
  test(`windows.md §2 GRE sequence: numbers that start at ${first} are accepted; ours start at 0`, () => {
    const bench = new PlaneBench(false);
    bench.frame(CLEAR, first);
    bench.frame(CLEAR, (first + 1) >>> 0);
    assert.equal(bench.tun.written.length, 2);
    bench.tun.put(ipv4Packet(60, 1), HEADROOM_BYTES);
    bench.transmit();
    assert.equal(bench.take()[0]?.sequence, 0);
  });

test("windows.md §2 GRE acknowledgment: one shot 100 ms after the first packet, the highest number even across a gap", () => {
  const bench = new PlaneBench(false);
  bench.frame(CLEAR, 0);
  bench.now += 60;
  bench.frame(CLEAR, 5);
  bench.plane.tick(Millis(1099));
  assert.deepEqual(bench.take(), []);
  bench.plane.tick(Millis(1100));
  assert.deepEqual(
    bench.take().map(({ sequence, ack }) => [sequence, ack]),
    [[undefined, 5]],
  );
});

test("windows.md §2 GRE: no window, no wait for acknowledgments: a hundred packets leave at once", () => {
  const bench = new PlaneBench(false);
  for (let n = 0; n < 100; n++) bench.tun.put(ipv4Packet(60, n), HEADROOM_BYTES);
  bench.transmit();
  assert.equal(bench.wire.sent.length, 100);
});

test("windows.md §2 GRE: packets a Windows 10 client swapped are put in order for MPPE", () => {
  const bench = new PlaneBench(true).encrypt(KEYS);
  const peer = new Encryptor(KEYS);
  const frames = [8, 9, 10].map((n) => peer.ip(n));
  for (const at of [0, 2, 1]) bench.frame(frames[at] ?? CLEAR, 8 + at);
  assert.deepEqual(
    bench.tun.written,
    [8, 9, 10].map((n) => ipv4Packet(60, n)),
  );
});

// --- §3 framing ------------------------------------------------------------------------------------------------------

test("windows.md §3 framing: every frame of the Windows 7 capture is read, ff03 or not", () => {
  const heads = Object.entries(WINDOWS_GRE).filter(([name]) => name !== "ackOnly");
  const protocols = heads.map(([, packet]) => {
    const frame = parsePppFrame(insideGre(packet));
    return frame.ok ? frame.value.protocol : 0;
  });
  const known: readonly number[] = Object.values(Protocol);
  assert.ok(protocols.every((protocol) => known.includes(protocol)));
});

test("windows.md §3 framing: ff03 or not, every control packet reaches its session, before and after encryption", () => {
  const bench = new PlaneBench(true);
  const packets = ["ff03c021 0c010004", "c021 0c020004", "ff03c223 03010004", "c223 03020004", "80fd 01010004"];
  for (const packet of packets) bench.frame(hex(packet));
  bench.encrypt(KEYS);
  for (const packet of packets) bench.frame(hex(packet));
  const read = packets.map((packet) => `${CALL.toString(16)} ${packet.replace("ff03", "")}`);
  assert.deepEqual(bench.control, [...read, ...read]);
});

test("windows.md §3 framing: LCP extensions without ff03 from a Windows 7 profile, Configure and Terminate always with it", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect().hangUp();
  const lcp = line.transcript.filter((said) => /^C gre (ff03)?c021/.test(said)).map((said) => said.slice(6));
  assert.ok(lcp.some((said) => said.startsWith("c0210c")));
  for (const said of lcp) assert.match(said, /^(ff03c0210[1-7]|c0210[89a-f])/);
});

test("windows.md §3 framing: once ACFC is agreed NCPs and CHAP go without ff03, MPPE data as one byte fd, 0021 inside in two", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  for (const said of line.transcript.filter((each) => / gre (ff03)?(c223|80|c029)/.test(each)))
    assert.doesNotMatch(said, / gre ff03/);
  const bench = new PlaneBench(true).encrypt(KEYS);
  bench.plane.attach(CALL, bench.tun, COMPRESSED);
  bench.tun.put(ipv4Packet(1400, 1), HEADROOM_BYTES);
  bench.transmit();
  const [sent] = bench.take();
  assert.equal(sent?.payload[0], 0xfd);
  assert.equal(sent?.payload.length, 1405, "1 + 2 + 2 + 1400, as the largest payload of a capture");
});

test("windows.md §3 framing: a client of a server without compression carries on", () => {
  const caller = new Desk().caller().call().ask(Protocol.lcp, "01040578 050675eb25d5");
  caller.acknowledge(Protocol.lcp);
  assert.ok(caller.said().some(({ wire }) => wire.startsWith("ff03c22301")));
});

// --- §4 LCP ----------------------------------------------------------------------------------------------------------

/** First Configure-Request → what our server answers, then what the client asks → until acknowledged. */
const ENDPOINT = `1317 01 ${"a5".repeat(20)}`;
const FIRST_REQUESTS = {
  "Windows 2000": [
    `050675eb25d5 0702 0802 0d0306 1104064e ${ENDPOINT}`,
    `0d03061104064e${ENDPOINT.replaceAll(" ", "")}`,
  ],
  "Windows XP": [`${WINDOWS_LCP} 0d0306`, "0d0306"],
  "Windows 7": [`${WINDOWS_LCP} 0d0306`, "0d0306"],
  "Windows 10": [`${WINDOWS_LCP} 0d0306`, "0d0306"],
} as const;
for (const [system, [options, rejected]] of Object.entries(FIRST_REQUESTS))
  test(`windows.md §4 LCP options of ${system}: callback and multilink rejected, the rest acknowledged`, () => {
    const caller = new Desk().caller().call().ask(Protocol.lcp, options);
    const own = caller.said().filter(({ protocol }) => protocol === Protocol.lcp);
    const reject = own.find(({ code }) => code === 4);
    assert.equal(reject?.data.toString("hex"), rejected);
    const again = options.replaceAll(" ", "").replace(rejected, "");
    caller.ask(Protocol.lcp, again);
    const ack = caller.said().find(({ protocol, code }) => protocol === Protocol.lcp && code === 2);
    assert.deepEqual([ack?.identifier, ack?.data.toString("hex")], [1, again]);
  });

test("windows.md §4 LCP: our request has nothing a Windows client would not acknowledge", () => {
  const caller = new Desk().caller().call().ask(Protocol.lcp, WINDOWS_LCP);
  const request = caller.said().find(({ protocol, code }) => protocol === Protocol.lcp && code === 1);
  assert.match(request?.data.toString("hex") ?? "", /^010405780305c223810506[0-9a-f]{8}07020802$/);
});

test("windows.md §4 LCP: RRAS's request is answered as Windows 7 does: multilink rejected, EAP Naked with c22381, callback kept", () => {
  const dialer = new Dialer({ profile: WINDOWS_7 }).called();
  const rras = (rest: string) => `01040578 ${rest} 050670ed20e6 0702 0802 0d0306`;
  const answers = () => dialer.frames.slice(1).map((wire) => wire.slice(8));
  dialer.packet(Protocol.lcp, 1, 0, `${rras("0304c227")} 1104064e ${ENDPOINT}`);
  dialer.packet(Protocol.lcp, 1, 1, rras("0304c227"));
  dialer.packet(Protocol.lcp, 1, 2, rras("0305c22381"));
  assert.deepEqual(
    answers().map((answer) => answer.slice(0, 4)),
    ["0400", "0301", "0202"],
  );
  assert.equal(answers()[0]?.slice(8), `1104064e${ENDPOINT.replaceAll(" ", "")}`);
  assert.equal(answers()[1]?.slice(8), "0305c22381");
});

for (const [name, auth] of Object.entries({
  EAP: "0304c227",
  PAP: "0304c023",
  "CHAP-MD5": "0305c22305",
  "MS-CHAPv1": "0305c22380",
}))
  test(`windows.md §4 authentication dance: a server that asks for ${name} is Naked with c22381, never rejected`, () => {
    const dialer = new Dialer({ profile: WINDOWS_7 }).called();
    dialer.packet(Protocol.lcp, 1, 0, `${auth} 050670ed20e6`);
    assert.equal(dialer.frames.at(-1), "ff03c021030000090305c22381");
  });

test("windows.md §4 authentication dance: a client that Naks EAP-first servers' way gets MS-CHAPv2 from ours", () => {
  const caller = new Desk({ authentication: ["chap-md5", "mschap-v2"] }).caller().call().ask(Protocol.lcp, WINDOWS_LCP);
  caller.answer(Protocol.lcp, 3, "0305c22381");
  const requests = caller.said().filter(({ protocol, code }) => protocol === Protocol.lcp && code === 1);
  assert.match(requests[0]?.data.toString("hex") ?? "", /0305c22305/);
  assert.match(requests[1]?.data.toString("hex") ?? "", /0305c22381/);
});

test("windows.md §4 MRU: a Nak to 1452 is obeyed", () => {
  const caller = new Desk({ mtu: 1460 }).caller().call().ask(Protocol.lcp, WINDOWS_LCP);
  caller.answer(Protocol.lcp, 3, "010405ac");
  const requests = caller.said().filter(({ protocol, code }) => protocol === Protocol.lcp && code === 1);
  assert.match(requests.at(-1)?.data.toString("hex") ?? "", /^010405ac/);
});

test("windows.md §4 retransmission: a new identifier each time, 2, 3, 4, 4 … s apart", () => {
  const dialer = new Dialer({ profile: WINDOWS_7 }).called();
  const began = dialer.now;
  const sent: [number, string][] = [];
  for (let now = 0; now <= 30_000; now += 1000) {
    dialer.advance(began + now - dialer.now);
    while (sent.length < dialer.frames.length) sent.push([now / 1000, dialer.frames[sent.length]?.slice(10, 12) ?? ""]);
  }
  assert.deepEqual(sent, [
    [0, "00"],
    [2, "01"],
    [5, "02"],
    [9, "03"],
    [13, "04"],
    [17, "05"],
    [21, "06"],
    [25, "07"],
    [29, "08"],
  ]);
});

test("windows.md §4 retransmission: a client that repeats its request under a new identifier is answered each time", () => {
  const caller = new Desk().caller().call();
  for (let again = 0; again < 3; again++) caller.ask(Protocol.lcp, WINDOWS_LCP);
  const acks = caller.said().filter(({ protocol, code }) => protocol === Protocol.lcp && code === 2);
  assert.deepEqual(
    acks.map(({ identifier }) => identifier),
    [0, 1, 2],
  );
});

const opened = (caller: Caller) => caller.said().map(({ code, protocol }) => `${protocol.toString(16)} ${code}`);
test("windows.md §4 start race: our server holds its first LCP packet for Set-Link-Info, the first GRE packet, or 100 ms", () => {
  const desk = new Desk();
  const silent = desk.caller().call();
  assert.deepEqual(opened(silent), []);
  desk.advance(99);
  assert.deepEqual(opened(silent), []);
  desk.advance(1);
  assert.deepEqual(opened(silent), ["c021 1"]);
  const polite = desk.caller().call();
  const info = Buffer.from(WINDOWS_CONTROL.linkInfo);
  info.writeUInt16BE(polite.callId ?? 0, 12);
  assert.deepEqual(opened(polite.control(info)), ["c021 1"]);
  assert.deepEqual(opened(desk.caller().call().ask(Protocol.lcp, WINDOWS_LCP)), ["c021 1", "c021 2"]);
});

test("windows.md §4 start race: a first request that got lost is repeated after 2 s", () => {
  const desk = new Desk();
  const caller = desk.caller().call();
  desk.advance(2100);
  assert.deepEqual(opened(caller), ["c021 1", "c021 1"]);
});

test("windows.md §4 Identification: taken in silence before and after LCP opens, GUID included", () => {
  const caller = new Desk().caller().lcp();
  caller.said();
  for (const [index, text] of [
    Buffer.from("MSRASV5.20"),
    Buffer.from("MSRAS-0-DESKTOP"),
    Buffer.alloc(16, 0xa5),
  ].entries())
    caller.packet(Protocol.lcp, 12, 2 + index, Buffer.concat([hex("75eb25d5"), text]));
  assert.deepEqual(caller.said(), []);
});

test("windows.md §4 Identification: the Windows 7 profile's three, after LCP opened; a Code-Reject for it is survived", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const texts = line.transcript.filter((said) => said.startsWith("C gre c0210c")).map((said) => hex(said.slice(26)));
  assert.deepEqual(
    texts.slice(0, 2).map((text) => text.toString()),
    ["MSRASV5.20", "MSRAS-0-WIN-2RRBUS7N9GE"],
  );
  assert.equal(texts[2]?.length, 16);
  line.dialer.packet(Protocol.lcp, 7, 9, "0c030008 75eb25d5");
  assert.equal(line.dialer.client.status()?.state, "connected");
});

test("windows.md §4 Echo: answered at once with our own magic number", () => {
  const caller = new Desk().caller().lcp();
  const magic = caller
    .said()
    .find(({ protocol, code }) => protocol === Protocol.lcp && code === 1)
    ?.data.toString("hex", 11, 15);
  caller.packet(Protocol.lcp, 9, 77, "75eb25d5");
  const [reply] = caller.said();
  assert.deepEqual([reply?.code, reply?.identifier, reply?.data.toString("hex")], [10, 77, magic]);
});

test("windows.md §4 Echo: the Windows 7 profile asks for none, and answers without ff03", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const before = line.dialer.frames.length;
  line.dialer.advance(50_000);
  assert.equal(line.dialer.frames.slice(before).filter((wire) => /^(ff03)?c02109/.test(wire)).length, 0);
  line.dialer.packet(Protocol.lcp, 9, 5, "11223344");
  assert.match(line.dialer.frames.at(-1) ?? "", /^c0210a05/);
});

for (const [code, name] of [
  ["000002b3", 691],
  ["0000030a", 778],
] as const)
  test(`windows.md §4 Terminate-Request: its trailer puts Windows' own error ${name} into the log`, () => {
    const desk = new Desk();
    desk.caller().lcp().packet(Protocol.lcp, 5, 9, `75eb25d5 003ccd74 ${code}`).hangUpTcp();
    assert.match(
      desk.told.at(-1) ?? "",
      new RegExp(`after stage lcp-opened: the Windows client .* error ${name}; Windows shows error ${name}`),
    );
  });

test("windows.md §4 Terminate-Request: error 0 is a user who hung up, at any stage", () => {
  const desk = new Desk();
  desk.caller().lcp().packet(Protocol.lcp, 5, 9, "75eb25d5 003ccd74 00000000").hangUpTcp();
  assert.match(desk.told.at(-1) ?? "", /^info .*the peer hung up$/);
});
