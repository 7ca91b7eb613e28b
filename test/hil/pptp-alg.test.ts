import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ControlMessage,
  emitControlMessage,
  type IncomingCallRequest,
  type OutgoingCallReply,
  type OutgoingCallRequest,
  parseControlMessage,
} from "../../appliance/wire/control-message.ts";
import { emitGre } from "../../appliance/wire/gre.ts";
import { emitIcmp, errorAbout, IcmpType } from "../../hil/net/ip/icmp.ts";
import { IpProtocol } from "../../hil/net/ip/packet.ts";
import { type NatBoxSettings, natBox } from "../../hil/net/services/nat-box.ts";
import { PPTP_ALG_MODES, type PptpAlgMode } from "../../hil/net/services/pptp-alg-mode.ts";
import { greOf, type Station, serviceBench, text } from "./service-bench.ts";

const OUTSIDE = "203.0.113.7";
const SERVER = "203.0.113.1";

async function office(alg: PptpAlgMode, settings: Partial<NatBoxSettings> = {}) {
  const bench = await serviceBench(
    natBox({ inside: "192.168.1.1/24", outside: `${OUTSIDE}/24`, gateway: SERVER, alg, ...settings }),
  );
  const one = bench.station("inside", "192.168.1.10");
  const two = bench.station("inside", "192.168.1.11");
  const server = bench.station("outside", SERVER);
  return { ...bench, one, two, server };
}

function request(callId: number): OutgoingCallRequest {
  const speed = { minimumBps: 300, maximumBps: 100_000_000, bearerType: 3, framingType: 3 };
  const window = { packetRecvWindowSize: 64, packetProcessingDelay: 0, phoneNumberLength: 0, phoneNumber: "" };
  return {
    type: "outgoing-call-request",
    callId,
    callSerialNumber: 1,
    ...speed,
    ...window,
    subaddress: Buffer.alloc(64),
  };
}

function reply(callId: number, peersCallId: number, resultCode = 1): OutgoingCallReply {
  const result = { resultCode, errorCode: 0, causeCode: 0, connectSpeed: 100_000_000 };
  const window = { packetRecvWindowSize: 64, packetProcessingDelay: 0, physicalChannelId: 0 };
  return { type: "outgoing-call-reply", callId, peersCallId, ...result, ...window };
}

const setLinkInfo = (peersCallId: number): ControlMessage => ({
  type: "set-link-info",
  peersCallId,
  sendAccm: 0xffffffff,
  receiveAccm: 0xffffffff,
});
const clear = (callId: number): ControlMessage => ({ type: "call-clear-request", callId });
const disconnect = (callId: number): ControlMessage => ({
  type: "call-disconnect-notify",
  callId,
  resultCode: 4,
  errorCode: 0,
  causeCode: 0,
  callStatistics: "",
});

/** The control messages that a station got since the last time; checks addresses, ports and checksums on the way. */
function messages(station: Station, ends: string): ControlMessage[] {
  return station.take().flatMap((packet) => {
    assert.equal(text(packet), `${ends} tcp`);
    let rest = packet.payload.subarray(20);
    const found: ControlMessage[] = [];
    while (rest.length > 0) {
      const message = parseControlMessage(rest.subarray(0, rest.readUInt16BE(0)));
      assert.ok(message.ok);
      found.push(message.value);
      rest = rest.subarray(rest.readUInt16BE(0));
    }
    return found;
  });
}

/** A call from `client`, as far as GRE can flow. Returns its outside Call ID, as the server sees it. */
function call(client: Station, server: Station, port: number, callId: number, serverId: number): number {
  for (const station of [client, server]) station.take();
  const inside = `192.168.1.${client.address & 255}:${port}`;
  client.control(SERVER, [port, 1723], request(callId));
  const packet = server.takeOne();
  const outsidePort = packet.payload.readUInt16BE(0);
  const seen = parseControlMessage(packet.payload.subarray(20));
  assert.ok(seen.ok && seen.value.type === "outgoing-call-request" && text(packet) !== "");
  server.control(OUTSIDE, [1723, outsidePort], reply(serverId, seen.value.callId));
  const [answer] = messages(client, `203.0.113.1:1723 > ${inside}`);
  assert.ok(answer?.type === "outgoing-call-reply");
  assert.deepEqual([answer.callId, answer.peersCallId], [serverId, callId], "the client finds its own Call ID");
  return seen.value.callId;
}

