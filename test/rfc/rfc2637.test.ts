/** PPTP, section by section: each message byte for byte, then the connection, the calls and the tunnel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { ControlStream } from "../../appliance/pptp/control-stream.ts";
import { GreSession } from "../../appliance/pptp/gre-session.ts";
import { codeText, GENERAL_ERROR } from "../../appliance/wire/control-code.ts";
import { type ControlMessage, emitControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { emitGre, parseGre } from "../../appliance/wire/gre.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import {
  ControlPeer,
  closing,
  establishedClient,
  establishedServer,
  read,
  sent,
  words,
} from "../support/control-peer.ts";
import { hex } from "../support/hex.ts";

/** The figure of the section, field by field in hexadecimal, is what the message looks like; and back. */
function layout(message: ControlMessage, figure: string): void {
  const bytes = hex(figure);
  assert.equal(emitControlMessage(message).toString("hex"), bytes.toString("hex"));
  assert.deepEqual(parseControlMessage(bytes), { ok: true, value: message });
}
const COOKIE = "1a2b3c4d";
const text = (value: string, width: number) => Buffer.from(value.padEnd(width, "\0"), "latin1").toString("hex");
const start = {
  protocolVersion: 0x0100,
  framingCapabilities: 1,
  bearerCapabilities: 2,
  maximumChannels: 3,
  firmwareRevision: 4,
  hostName: "host",
  vendorName: "vendor",
};
const START = `00000001 00000002 0003 0004 ${text("host", 64)} ${text("vendor", 64)}`;

test("RFC 2637 §1.2 a session is named by the call ids of both ends, each assigned by its own side", () => {
  const server = establishedServer();
  server.receive(WINDOWS_CONTROL.callRequest);
  const outputs = server.give({ type: "answer-call", peer: PeerCallId(40265), callId: LocalCallId(29546) });
  const established = outputs.find((output) => output.type === "call-established");
  assert.ok(established?.type === "call-established");
  assert.deepEqual([established.callId, established.peer], [29546, 40265]);
});
test("RFC 2637 §1.4 a message begins with its length, message type 1 and the magic cookie; a wrong cookie closes", () => {
  const bytes = emitControlMessage({ type: "echo-request", identifier: 1 });
  assert.equal(bytes.subarray(0, 8).toString("hex"), `00100001${COOKIE}`);
  bytes[4] = 0;
  assert.deepEqual([...new ControlStream().receive(bytes)], [{ type: "lost-synchronization", fault: "bad-magic" }]);
});
test("RFC 2637 §2 message types this protocol version does not know are passed over", () => {
  const outputs = [...new ControlStream().receive(hex(`00100001${COOKIE}00100000 00000000`))];
  assert.deepEqual(outputs, [{ type: "skipped", fault: "bad-value" }]);
});

test("RFC 2637 §2.1 Start-Control-Connection-Request", () =>
  layout({ type: "start-control-connection-request", ...start }, `009c 0001 ${COOKIE} 0001 0000 0100 0000 ${START}`));
test("RFC 2637 §2.2 Start-Control-Connection-Reply", () =>
  layout(
    { type: "start-control-connection-reply", ...start, resultCode: 2, errorCode: 4 },
    `009c 0001 ${COOKIE} 0002 0000 0100 02 04 ${START}`,
  ));
test("RFC 2637 §2.3 Stop-Control-Connection-Request", () =>
  layout({ type: "stop-control-connection-request", reason: 3 }, `0010 0001 ${COOKIE} 0003 0000 03 00 0000`));
test("RFC 2637 §2.4 Stop-Control-Connection-Reply", () =>
  layout(
    { type: "stop-control-connection-reply", resultCode: 1, errorCode: 2 },
    `0010 0001 ${COOKIE} 0004 0000 01 02 0000`,
  ));
test("RFC 2637 §2.5 Echo-Request", () =>
  layout({ type: "echo-request", identifier: 0xcafebabe }, `0010 0001 ${COOKIE} 0005 0000 cafebabe`));
test("RFC 2637 §2.6 Echo-Reply", () =>
  layout(
    { type: "echo-reply", identifier: 0xcafebabe, resultCode: 1, errorCode: 2 },
    `0014 0001 ${COOKIE} 0006 0000 cafebabe 01 02 0000`,
  ));
test("RFC 2637 §2.7 Outgoing-Call-Request", () =>
  layout(
    {
      type: "outgoing-call-request",
      callId: 1,
      callSerialNumber: 2,
      minimumBps: 3,
      maximumBps: 4,
      bearerType: 5,
      framingType: 6,
      packetRecvWindowSize: 7,
      packetProcessingDelay: 8,
      phoneNumberLength: 9,
      phoneNumber: "123",
      subaddress: Buffer.alloc(64, 0xab),
    },
    `00a8 0001 ${COOKIE} 0007 0000 0001 0002 00000003 00000004 00000005 00000006 0007 0008 0009 0000
     ${text("123", 64)} ${"ab".repeat(64)}`,
  ));
