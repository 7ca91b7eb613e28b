import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import type { ControlOutput } from "../../appliance/pptp/control-connection.ts";
import type { ControlMessage } from "../../appliance/wire/control-message.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import {
  type ControlPeer,
  closing,
  establishedClient,
  establishedServer,
  read,
  sent,
  words,
} from "../support/control-peer.ts";
import { hex } from "../support/hex.ts";

const OURS = LocalCallId(500);
const request = (callId: number) => ({ ...read(WINDOWS_CONTROL.callRequest), callId }) as ControlMessage;
const reply = (fields: object) =>
  ({ ...read(WINDOWS_CONTROL.callReply), peersCallId: OURS, ...fields }) as ControlMessage;
const notify = (callId: number, resultCode = 0) =>
  ({ ...read(WINDOWS_CONTROL.callDisconnect), callId, resultCode }) as ControlMessage;

function placed(incoming = false): ControlPeer {
  const client = establishedClient();
  client.give({ type: "place-call", request: { callId: OURS, serial: 7, subaddress: hex("aabb"), incoming } });
  return client;
}
/** A server with one call of the peer's id `peer`, answered with `callId`. */
function answered(server: ControlPeer, peer: number, callId: number): readonly ControlOutput[] {
  assert.deepEqual(words(server.receive(request(peer))), ["call-requested"]);
  return server.give({ type: "answer-call", peer: PeerCallId(peer), callId: LocalCallId(callId) });
}
function end(outputs: readonly ControlOutput[]) {
  const ended = outputs.find((output) => output.type === "call-ended");
  assert.ok(ended?.type === "call-ended", JSON.stringify(words(outputs)));
  return ended;
}

test("a call to us: requested, answered, established with the peer's window", () => {
  const outputs = answered(establishedServer(), 40265, 29546);
  assert.deepEqual(words(outputs), ["> outgoing-call-reply", "call-established"]);
  const answer = sent(outputs, "outgoing-call-reply");
  assert.deepEqual([answer.callId, answer.peersCallId, answer.resultCode, answer.errorCode], [29546, 40265, 1, 0]);
  assert.deepEqual(outputs[1], { type: "call-established", callId: 29546, peer: 40265, window: 64 });
});
test("a call of ours: the Outgoing-Call-Request, and the reply that establishes it", () => {
  const client = establishedClient();
  const placing = client.give({
    type: "place-call",
    request: { callId: OURS, serial: 7, subaddress: hex("aabb"), incoming: false },
  });
  const asked = sent(placing, "outgoing-call-request");
  assert.deepEqual([asked.callId, asked.callSerialNumber, asked.bearerType, asked.framingType], [500, 7, 3, 3]);
  assert.deepEqual([asked.minimumBps, asked.maximumBps, asked.packetRecvWindowSize], [300, 100_000_000, 64]);
  assert.deepEqual(asked.subaddress, hex("aabb"));
  const outputs = client.receive(reply({ callId: 77, packetRecvWindowSize: 16384 }));
  assert.deepEqual(outputs, [{ type: "call-established", callId: OURS, peer: 77, window: 16384 }]);
});
test("a peer's Call ID 0 is a call id like any other (Poptop, Windows 2000)", () => {
  const client = placed();
  assert.deepEqual(words(client.receive(reply({ callId: 0 }))), ["call-established"]);
  const info = client.give({ type: "set-link-info", callId: OURS, sendAccm: 1, receiveAccm: 2 });
  assert.equal(sent(info, "set-link-info").peersCallId, 0);
  assert.equal(end(client.receive(notify(0))).callId, OURS);

  const server = establishedServer();
  answered(server, 0, 9);
  assert.equal(end(server.receive({ type: "call-clear-request", callId: 0 })).callId, 9);
});
for (const [resultCode, errorCode, text] of [
  [2, 4, /no resource/],
  [3, 0, /no carrier/],
  [4, 0, /busy/],
  [7, 0, /prohibited/],
  [0, 0, /undefined code \(0\)/],
  [99, 0, /undefined code \(99\)/],
] as const)
  test(`a call of ours refused with result ${resultCode} says why`, () => {
    const ended = end(placed().receive(reply({ resultCode, errorCode })));
    assert.ok(ended.end.reason === "refused");
    assert.match(ended.end.text, text);
  });