test("right: two clients with the same Call ID and port call the same server, and each gets its own GRE", async () => {
  const { one, two, server, node, notes } = await office("right");
  const first = call(one, server, 40_000, 7, 100);
  const second = call(two, server, 40_000, 7, 101);
  assert.deepEqual([first, second], [7, 8]);
  server.gre(OUTSIDE, { callId: first, payload: Buffer.from("for one") });
  server.gre(OUTSIDE, { callId: second, payload: Buffer.from("for two") });
  assert.equal(text(one.takeOne()), "203.0.113.1 > 192.168.1.10 gre 7 for one");
  assert.equal(text(two.takeOne()), "203.0.113.1 > 192.168.1.11 gre 7 for two");
  two.gre(SERVER, { callId: 101, payload: Buffer.from("from two") });
  assert.equal(text(server.takeOne()), "203.0.113.7 > 203.0.113.1 gre 101 from two");
  assert.equal(node.nat.calls.length, 2);
  assert.deepEqual(
    notes().filter((note) => note.startsWith("PPTP")),
    [
      "PPTP 192.168.1.10:40000-203.0.113.1:1723: call 7 of 192.168.1.10",
      "PPTP 192.168.1.11:40000-203.0.113.1:1723: call 7 of 192.168.1.11, outside 8",
    ],
  );
});

test("right: sequence and acknowledgment numbers pass untouched, acknowledgments alone too", async () => {
  const { one, two, server } = await office("right");
  call(one, server, 40_000, 7, 100);
  const outside = call(two, server, 40_000, 7, 101);
  server.gre(OUTSIDE, { callId: outside, sequence: 5, ack: 3 });
  const { payload: _, ...header } = greOf(two.takeOne());
  assert.deepEqual(header, { callId: 7, sequence: 5, ack: 3 });
  server.send(
    server.packet(
      OUTSIDE,
      IpProtocol.gre,
      emitGre({ callId: outside, sequence: undefined, ack: 9, payload: Buffer.alloc(0) }),
    ),
  );
  assert.deepEqual(greOf(two.takeOne()), { callId: 7, sequence: undefined, ack: 9, payload: Buffer.alloc(0) });
});

test("right: every message that carries an inside Call ID is translated, also when it is sent again", async () => {
  const { one, two, server } = await office("right");
  call(one, server, 40_000, 7, 100);
  const outside = call(two, server, 40_000, 7, 101);
  const toServer = "203.0.113.7:40001 > 203.0.113.1:1723";
  const toTwo = "203.0.113.1:1723 > 192.168.1.11:40000";
  two.control(SERVER, [40_000, 1723], setLinkInfo(101), clear(7));
  assert.deepEqual(messages(server, toServer), [setLinkInfo(101), clear(outside)]);
  server.control(OUTSIDE, [1723, 40_001], setLinkInfo(outside), disconnect(101));
  assert.deepEqual(messages(two, toTwo), [setLinkInfo(7), disconnect(101)]);
  two.control(SERVER, [40_000, 1723], clear(7)); // TCP lost the first
  assert.deepEqual(messages(server, toServer), [clear(outside)]);
  const wanError: ControlMessage = {
    type: "wan-error-notify",
    peersCallId: outside,
    crcErrors: 1,
    framingErrors: 0,
    hardwareOverruns: 0,
    bufferOverruns: 0,
    timeOutErrors: 0,
    alignmentErrors: 0,
  };
  server.control(OUTSIDE, [1723, 40_001], wanError);
  assert.deepEqual(messages(two, toTwo), [{ ...wanError, peersCallId: 7 }]);
});