test("RFC 2637 §2.8 Outgoing-Call-Reply", () =>
  layout(
    {
      type: "outgoing-call-reply",
      callId: 1,
      peersCallId: 2,
      resultCode: 3,
      errorCode: 4,
      causeCode: 5,
      connectSpeed: 6,
      packetRecvWindowSize: 7,
      packetProcessingDelay: 8,
      physicalChannelId: 9,
    },
    `0020 0001 ${COOKIE} 0008 0000 0001 0002 03 04 0005 00000006 0007 0008 00000009`,
  ));
test("RFC 2637 §2.9 Incoming-Call-Request", () =>
  layout(
    {
      type: "incoming-call-request",
      callId: 1,
      callSerialNumber: 2,
      bearerType: 3,
      physicalChannelId: 4,
      dialedNumberLength: 5,
      dialingNumberLength: 6,
      dialedNumber: "12345",
      dialingNumber: "654321",
      subaddress: Buffer.alloc(64, 0xcd),
    },
    `00dc 0001 ${COOKIE} 0009 0000 0001 0002 00000003 00000004 0005 0006
     ${text("12345", 64)} ${text("654321", 64)} ${"cd".repeat(64)}`,
  ));
test("RFC 2637 §2.10 Incoming-Call-Reply", () =>
  layout(
    {
      type: "incoming-call-reply",
      callId: 1,
      peersCallId: 2,
      resultCode: 3,
      errorCode: 4,
      packetRecvWindowSize: 5,
      packetTransmitDelay: 6,
    },
    `0018 0001 ${COOKIE} 000a 0000 0001 0002 03 04 0005 0006 0000`,
  ));
test("RFC 2637 §2.11 Incoming-Call-Connected", () =>
  layout(
    {
      type: "incoming-call-connected",
      peersCallId: 1,
      connectSpeed: 2,
      packetRecvWindowSize: 3,
      packetTransmitDelay: 4,
      framingType: 5,
    },
    `001c 0001 ${COOKIE} 000b 0000 0001 0000 00000002 0003 0004 00000005`,
  ));
test("RFC 2637 §2.12 Call-Clear-Request", () =>
  layout({ type: "call-clear-request", callId: 0x1234 }, `0010 0001 ${COOKIE} 000c 0000 1234 0000`));
test("RFC 2637 §2.13 Call-Disconnect-Notify", () =>
  layout(
    {
      type: "call-disconnect-notify",
      callId: 0x1234,
      resultCode: 1,
      errorCode: 2,
      causeCode: 3,
      callStatistics: "good",
    },
    `0094 0001 ${COOKIE} 000d 0000 1234 01 02 0003 0000 ${text("good", 128)}`,
  ));
test("RFC 2637 §2.14 WAN-Error-Notify", () =>
  layout(
    {
      type: "wan-error-notify",
      peersCallId: 1,
      crcErrors: 2,
      framingErrors: 3,
      hardwareOverruns: 4,
      bufferOverruns: 5,
      timeOutErrors: 6,
      alignmentErrors: 7,
    },
    `0028 0001 ${COOKIE} 000e 0000 0001 0000 00000002 00000003 00000004 00000005 00000006 00000007`,
  ));
test("RFC 2637 §2.15 Set-Link-Info", () =>
  layout(
    { type: "set-link-info", peersCallId: 1, sendAccm: 0xffffffff, receiveAccm: 0x0a0b0c0d },
    `0018 0001 ${COOKIE} 000f 0000 0001 0000 ffffffff 0a0b0c0d`,
  ));
test("RFC 2637 §2.16 General Error Codes 0 to 6 have names", () => {
  for (let code = 0; code <= 6; code++) assert.doesNotMatch(codeText(GENERAL_ERROR, code), /undefined/);
  assert.match(codeText(GENERAL_ERROR, 7), /undefined/);
});