test("a call of ours without an answer ends after 30 s", () => {
  const client = placed();
  assert.equal(client.connection.deadline, 30_000);
  assert.equal(end(client.tickAt(30_000)).end.reason, "no-reply");
});
test("a reply to nobody's call, to the wrong kind, or a second one is ignored", () => {
  const client = placed();
  assert.deepEqual(client.receive(reply({ peersCallId: 501 })), []);
  const other: ControlMessage = {
    type: "incoming-call-reply",
    callId: 3,
    peersCallId: OURS,
    resultCode: 1,
    errorCode: 0,
    packetRecvWindowSize: 1,
    packetTransmitDelay: 0,
  };
  assert.deepEqual(client.receive(other), []);
  assert.deepEqual(words(client.receive(reply({ callId: 77 }))), ["call-established"]);
  assert.deepEqual(client.receive(reply({ callId: 78 })), []);
});
test("a call placed before the connection stands ends at once", () => {
  const client = establishedClient();
  client.give({ type: "stop" });
  const outputs = client.give({
    type: "place-call",
    request: { callId: OURS, serial: 1, subaddress: hex(""), incoming: false },
  });
  assert.equal(end(outputs).end.reason, "control-connection-closed");
});

test("an Incoming-Call of ours: request, reply, connected", () => {
  const client = establishedClient();
  const outputs = client.give({
    type: "place-call",
    request: { callId: OURS, serial: 2, subaddress: hex(""), incoming: true },
  });
  assert.deepEqual(words(outputs), ["> incoming-call-request"]);
  const replied: ControlMessage = {
    type: "incoming-call-reply",
    callId: 3,
    peersCallId: OURS,
    resultCode: 1,
    errorCode: 0,
    packetRecvWindowSize: 8,
    packetTransmitDelay: 0,
  };
  const done = client.receive(replied);
  assert.deepEqual(words(done), ["> incoming-call-connected", "call-established"]);
  assert.equal(sent(done, "incoming-call-connected").peersCallId, 3);
});
test("an Incoming-Call to us is established when it is connected, and given up when it never is", () => {
  const incoming = (callId: number): ControlMessage => ({
    type: "incoming-call-request",
    callId,
    callSerialNumber: 1,
    bearerType: 3,
    physicalChannelId: 0,
    dialedNumberLength: 0,
    dialingNumberLength: 0,
    dialedNumber: "",
    dialingNumber: "",
    subaddress: Buffer.alloc(64),
  });
  const server = establishedServer();
  for (const peer of [11, 12]) {
    assert.deepEqual(words(server.receive(incoming(peer))), ["call-requested"]);
    const outputs = server.give({ type: "answer-call", peer: PeerCallId(peer), callId: LocalCallId(peer + 100) });
    assert.deepEqual(words(outputs), ["> incoming-call-reply"]);
    assert.equal(sent(outputs, "incoming-call-reply").resultCode, 1);
  }
  const connected = { connectSpeed: 1, packetRecvWindowSize: 5, packetTransmitDelay: 0, framingType: 3 } as const;
  const outputs = server.receive({ type: "incoming-call-connected", peersCallId: 111, ...connected });
  assert.deepEqual(outputs, [{ type: "call-established", callId: 111, peer: 11, window: 5 }]);
  assert.equal(end(server.tickAt(30_000)).callId, 112);
});

test("a call we have no room for is refused with error 4", () => {
  const server = establishedServer();
  server.receive(request(1));
  const outputs = server.give({ type: "answer-call", peer: PeerCallId(1), callId: undefined });
  assert.deepEqual(words(outputs), ["> outgoing-call-reply"]);
  const refusal = sent(outputs, "outgoing-call-reply");
  assert.deepEqual([refusal.resultCode, refusal.errorCode, refusal.callId, refusal.peersCallId], [2, 4, 0, 1]);
});
test("an answer to a call nobody requested is not sent", () => {
  const server = establishedServer();
  assert.deepEqual(words(server.give({ type: "answer-call", peer: PeerCallId(1), callId: OURS })), ["call-ended"]);
  assert.deepEqual(server.give({ type: "answer-call", peer: PeerCallId(1), callId: undefined }), []);
});
test("a second request with the same Call ID is refused with error 5, answered or not", () => {
  const server = establishedServer();
  server.receive(request(3));
  assert.equal(sent(server.receive(request(3)), "outgoing-call-reply").errorCode, 5);
  server.give({ type: "answer-call", peer: PeerCallId(3), callId: OURS });
  assert.equal(sent(server.receive(request(3)), "outgoing-call-reply").errorCode, 5);
});
test("a second call with another Call ID is one more call", () => {
  const server = establishedServer();
  answered(server, 1, 101);
  answered(server, 2, 102);
  assert.equal(end(server.receive({ type: "call-clear-request", callId: 1 })).callId, 101);
  assert.equal(end(server.receive({ type: "call-clear-request", callId: 2 })).callId, 102);
});
test("sixteen calls, the seventeenth is refused with error 4, asked for or up", () => {
  const server = establishedServer();
  for (let peer = 1; peer <= 8; peer++) answered(server, peer, 100 + peer);
  for (let peer = 9; peer <= 16; peer++) assert.deepEqual(words(server.receive(request(peer))), ["call-requested"]);
  const refusal = sent(server.receive(request(17)), "outgoing-call-reply");
  assert.deepEqual([refusal.resultCode, refusal.errorCode], [2, 4]);
  server.receive({ type: "call-clear-request", callId: 1 });
  assert.deepEqual(words(server.receive(request(17))), ["call-requested"]);
});
test("a caller that hangs up before we answered gets no call", () => {
  const server = establishedServer();
  server.receive(request(4));
  server.receive({ type: "call-clear-request", callId: 4 });
  const outputs = server.give({ type: "answer-call", peer: PeerCallId(4), callId: OURS });
  assert.deepEqual(words(outputs), ["call-ended"]);
  assert.equal(end(outputs).callId, OURS, "so that its owner can release the id");
});