test("right: a call that is over, refused or whose connection is closed gets no GRE", async () => {
  const { one, server, node } = await office("right");
  const over = call(one, server, 40_000, 7, 100);
  server.control(OUTSIDE, [1723, 40_000], disconnect(100));
  one.control(SERVER, [40_000, 1723], request(8));
  server.control(OUTSIDE, [1723, 40_000], reply(0, 8, 4));
  const closed = call(one, server, 40_001, 9, 102);
  for (const callId of [over, 8]) server.gre(OUTSIDE, { callId });
  assert.deepEqual(one.take(), []);
  server.gre(OUTSIDE, { callId: closed });
  assert.equal(one.take().length, 1);
  one.tcp(SERVER, [40_001, 1723], 0x11);
  server.tcp(OUTSIDE, [1723, 40_001], 0x11);
  one.take();
  server.gre(OUTSIDE, { callId: closed });
  assert.deepEqual(one.take(), []);
  assert.equal(
    node.nat.calls.some(({ insideId }) => insideId === 9),
    false,
  );
});

test("right: two calls in one control connection, and calls of one client to two servers", async () => {
  const { one, server, ...bench } = await office("right");
  const other = bench.station("outside", "203.0.113.2");
  const ids = [call(one, server, 40_000, 7, 100), call(one, server, 40_000, 8, 101)];
  assert.deepEqual(ids, [7, 8]);
  for (const callId of ids) server.gre(OUTSIDE, { callId });
  assert.deepEqual(
    one.take().map((packet) => greOf(packet).callId),
    [7, 8],
  );
  other.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual(one.take(), [], "the Call ID is known, but not from this server");
});

test("right: a server behind a forwarded port; its Call IDs are translated, the client's are not", async () => {
  const {
    one,
    server: client,
    two: second,
  } = await office("right", {
    forwards: [{ protocol: "tcp", port: 1723, to: "192.168.1.10" }],
  });
  const toInside = "203.0.113.1:50000 > 192.168.1.10:1723";
  const toClient = "203.0.113.7:1723 > 203.0.113.1:50000";
  // Somebody inside has a call with Call ID 5 to the same remote address already.
  call(second, client, 40_000, 5, 1);
  client.control(OUTSIDE, [50_000, 1723], request(9));
  assert.deepEqual(messages(one, toInside), [request(9)]);
  one.control(SERVER, [1723, 50_000], reply(5, 9));
  assert.deepEqual(messages(client, toClient), [reply(6, 9)]);
  client.control(OUTSIDE, [50_000, 1723], setLinkInfo(6), clear(9));
  assert.deepEqual(messages(one, toInside), [setLinkInfo(5), clear(9)]);
  client.gre(OUTSIDE, { callId: 6 });
  assert.equal(greOf(one.takeOne()).callId, 5);
  one.gre(SERVER, { callId: 9 });
  assert.equal(text(client.takeOne()), "203.0.113.7 > 203.0.113.1 gre 9 ppp");
  one.control(SERVER, [1723, 50_000], disconnect(5));
  assert.deepEqual(messages(client, toClient), [disconnect(6)]);
  client.gre(OUTSIDE, { callId: 6 });
  assert.deepEqual(one.take(), []);
});

test("right: an Incoming-Call-Request of an inside client and its Connected", async () => {
  const { one, two: second, server } = await office("right");
  call(second, server, 40_000, 7, 100);
  const incoming: IncomingCallRequest = {
    type: "incoming-call-request",
    callId: 7,
    callSerialNumber: 0,
    bearerType: 1,
    physicalChannelId: 0,
    dialedNumberLength: 0,
    dialingNumberLength: 0,
    dialedNumber: "",
    dialingNumber: "",
    subaddress: Buffer.alloc(64),
  };
  one.control(SERVER, [41_000, 1723], incoming);
  assert.deepEqual(messages(server, "203.0.113.7:41000 > 203.0.113.1:1723"), [{ ...incoming, callId: 8 }]);
  const answer: ControlMessage = {
    type: "incoming-call-reply",
    callId: 200,
    peersCallId: 8,
    resultCode: 1,
    errorCode: 0,
    packetRecvWindowSize: 64,
    packetTransmitDelay: 0,
  };
  server.control(OUTSIDE, [1723, 41_000], answer);
  assert.deepEqual(messages(one, "203.0.113.1:1723 > 192.168.1.10:41000"), [{ ...answer, peersCallId: 7 }]);
  server.gre(OUTSIDE, { callId: 8 });
  assert.equal(greOf(one.takeOne()).callId, 7);
});

