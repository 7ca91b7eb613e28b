/** windows.md §1: the control connection, as Windows clients and RRAS keep it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { WINDOWS_7 } from "../../appliance/pptp/windows-profiles.ts";
import { emitControlMessage } from "../../appliance/wire/control-message.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { Dialer, Line } from "../support/dialer.ts";
import { hex } from "../support/hex.ts";
import { brief, Desk } from "../support/scripted-caller.ts";

const HEAD = "1a2b3c4d";
const text64 = (text: string) => Buffer.from(text).toString("hex").padEnd(128, "0");
const sccrq = (firmware: string, vendor: string, reserved = "0000") =>
  hex(
    `009c 0001 ${HEAD} 0001 0000 0100 ${reserved} 00000001 00000001 0000 ${firmware} ${text64("")} ${text64(vendor)}`,
  );
const ocrq = (callId: string, serial: string, subaddress = "") =>
  hex(`00a8 0001 ${HEAD} 0007 0000 ${callId} ${serial} 0000012c 05f5e100 00000003 00000003 0040 0000 0000 0000
    ${text64("")} ${subaddress.padEnd(128, "0")}`);
const linkInfo = (peersCallId: number, sendAccm: number, receiveAccm: number) =>
  emitControlMessage({ type: "set-link-info", peersCallId, sendAccm, receiveAccm });

// --- Start-Control-Connection ----------------------------------------------------------------------------------------

const INTRODUCTIONS = {
  "Windows 2000, pre-release": sccrq("0870", "Microsoft Windows NT"),
  "Windows 2000": sccrq("0893", "Microsoft Windows NT"),
  "Windows XP": sccrq("0a28", "Microsoft Windows NT"),
  "Windows Vista and later": sccrq("0000", "Microsoft"),
};
for (const [system, request] of Object.entries(INTRODUCTIONS))
  test(`windows.md §1 SCCRQ of ${system}: answered with version 1.0, result 1`, () => {
    const [reply] = new Desk().caller().control(request).controls();
    assert.ok(reply?.type === "start-control-connection-reply");
    assert.deepEqual([reply.protocolVersion, reply.resultCode, reply.errorCode], [0x0100, 1, 0]);
  });

test("windows.md §1 SCCRQ: the Windows 7 profile sends Vista's, byte for byte", () => {
  const [, first] = new Dialer({ profile: WINDOWS_7 }).connected().effects.filter(({ type }) => type !== "log");
  assert.ok(first?.type === "send-control");
  assert.equal(first.bytes.toString("hex"), sccrq("0000", "Microsoft").toString("hex"));
});

const sccrp = (framing: number, bearer: number, channels: number, firmware: number, host: string, vendor: string) =>
  emitControlMessage({
    type: "start-control-connection-reply",
    protocolVersion: 0x0100,
    resultCode: 1,
    errorCode: 0,
    framingCapabilities: framing,
    bearerCapabilities: bearer,
    maximumChannels: channels,
    firmwareRevision: firmware,
    hostName: host,
    vendorName: vendor,
  });
for (const [server, reply] of Object.entries({
  PoPToP: sccrp(0, 0, 1, 1, "local", "MoretonBay"),
  "accel-ppp": sccrp(3, 3, 1, 1, "", "accel-pptp"),
  RRAS: sccrp(2, 3, 0, 0, "", "Microsoft"),
}))
  test(`windows.md §1 SCCRP of ${server}: its capabilities, names and channels are ignored, the call follows at once`, () =>
    assert.equal(new Dialer().connected().receive(reply).controls.at(-1)?.type, "outgoing-call-request"));

// --- calls -----------------------------------------------------------------------------------------------------------

for (const [system, request, callId] of [
  ["Windows 2000: Call ID 0, arbitrary serial, no subaddress", ocrq("0000", "c1cb"), 0],
  [
    "Vista and later: random Call ID, serial 1, GUID in the subaddress",
    ocrq("2961", "0001", "96157121fdb78f47b5d0be36d2e97e50"),
    0x2961,
  ],
] as const)
  test(`windows.md §1 OCRQ of ${system}: answered with its Call ID echoed, result 1, GRE open before the reply`, () => {
    const caller = new Desk().caller().start().control(request);
    const order = caller.effects.map(({ type }) => type).filter((type) => type !== "log");
    assert.deepEqual(order, ["send-control", "open-call", "send-control"]);
    const reply = caller.controls().at(-1);
    assert.ok(reply?.type === "outgoing-call-reply");
    assert.deepEqual(
      [reply.peersCallId, reply.resultCode, reply.errorCode, reply.causeCode, reply.packetProcessingDelay],
      [callId, 1, 0, 0, 0],
    );
    assert.equal(reply.callId, caller.callId);
    assert.ok(reply.packetRecvWindowSize > 0 && reply.connectSpeed > 0);
    caller.packet(Protocol.lcp, 1, 0, "");
    assert.ok(caller.said().length > 0);
  });

test("windows.md §1 OCRQ: the Windows 7 profile's values, the GUID first in the subaddress and last in the Identifications", () => {
  const dialer = new Dialer({ profile: WINDOWS_7 }).called();
  const request = dialer.controls.find(({ type }) => type === "outgoing-call-request");
  assert.ok(request?.type === "outgoing-call-request");
  const { subaddress, callId, callSerialNumber, type, ...rest } = request;
  assert.deepEqual(rest, {
    minimumBps: 300,
    maximumBps: 100_000_000,
    bearerType: 3,
    framingType: 3,
    packetRecvWindowSize: 64,
    packetProcessingDelay: 0,
    phoneNumberLength: 0,
    phoneNumber: "",
  });
  assert.ok(!subaddress.subarray(0, 16).equals(Buffer.alloc(16)));
  assert.deepEqual(subaddress.subarray(16), Buffer.alloc(48));
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const told = line.transcript.filter((said) => said.startsWith("C gre c0210c"));
  assert.equal(told.length, 3);
  const guid = line.dialer.controls.find((message) => message.type === "outgoing-call-request");
  assert.ok(guid?.type === "outgoing-call-request");
  assert.ok(told[2]?.endsWith(guid.subaddress.toString("hex", 0, 16)));
});

test("windows.md §1 OCRQ: the serial number goes up by one with every call of our client, across connections", () => {
  const dialer = new Dialer();
  for (let again = 0; again < 3; again++)
    dialer
      .connected()
      .receive(WINDOWS_CONTROL.startReply)
      .take(dialer.client.disconnected(undefined, Millis(0)));
  const serials = dialer.controls.flatMap((message) =>
    message.type === "outgoing-call-request" ? [message.callSerialNumber] : [],
  );
  assert.deepEqual(serials, [0, 1, 2]);
});

test("windows.md §1 OCRP: any window and speed are accepted, and Call ID 0 of a server stands in Set-Link-Info and GRE", () => {
  const dialer = new Dialer()
    .connected()
    .receive(
      WINDOWS_CONTROL.startReply,
      hex(`0020 0001 ${HEAD} 0008 0000 0000 9d49 01 00 0000 00512502 4000 0000 00000000`),
    );
  assert.ok(dialer.effects.some((effect) => effect.type === "open-call" && effect.call.peerCallId === 0));
  const info = dialer.controls.at(-1);
  assert.ok(info?.type === "set-link-info");
  assert.equal(info.peersCallId, 0);
});

test("windows.md §1: several calls on one connection, several connections of one address", () => {
  const desk = new Desk();
  const one = desk.caller().start().control(ocrq("0001", "0001"), ocrq("0002", "0002"));
  const replies = one.controls().filter((message) => message.type === "outgoing-call-reply");
  assert.deepEqual(
    replies.map(({ resultCode, peersCallId }) => [resultCode, peersCallId]),
    [
      [1, 1],
      [1, 2],
    ],
  );
  assert.ok(desk.accept(one.peer)?.call().controls().at(-1)?.type === "outgoing-call-reply");
});

// --- Set-Link-Info ---------------------------------------------------------------------------------------------------

test("windows.md §1 Set-Link-Info: whatever it says and whenever it comes, to either side, the call stands", () => {
  const caller = new Desk().caller().connected();
  const peers = caller.callId ?? 0;
  const reserved = linkInfo(peers, 0, 0xffffffff);
  reserved.writeUInt16BE(41366, 14); // RRAS puts the client's TCP port there
  caller.said();
  caller.control(linkInfo(peers, 0xffffffff, 0xffffffff), linkInfo(peers, 0, 0xffffffff), reserved, linkInfo(9, 1, 2));
  assert.deepEqual(caller.said(), []);
  assert.equal(caller.session?.state, "connected");
  const dialer = new Dialer().called();
  dialer.receive(linkInfo(0x9d49, 0, 0xffffffff), linkInfo(0x9d49, 0xffffffff, 0xffffffff), linkInfo(9, 1, 2));
  assert.equal(dialer.count("close-call"), 0);
});

test("windows.md §1 Set-Link-Info of our client: before its first LCP packet, at LCP open, first word of the goodbye", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect().hangUp();
  const ours = line.transcript.filter((said) => said.startsWith("C ")).map((said) => said.slice(2, 16));
  const positions = ours.flatMap((said, index) => (said === "tcp set-link-i" ? [index] : []));
  assert.equal(positions.length, 3);
  assert.equal(ours[(positions[0] ?? 0) + 1], "gre ff03c02101", "then its first Configure-Request");
  assert.match(ours[(positions[1] ?? 0) - 1] ?? "", /^gre c0210c/, "after the Identifications");
  assert.match(ours[(positions[1] ?? 0) + 1] ?? "", /^gre c22302/, "before the Response");
  assert.equal(ours[(positions[2] ?? 0) + 1], "gre ff03c02105");
  const infos = line.dialer.controls.filter((message) => message.type === "set-link-info");
  assert.ok(infos.every(({ sendAccm, receiveAccm }) => sendAccm === 0xffffffff && receiveAccm === 0xffffffff));
});

test("windows.md §1 Set-Link-Info: a server that asked for asyncmap 0 is told it", () => {
  const dialer = new Dialer({ profile: WINDOWS_7 }).called();
  const [, identifier] = hex(dialer.frames[0]?.slice(8) ?? "");
  const asked = dialer.frames[0]?.slice(16) ?? "";
  dialer.packet(Protocol.lcp, 2, identifier ?? 0, asked);
  dialer.packet(Protocol.lcp, 1, 1, "020600000000 0305c22381 050612345678");
  const info = dialer.controls.at(-1);
  assert.ok(info?.type === "set-link-info");
  assert.deepEqual([info.sendAccm, info.receiveAccm], [0, 0xffffffff]);
});

// --- timers ----------------------------------------------------------------------------------------------------------

test("windows.md §1 echo: asked for after 60 s of silence; a client's is answered with result 1 and its identifier", () => {
  const desk = new Desk();
  const caller = desk.caller().connected();
  caller.controls();
  const answerEchoes = () => {
    for (const { protocol, code, identifier } of caller.said())
      if (protocol === Protocol.lcp && code === 9) caller.packet(Protocol.lcp, 10, identifier, "75eb25d5");
  };
  for (let second = 0; second < 59; second++) {
    desk.advance(1000);
    answerEchoes();
  }
  assert.deepEqual(caller.controls(), []);
  desk.advance(1000);
  assert.equal(caller.controls()[0]?.type, "echo-request");
  caller.control(emitControlMessage({ type: "echo-request", identifier: 0xdeadbeef }));
  assert.deepEqual(caller.controls(), [{ type: "echo-reply", identifier: 0xdeadbeef, resultCode: 1, errorCode: 0 }]);
});

test("windows.md §1 start: a connection without an SCCRQ is dropped after 30 s", () => {
  const desk = new Desk();
  const caller = desk.caller();
  desk.advance(29_999);
  assert.equal(caller.closed, false);
  desk.advance(1);
  assert.equal(caller.closed, true);
});

test("windows.md §1 dial-out: our client gives a server 60 s for TCP", () => {
  const dialer = new Dialer().dial().advance(59_999);
  assert.equal(dialer.client.at, "dialing");
  assert.equal(dialer.advance(1).client.at, "listening");
});

// --- goodbye ---------------------------------------------------------------------------------------------------------

test("windows.md §1 goodbye of a Windows client: each step answered, in its order", () => {
  const desk = new Desk();
  const caller = desk.caller().connected();
  const peers = caller.callId ?? 0;
  caller.said();
  caller.controls();
  caller.control(linkInfo(peers, 0xffffffff, 0xffffffff));
  assert.deepEqual([caller.said(), caller.controls()], [[], []]);
  const data = "10162a1f 003ccd74 00000000";
  assert.deepEqual(
    caller.packet(Protocol.lcp, 5, 9, data).heard(),
    [`c021 terminateack ${data.replaceAll(" ", "")}`],
    "the data echoed",
  );
  assert.equal(caller.has("network-down"), true);
  caller.control(hex(`0010 0001 ${HEAD} 000c 0000 9d49 0000`));
  const [notify] = caller.controls();
  assert.ok(notify?.type === "call-disconnect-notify");
  assert.equal(notify.callId, peers, "by the server's own id");
  caller.control(WINDOWS_CONTROL.stopRequest);
  assert.deepEqual(caller.controls(), [{ type: "stop-control-connection-reply", resultCode: 1, errorCode: 0 }]);
  assert.equal(caller.closed, true);
  assert.match(desk.log.at(-1) ?? "", /^info session 1 alice .*: the peer hung up$/);
});

test("windows.md §1 goodbye of our client under the Windows 7 profile: message by message", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  const before = line.transcript.length;
  line.hangUp();
  assert.deepEqual(
    line.transcript
      .slice(before)
      .map((said) => said.slice(0, 44).replace(/ gre ff03c021(..)..(....)(\w{8})?/, " gre lcp $1 length $2 ")),
    [
      "C tcp set-link-info",
      "C gre lcp 05 length 0010 003ccd74000000",
      "S gre lcp 06 length 0010 003ccd74000000",
      "C tcp call-clear-request",
      "S tcp call-disconnect-notify",
      "C tcp stop-control-connection-request",
      "S tcp stop-control-connection-reply",
      "C FIN",
      "S FIN",
    ],
  );
  const clear = line.dialer.controls.find(({ type }) => type === "call-clear-request");
  assert.deepEqual(clear, { type: "call-clear-request", callId: 0x9d49 });
  const stop = line.dialer.controls.at(-1);
  assert.deepEqual(stop, { type: "stop-control-connection-request", reason: 1 });
  assert.equal(line.dialer.client.lastFailure, undefined);
});

test("windows.md §1 goodbye: an empty Terminate-Ack is accepted too", () => {
  const line = new Line({ profile: WINDOWS_7 }).connect();
  line.dialer.take(line.dialer.client.hangUp(Millis(0)));
  line.dialer.packet(Protocol.lcp, 6, 0, "");
  assert.equal(line.dialer.controls.at(-1)?.type, "call-clear-request");
});

for (const resultCode of [0, 1, 2, 3, 4, 255])
  test(`windows.md §1: Call-Disconnect-Notify with result ${resultCode} ends our client's call, whatever it says`, () => {
    const dialer = new Dialer().called();
    const notify = { errorCode: 0, causeCode: 0, callStatistics: "" };
    dialer.receive(emitControlMessage({ type: "call-disconnect-notify", callId: 0x736a, resultCode, ...notify }));
    assert.equal(dialer.count("close-call"), 1);
  });

test("windows.md §1: RRAS hangs up with a Call-Clear-Request, which ends our client's call", () => {
  const dialer = new Dialer().called();
  dialer.receive(linkInfo(0x9d49, 0xffffffff, 0xffffffff), hex(`0010 0001 ${HEAD} 000c 0000 736a 0000`));
  assert.equal(dialer.count("close-call"), 1);
  assert.ok(dialer.controls.some(({ type }) => type === "call-disconnect-notify"));
});

test("windows.md §1: WAN-Error-Notify is ignored by both sides", () => {
  const counts = { crcErrors: 1, framingErrors: 1, hardwareOverruns: 1, bufferOverruns: 1, timeOutErrors: 1 };
  const notify = (peersCallId: number) =>
    emitControlMessage({ type: "wan-error-notify", peersCallId, ...counts, alignmentErrors: 1 });
  const caller = new Desk().caller().connected();
  caller.control(notify(caller.callId ?? 0));
  assert.equal(caller.session?.state, "connected");
  assert.equal(new Dialer().called().receive(notify(0x9d49)).count("close-call"), 0);
});

test("windows.md §1: TCP that closes takes its calls along, FIN or reset", () => {
  for (const reason of [undefined, "ECONNRESET"]) {
    const caller = new Desk().caller().connected();
    caller.hangUpTcp(reason);
    assert.equal(caller.has("close-call"), true);
    assert.equal(caller.session, undefined);
  }
});

test("windows.md §1: Windows 10, told to go, answers Terminate-Ack with our data and clears the call", () => {
  const desk = new Desk();
  const caller = desk.caller().connected();
  caller.said();
  desk.hangUp(1);
  const [terminate] = caller.said();
  assert.ok(terminate && brief(terminate).startsWith("c021 terminaterequest"));
  caller.packet(Protocol.lcp, 6, terminate.identifier, terminate.data);
  caller.control(hex(`0010 0001 ${HEAD} 000c 0000 9d49 0000`), WINDOWS_CONTROL.stopRequest);
  assert.equal(caller.closed, true);
  assert.deepEqual(desk.server.sessions(), []);
});

test("windows.md §1: reserved fields are ignored on receipt, in every message of a session", () => {
  const dirty = (message: Buffer, ...offsets: readonly number[]) => {
    const copy = Buffer.from(message);
    for (const at of [10, ...offsets]) copy.writeUInt16BE(0xa196, at);
    return copy;
  };
  const caller = new Desk().caller();
  caller.control(dirty(WINDOWS_CONTROL.startRequest, 14), dirty(WINDOWS_CONTROL.callRequest, 38));
  const info = dirty(linkInfo(caller.callId ?? 0, 0xffffffff, 0xffffffff), 14);
  caller.control(info, dirty(hex(`0010 0001 ${HEAD} 000c 0000 9d49 0000`), 14), dirty(WINDOWS_CONTROL.stopRequest, 14));
  assert.deepEqual(
    caller.controls().map(({ type }) => type),
    [
      "start-control-connection-reply",
      "outgoing-call-reply",
      "call-disconnect-notify",
      "stop-control-connection-reply",
    ],
  );
});

test("windows.md §1 goodbye: a server that never confirms the call's end is stopped after 3 s, and left after 3 more", () => {
  const dialer = new Dialer().called();
  dialer.take(dialer.client.hangUp(Millis(0)));
  dialer.packet(Protocol.lcp, 6, 0, "");
  assert.equal(dialer.controls.at(-1)?.type, "call-clear-request");
  assert.equal(dialer.advance(3000).controls.at(-1)?.type, "stop-control-connection-request");
  assert.equal(dialer.count("close-control"), 0);
  assert.equal(dialer.advance(3000).count("close-control"), 1);
  assert.equal(dialer.client.at, "listening");
});