test("we hang up a call we placed: Call-Clear-Request with our id, then its Notify ends it, whatever the result", () => {
  const client = placed();
  client.receive(reply({ callId: 77 }));
  const outputs = client.give({ type: "clear-call", callId: OURS });
  assert.deepEqual(words(outputs), ["> call-clear-request"]);
  assert.equal(sent(outputs, "call-clear-request").callId, OURS);
  assert.deepEqual(client.give({ type: "clear-call", callId: OURS }), [], "once is enough");
  assert.equal(end(client.receive(notify(77, 4))).end.reason, "cleared");
});
test("we hang up, and the Notify never comes: three seconds", () => {
  const client = placed();
  client.receive(reply({ callId: 77 }));
  client.give({ type: "clear-call", callId: OURS });
  assert.equal(client.connection.deadline, 3000);
  assert.equal(end(client.tickAt(3000)).end.reason, "cleared");
});
test("we hang up a call that was placed to us: Call-Disconnect-Notify with our id, result 3", () => {
  const server = establishedServer();
  answered(server, 40265, 29546);
  const outputs = server.give({ type: "clear-call", callId: LocalCallId(29546) });
  assert.deepEqual(words(outputs), ["> call-disconnect-notify", "call-ended"]);
  const notified = sent(outputs, "call-disconnect-notify");
  assert.deepEqual([notified.callId, notified.resultCode], [29546, 3]);
});
test("RRAS hangs up with a Call-Clear-Request: end of call, and it is told", () => {
  const client = placed();
  client.receive(reply({ callId: 77 }));
  const outputs = client.receive({ type: "call-clear-request", callId: 77 });
  assert.deepEqual(words(outputs), ["> call-disconnect-notify", "call-ended"]);
  const notified = sent(outputs, "call-disconnect-notify");
  assert.deepEqual([notified.callId, notified.resultCode], [OURS, 4]);
});
test("a peer that names the call by our id instead of its own is understood, as behind a NAT", () => {
  const server = establishedServer();
  answered(server, 40265, 29546);
  assert.equal(end(server.receive({ type: "call-clear-request", callId: 29546 })).callId, 29546);
});
test("an end of a call nobody knows is ignored", () => {
  const server = establishedServer();
  assert.deepEqual(server.receive({ type: "call-clear-request", callId: 1 }), []);
  assert.deepEqual(server.receive(notify(1)), []);
});

test("Set-Link-Info is passed on for a call we know, whatever its values", () => {
  const server = establishedServer();
  answered(server, 1, 101);
  const info: ControlMessage = { type: "set-link-info", peersCallId: 101, sendAccm: 0, receiveAccm: 0xffffffff };
  assert.deepEqual(server.receive(info), [{ type: "link-info", callId: 101, sendAccm: 0, receiveAccm: 0xffffffff }]);
  assert.deepEqual(server.receive({ ...info, peersCallId: 102 }), []);
});
test("the connection's end is every call's", () => {
  const server = establishedServer();
  answered(server, 1, 101);
  answered(server, 2, 102);
  const outputs = server.receive(WINDOWS_CONTROL.stopRequest);
  assert.deepEqual(words(outputs), ["> stop-control-connection-reply", "call-ended", "call-ended", "close"]);
  assert.equal(end(outputs).end.reason, "control-connection-closed");
  assert.equal(closing(outputs).why, "stopped-by-peer");
});
test("we stop the connection: each call's end is told, none waited for", () => {
  const server = establishedServer();
  answered(server, 1, 101);
  assert.deepEqual(words(server.give({ type: "stop" })), [
    "> call-disconnect-notify",
    "call-ended",
    "> stop-control-connection-request",
  ]);
  const client = placed();
  assert.deepEqual(words(client.give({ type: "stop" })), [
    "> call-clear-request",
    "call-ended",
    "> stop-control-connection-request",
  ]);
});