test("right: an ICMP error about GRE reaches the client that sent it", async () => {
  const { one, two: second, server } = await office("right");
  call(one, server, 40_000, 7, 100);
  call(second, server, 40_000, 7, 101);
  second.gre(SERVER, { callId: 101 });
  const error = errorAbout(server.takeOne(), IcmpType.unreachable, 4, 1400) ?? assert.fail();
  server.send(server.packet(OUTSIDE, IpProtocol.icmp, emitIcmp(error)));
  assert.equal(text(second.takeOne()), "203.0.113.1 > 192.168.1.11 icmp 3/4 0/1400");
  assert.deepEqual(one.take(), []);
});

test("off: control passes as it is, GRE leaves with the outside address, none comes in", async () => {
  const { one, server, notes, node } = await office("off");
  assert.equal(call(one, server, 40_000, 7, 100), 7);
  one.gre(SERVER, { callId: 100 });
  assert.equal(text(server.takeOne()), "203.0.113.7 > 203.0.113.1 gre 100 ppp");
  server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual([one.take(), node.nat.calls], [[], []]);
  assert.equal(notes().at(-1), "dropped GRE from 203.0.113.1 to 203.0.113.7, because no helper knows whose it is");
});

test("linux: the outside Call ID is the outside port, and a Call-Disconnect-Notify from outside names the client's", async () => {
  const { one, two: second, server } = await office("linux");
  assert.equal(call(one, server, 40_000, 7, 100), 40_000);
  assert.equal(call(second, server, 40_000, 7, 101), 40_001);
  server.gre(OUTSIDE, { callId: 40_001 });
  assert.equal(greOf(second.takeOne()).callId, 7);
  server.control(OUTSIDE, [1723, 40_001], disconnect(101));
  assert.deepEqual(messages(second, "203.0.113.1:1723 > 192.168.1.11:40000"), [disconnect(7)]);
});

test("linux: a second call in one control connection clashes with the first", async () => {
  const { one, server, notes } = await office("linux");
  call(one, server, 40_000, 7, 100);
  one.control(SERVER, [40_000, 1723], request(8));
  assert.match(notes().at(-1) ?? "", /call 8 .* clashes with call 7/);
});

test("single-session: the second client of a server takes the first one's GRE, whatever the Call ID", async () => {
  const { one, two: second, server } = await office("single-session");
  call(one, server, 40_000, 7, 100);
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 1);
  call(second, server, 40_000, 9, 101);
  for (const callId of [7, 9]) server.gre(OUTSIDE, { callId });
  assert.deepEqual([one.take(), second.take().map((packet) => greOf(packet).callId)], [[], [7, 9]]);
});

test("no-call-id-rewrite: different Call IDs work side by side, equal ones go to the newest call", async () => {
  const { one, two: second, server, notes } = await office("no-call-id-rewrite");
  call(one, server, 40_000, 7, 100);
  call(second, server, 40_000, 9, 101);
  for (const callId of [7, 9]) server.gre(OUTSIDE, { callId });
  assert.deepEqual([one.take().length, second.take().length], [1, 1]);
  assert.equal(call(second, server, 40_001, 7, 102), 7);
  server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual([one.take().length, second.take().length], [0, 1]);
  assert.ok(notes().includes("call 7 of 192.168.1.11 clashes with call 7 of 192.168.1.10"));
});

test("gre-timeout-30s: after 30 s of silence the server's packets are lost until the client sends one", async () => {
  const { one, server, clock, notes } = await office("gre-timeout-30s");
  call(one, server, 40_000, 7, 100);
  server.gre(OUTSIDE, { callId: 7 });
  clock.advance(29_000);
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 2);
  clock.advance(30_000);
  server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual(one.take(), []);
  one.gre(SERVER, { callId: 100 });
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 1);
  assert.equal(notes().at(-1), "GRE of call 7 of 192.168.1.10 is known again");
});