test("RFC 2637 §3.1 originator and receiver differ only in who speaks first", () => {
  const originator = new ControlPeer("pns");
  const receiver = new ControlPeer("pac");
  const asked = originator.give({ type: "open" });
  assert.deepEqual(receiver.give({ type: "open" }), []);
  const replied = receiver.receive(sent(asked, "start-control-connection-request"));
  originator.receive(sent(replied, "start-control-connection-reply"));
  assert.ok(originator.connection.isEstablished && receiver.connection.isEstablished);
});
test("RFC 2637 §3.1.1 wait_ctl_reply: a reply with version and result in order establishes", () => {
  const originator = new ControlPeer("pns");
  originator.give({ type: "open" });
  assert.deepEqual(words(originator.receive(WINDOWS_CONTROL.startReply)), ["established"]);
  const refused = new ControlPeer("pns");
  refused.give({ type: "open" });
  const reply = read(WINDOWS_CONTROL.startReply);
  assert.ok(reply.type === "start-control-connection-reply");
  assert.equal(closing(refused.receive({ ...reply, resultCode: 5 })).why, "refused-by-peer");
});
test("RFC 2637 §3.1.2 the receiver answers a version it does not support and closes", () => {
  const receiver = new ControlPeer("pac");
  const request = read(WINDOWS_CONTROL.startRequest);
  assert.ok(request.type === "start-control-connection-request");
  const outputs = receiver.receive({ ...request, protocolVersion: 0x0000 });
  assert.deepEqual(words(outputs), ["> start-control-connection-reply", "close"]);
});
test("RFC 2637 §3.1.4 an Echo-Request after 60 idle seconds, and the end 60 seconds later", () => {
  const client = establishedClient();
  client.give({
    type: "place-call",
    request: { callId: LocalCallId(5), serial: 1, subaddress: hex(""), incoming: false },
  });
  client.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5 } as ControlMessage);
  assert.deepEqual(words(client.tickAt(59_999)), []);
  assert.deepEqual(words(client.tickAt(60_000)), ["> echo-request"]);
  assert.deepEqual(words(client.tickAt(119_999)), []);
  assert.equal(closing(client.tickAt(120_000)).why, "echo-timeout");
});
test("RFC 2637 §3.2.2 a Call ID is the caller's own and unique on the connection", () => {
  const server = establishedServer();
  server.receive(WINDOWS_CONTROL.callRequest);
  assert.equal(sent(server.receive(WINDOWS_CONTROL.callRequest), "outgoing-call-reply").errorCode, 5);
});
test("RFC 2637 §3.2.3 an incoming call: request, reply, connected", () => {
  const pac = establishedClient();
  pac.give({ type: "place-call", request: { callId: LocalCallId(5), serial: 1, subaddress: hex(""), incoming: true } });
  const outputs = pac.receive({
    type: "incoming-call-reply",
    callId: 9,
    peersCallId: 5,
    resultCode: 1,
    errorCode: 0,
    packetRecvWindowSize: 4,
    packetTransmitDelay: 0,
  });
  assert.deepEqual(words(outputs), ["> incoming-call-connected", "call-established"]);
});
test("RFC 2637 §3.2.4 an outgoing call: request, reply; cleared by request, told by notify", () => {
  const pns = establishedClient();
  pns.give({
    type: "place-call",
    request: { callId: LocalCallId(5), serial: 1, subaddress: hex(""), incoming: false },
  });
  pns.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5, callId: 9 } as ControlMessage);
  assert.deepEqual(words(pns.give({ type: "clear-call", callId: LocalCallId(5) })), ["> call-clear-request"]);
  const notify = { ...read(WINDOWS_CONTROL.callDisconnect), callId: 9 } as ControlMessage;
  assert.deepEqual(words(pns.receive(notify)), ["call-ended"]);
});

test("RFC 2637 §4 a PPP frame travels without flags, escapes or checksum", () => {
  const payload = hex("ff03c021 7e7d7e7d");
  const packet = parseGre(emitGre({ callId: 1, sequence: 0, ack: undefined, payload }));
  assert.ok(packet.ok);
  assert.deepEqual(packet.value.payload, payload);
});
test("RFC 2637 §4.1 the enhanced GRE header: K always, S with payload, A with an acknowledgment, version 1, 0x880b", () => {
  const bytes = (sequence: number | undefined, ack: number | undefined, payload: string) =>
    emitGre({ callId: 0x0102, sequence, ack, payload: hex(payload) }).toString("hex");
  assert.equal(bytes(3, undefined, "aa"), "3001880b0001010200000003aa");
  assert.equal(bytes(3, 4, "aa"), "3081880b000101020000000300000004aa");
  assert.equal(bytes(undefined, 4, ""), "2081880b0000010200000004");
});
function receiver() {
  const order: number[] = [];
  const gre = new GreSession((payload) => order.push(payload[0] ?? -1));
  return {
    gre,
    order,
    receive: (...ns: number[]) => ns.forEach((n) => void gre.receive(n, Buffer.from([n]), Millis(0))),
  };
}
test("RFC 2637 §4.2 several packets are acknowledged by one number, the highest; and each only once", () => {
  const { gre, receive } = receiver();
  receive(0, 1, 2);
  assert.equal(gre.takeAck(), 2);
  assert.equal(gre.takeAck(), undefined);
});
test("RFC 2637 §4.3 packets out of sequence: put in order, or dropped, never delivered late", () => {
  const { gre, order, receive } = receiver();
  receive(0, 2, 1, 4);
  gre.tick(Millis(100));
  receive(3);
  assert.deepEqual(order, [0, 1, 2, 4]);
});