test("right: GRE may pause for ten minutes before anything came in, and for five hours then: nf_conntrack_pptp.h", async () => {
  const { one, server, clock } = await office("right");
  call(one, server, 40_000, 7, 100);
  clock.advance(599_000);
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 1);
  for (let hour = 0; hour < 4; hour++) {
    clock.advance(3_600_000); // the control connection stays open by its echoes
    one.control(SERVER, [40_000, 1723], { type: "echo-request", identifier: hour });
    server.tcp(OUTSIDE, [1723, 40_000], 0x10);
  }
  one.take();
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 1);
});

test("inbound-gre-first-dropped: the server's packets are lost until the client has sent one", async () => {
  const { one, server } = await office("inbound-gre-first-dropped");
  call(one, server, 40_000, 7, 100);
  server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual(one.take(), []);
  one.gre(SERVER, { callId: 100 });
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 1);
});

test("gre-blocked: the control connection works and no GRE passes either way", async () => {
  const { one, server } = await office("gre-blocked");
  call(one, server, 40_000, 7, 100);
  one.gre(SERVER, { callId: 100 });
  server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual([one.take(), server.take()], [[], []]);
});

test("the mode can be changed while a call is up: from the next packet on, and back", async () => {
  const { one, server, node, notes } = await office("right");
  call(one, server, 40_000, 7, 100);
  node.nat.alg = "off";
  server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual(one.take(), []);
  node.nat.alg = "right";
  server.gre(OUTSIDE, { callId: 7 });
  assert.equal(one.take().length, 1);
  assert.ok(notes().includes(`PPTP ALG off: ${PPTP_ALG_MODES.off.says}`));
});

test("calls live on after a snapshot, with the rest of their time", async () => {
  const before = await office("gre-timeout-30s");
  call(before.one, before.server, 40_000, 7, 100);
  before.clock.advance(20_000);
  const saved = JSON.parse(JSON.stringify(before.service.save())) as unknown;
  const after = await office("right");
  after.clock.advance(999_000);
  after.service.restore(saved);
  assert.equal(after.node.nat.alg, "gre-timeout-30s");
  after.clock.advance(9_000);
  after.server.gre(OUTSIDE, { callId: 7 });
  assert.equal(after.one.take().length, 1);
  const late = await office("right");
  late.service.restore(saved);
  late.clock.advance(10_000);
  late.server.gre(OUTSIDE, { callId: 7 });
  assert.deepEqual(late.one.take(), []);
});

test("a message that is cut over two segments passes as it is, and the note says so", async () => {
  const { one, server, notes } = await office("right");
  const bytes = emitControlMessage(request(7));
  one.tcp(SERVER, [40_000, 1723], 0x18, bytes.subarray(0, 50));
  one.tcp(SERVER, [40_000, 1723], 0x18, bytes.subarray(50));
  assert.equal(server.take().map(text).length, 2);
  assert.match(notes().at(-1) ?? "", /118 bytes are no whole control message, and pass as they are/);
});

test("in every mode, whatever comes in: nothing is thrown, and what goes out is sound", async () => {
  const benches = await Promise.all(
    (Object.keys(PPTP_ALG_MODES) as PptpAlgMode[]).map(async (alg) => {
      const bench = await office(alg);
      call(bench.one, bench.server, 40_000, 7, 100);
      return bench;
    }),
  );
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const messageBytes = fc
    .tuple(fc.constantFrom<ControlMessage>(request(7), reply(7, 100), setLinkInfo(7), clear(7), disconnect(7)), bytes)
    .map(([message, noise]) => {
      const emitted = emitControlMessage(message);
      noise.subarray(0, 4).copy(emitted, noise.length % emitted.length);
      return Buffer.concat([emitted, noise.subarray(4)]);
    });
  const protocols = fc.constantFrom<number>(...Object.values(IpProtocol), 99);
  fc.assert(
    fc.property(protocols, bytes, messageBytes, fc.boolean(), (protocol, noise, control, isInside) => {
      for (const { one, server, throwIn } of benches) {
        const [from, to] = isInside ? [one, SERVER] : [server, OUTSIDE];
        from.send(from.packet(to, protocol, noise));
        const ports = isInside ? ([40_000, 1723] as const) : ([1723, 40_000] as const);
        from.tcp(to, ports, 0x18, control);
        throwIn(isInside ? "inside" : "outside", noise);
        one.take();
        server.take();
      }
    }),
    { numRuns: 150 },
  );
});
