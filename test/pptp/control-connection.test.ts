import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalCallId } from "../../appliance/pptp/call-id.ts";
import { DEFAULT_CONTROL_TIMES } from "../../appliance/pptp/control-connection.ts";
import type { ControlMessage } from "../../appliance/wire/control-message.ts";
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

const startReply = (fields: Partial<ControlMessage>): ControlMessage =>
  ({ ...read(WINDOWS_CONTROL.startReply), ...fields }) as ControlMessage;
const callRequest = { callId: LocalCallId(5), serial: 1, subaddress: Buffer.alloc(0), incoming: false };

test("a server waits for the client, and answers with result 1 and no version of ours", () => {
  const server = new ControlPeer("pac");
  assert.deepEqual(server.give({ type: "open" }), []);
  const outputs = server.receive(WINDOWS_CONTROL.startRequest);
  assert.deepEqual(words(outputs), ["> start-control-connection-reply", "established"]);
  const reply = sent(outputs, "start-control-connection-reply");
  assert.deepEqual([reply.resultCode, reply.errorCode, reply.protocolVersion, reply.hostName], [1, 0, 0x0100, ""]);
  assert.deepEqual(outputs[1], { type: "established", hostName: "", vendorName: "Microsoft", firmwareRevision: 0 });
});
test("a client speaks first, and is established by the reply", () => {
  const client = new ControlPeer("pns");
  assert.deepEqual(words(client.give({ type: "open" })), ["> start-control-connection-request"]);
  assert.deepEqual(words(client.receive(WINDOWS_CONTROL.startReply)), ["established"]);
});
test("another revision of version 1 is spoken to; version 2 is answered 5 and left", () => {
  const request = read(WINDOWS_CONTROL.startRequest);
  assert.ok(request.type === "start-control-connection-request");
  const revision = new ControlPeer("pac");
  assert.ok(words(revision.receive({ ...request, protocolVersion: 0x0101 })).includes("established"));
  const version = new ControlPeer("pac");
  const outputs = version.receive({ ...request, protocolVersion: 0x0200 });
  assert.equal(sent(outputs, "start-control-connection-reply").resultCode, 5);
  assert.equal(closing(outputs).why, "version-not-supported");
});
for (const [resultCode, errorCode, text] of [
  [2, 4, /no resource/],
  [3, 0, /already exists/],
  [4, 0, /not authorized/],
  [5, 0, /version/],
] as const)
  test(`a refusal with result ${resultCode} ends the connection and says why`, () => {
    const client = new ControlPeer("pns");
    client.give({ type: "open" });
    const close = closing(client.receive(startReply({ resultCode, errorCode })));
    assert.equal(close.why, "refused-by-peer");
    assert.match(close.text, text);
  });
test("result 0 is taken for 1, as some servers leave it so", () => {
  const client = new ControlPeer("pns");
  client.give({ type: "open" });
  assert.deepEqual(words(client.receive(startReply({ resultCode: 0 }))), ["established"]);
});
test("a second Start-Control-Connection-Request ends the connection, and the call on it", () => {
  const server = establishedServer();
  const peer = { peer: server.receive(WINDOWS_CONTROL.callRequest)[0] };
  assert.equal(peer.peer?.type, "call-requested");
  if (peer.peer?.type !== "call-requested") return;
  server.give({ type: "answer-call", peer: peer.peer.peer, callId: LocalCallId(9) });
  const outputs = server.receive(WINDOWS_CONTROL.startRequest);
  assert.deepEqual(words(outputs), ["call-ended", "close"]);
  assert.equal(closing(outputs).why, "protocol-violation");
});
test("a second reply, and a reply nobody asked for, are ignored", () => {
  assert.deepEqual(establishedClient().receive(WINDOWS_CONTROL.startReply), []);
  assert.deepEqual(new ControlPeer("pac").receive(WINDOWS_CONTROL.startReply), []);
});

for (const role of ["pac", "pns"] as const)
  test(`${role}: a peer that says nothing is left after 30 s`, () => {
    const peer = new ControlPeer(role);
    peer.give({ type: "open" });
    assert.equal(peer.connection.deadline, 30_000);
    assert.deepEqual(peer.tickAt(29_999), []);
    assert.equal(closing(peer.tickAt(30_000)).why, "start-timeout");
    assert.equal(peer.connection.deadline, undefined);
  });

test("the goodbye of a Windows 7 client, message by message", () => {
  const server = establishedServer();
  const [requested] = server.receive({ ...read(WINDOWS_CONTROL.callRequest), callId: 64688 } as ControlMessage);
  assert.ok(requested?.type === "call-requested");
  server.give({ type: "answer-call", peer: requested.peer, callId: LocalCallId(15159) });

  assert.deepEqual(words(server.receive({ ...read(WINDOWS_CONTROL.linkInfo), peersCallId: 15159 } as ControlMessage)), [
    "link-info",
  ]);
  const cleared = server.receive(WINDOWS_CONTROL.callClear); // with the client's own call id, 64688
  assert.deepEqual(words(cleared), ["> call-disconnect-notify", "call-ended"]);
  assert.equal(sent(cleared, "call-disconnect-notify").callId, 15159);
  const ended = cleared[1];
  assert.ok(ended?.type === "call-ended");
  assert.deepEqual([ended.callId, ended.end.reason], [15159, "cleared-by-peer"]);
  const stopped = server.receive(WINDOWS_CONTROL.stopRequest);
  assert.deepEqual(words(stopped), ["> stop-control-connection-reply", "close"]);
  assert.equal(sent(stopped, "stop-control-connection-reply").resultCode, 1);
  assert.equal(closing(stopped).why, "stopped-by-peer");
  assert.deepEqual(server.receive(WINDOWS_CONTROL.stopRequest), [], "nothing comes after the end");
});
test("our goodbye: Stop-Control-Connection-Request, then its reply ends it", () => {
  const client = establishedClient();
  const outputs = client.give({ type: "stop" });
  assert.deepEqual(words(outputs), ["> stop-control-connection-request"]);
  assert.equal(sent(outputs, "stop-control-connection-request").reason, 1);
  assert.equal(closing(client.receive(WINDOWS_CONTROL.stopReply)).why, "stopped");
});
test("our goodbye to a peer that no longer answers takes three seconds", () => {
  const client = establishedClient();
  client.give({ type: "stop" });
  assert.equal(client.connection.deadline, 3000);
  assert.deepEqual(client.receive(WINDOWS_CONTROL.linkInfo), [], "what it still says is ignored");
  assert.equal(closing(client.tickAt(3000)).why, "stopped");
});
test("a Stop-Control-Connection-Reply that nobody waits for is ignored", () => {
  assert.deepEqual(establishedServer().receive(WINDOWS_CONTROL.stopReply), []);
});
test("stopping before anything is established just closes", () => {
  const client = new ControlPeer("pns");
  client.give({ type: "open" });
  assert.deepEqual(words(client.give({ type: "stop" })), ["close"]);
});

test("echo: answered with its identifier", () => {
  const outputs = establishedServer().receive({ type: "echo-request", identifier: 0xdeadbeef });
  assert.deepEqual(sent(outputs, "echo-reply"), {
    type: "echo-reply",
    identifier: 0xdeadbeef,
    resultCode: 1,
    errorCode: 0,
  });
});
test("echo: asked for after 60 s without a word, closed 60 s after that", () => {
  const client = establishedClient();
  client.give({ type: "place-call", request: callRequest });
  client.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5 } as ControlMessage);
  assert.equal(client.connection.deadline, 60_000);
  const asked = client.tickAt(60_000);
  const { identifier } = sent(asked, "echo-request");
  assert.equal(client.connection.deadline, 120_000);
  client.now = 61_000;
  assert.deepEqual(client.receive({ type: "echo-reply", identifier, resultCode: 1, errorCode: 0 }), []);
  assert.equal(client.connection.deadline, 121_000, "the reply was heard");
  const again = sent(client.tickAt(121_000), "echo-request");
  assert.notEqual(again.identifier, identifier);
  assert.deepEqual(
    client.receive({ type: "echo-reply", identifier: again.identifier + 7, resultCode: 1, errorCode: 0 }),
    [],
  );
  const outputs = client.tickAt(181_000);
  assert.deepEqual(words(outputs), ["call-ended", "close"]);
  assert.equal(closing(outputs).why, "echo-timeout");
});
test("echo: a reply that says the request was not accepted ends the connection", () => {
  const client = establishedClient();
  client.give({ type: "place-call", request: callRequest });
  client.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5 } as ControlMessage);
  const { identifier } = sent(client.tickAt(60_000), "echo-request");
  const outputs = client.receive({ type: "echo-reply", identifier, resultCode: 2, errorCode: 0 });
  assert.deepEqual(words(outputs), ["call-ended", "close"]);
  assert.match(closing(outputs).text, /not accepted/);
});
test("echo: any message puts it off", () => {
  const client = establishedClient();
  client.give({ type: "place-call", request: callRequest });
  client.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5 } as ControlMessage);
  client.now = 59_999;
  client.receive({ type: "echo-request", identifier: 1 });
  assert.deepEqual(client.tickAt(60_000), []);
  assert.equal(client.connection.deadline, 119_999);
});

test("a tick at which two things are over ends the connection once", () => {
  const client = establishedClient({ ...DEFAULT_CONTROL_TIMES, idleMs: 120_000 });
  assert.deepEqual(words(client.tickAt(60_000)), ["> echo-request"]);
  assert.deepEqual(words(client.tickAt(120_000)), ["close"]);
});
test("a connection without a call is stopped after 30 s", () => {
  const server = establishedServer();
  assert.equal(server.connection.deadline, 30_000);
  assert.deepEqual(words(server.tickAt(30_000)), ["> stop-control-connection-request"]);
  assert.equal(closing(server.tickAt(33_000)).why, "stopped");
});
test("the 30 s begin when the last call ends, however long ago the peer spoke", () => {
  const client = establishedClient();
  client.give({ type: "place-call", request: callRequest });
  client.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5 } as ControlMessage);
  client.now = 50_000;
  client.give({ type: "clear-call", callId: LocalCallId(5) });
  assert.deepEqual(words(client.tickAt(53_000)), ["call-ended"]);
  assert.deepEqual(words(client.tickAt(60_000)), ["> echo-request"]);
  assert.equal(client.connection.deadline, 83_000);
  assert.deepEqual(words(client.tickAt(83_000)), ["> stop-control-connection-request"]);
});

const EVERY: readonly ControlMessage[] = [
  ...Object.values(WINDOWS_CONTROL).map(read),
  { type: "echo-request", identifier: 1 },
  { type: "echo-reply", identifier: 1, resultCode: 1, errorCode: 0 },
  {
    type: "incoming-call-request",
    callId: 3,
    callSerialNumber: 1,
    bearerType: 3,
    physicalChannelId: 0,
    dialedNumberLength: 0,
    dialingNumberLength: 0,
    dialedNumber: "",
    dialingNumber: "",
    subaddress: Buffer.alloc(64),
  },
  {
    type: "incoming-call-reply",
    callId: 3,
    peersCallId: 5,
    resultCode: 1,
    errorCode: 0,
    packetRecvWindowSize: 64,
    packetTransmitDelay: 0,
  },
  {
    type: "incoming-call-connected",
    peersCallId: 5,
    connectSpeed: 1,
    packetRecvWindowSize: 64,
    packetTransmitDelay: 0,
    framingType: 3,
  },
  {
    type: "wan-error-notify",
    peersCallId: 5,
    crcErrors: 0,
    framingErrors: 0,
    hardwareOverruns: 0,
    bufferOverruns: 0,
    timeOutErrors: 0,
    alignmentErrors: 0,
  },
];
const STATES: Readonly<Record<string, () => ControlPeer>> = {
  "a server nobody has spoken to": () => new ControlPeer("pac"),
  "a client before the reply": () => {
    const client = new ControlPeer("pns");
    client.give({ type: "open" });
    return client;
  },
  "an established server": () => establishedServer(),
  "a server with a call": () => {
    const server = establishedServer();
    const [requested] = server.receive(WINDOWS_CONTROL.callRequest);
    if (requested?.type === "call-requested")
      server.give({ type: "answer-call", peer: requested.peer, callId: LocalCallId(5) });
    return server;
  },
  "a client with a call": () => {
    const client = establishedClient();
    client.give({ type: "place-call", request: callRequest });
    client.receive({ ...read(WINDOWS_CONTROL.callReply), peersCallId: 5 } as ControlMessage);
    return client;
  },
  "one that waits for the stop reply": () => {
    const client = establishedClient();
    client.give({ type: "stop" });
    return client;
  },
  "a closed one": () => {
    const client = establishedClient();
    client.receive(WINDOWS_CONTROL.stopRequest);
    return client;
  },
};
for (const [name, build] of Object.entries(STATES))
  test(`every message to ${name}: no exception, a bounded answer, an end that stays one`, () => {
    for (const first of EVERY)
      for (const second of EVERY) {
        const peer = build();
        let closed = peer.connection.deadline === undefined;
        for (const message of [first, second]) {
          const outputs = peer.receive(message);
          assert.ok(outputs.length <= 4, `${outputs.length} outputs to ${message.type}`);
          if (closed) assert.deepEqual(outputs, [], `${message.type} after the end`);
          closed ||= outputs.some(({ type }) => type === "close");
          if (closed) assert.equal(peer.connection.deadline, undefined);
        }
      }
  });
test("a call message before the connection is established ends it", () => {
  for (const message of EVERY.filter(({ type }) => /call|link|wan/.test(type))) {
    const outputs = new ControlPeer("pac").receive(message);
    assert.deepEqual(words(outputs), ["close"], message.type);
    assert.equal(closing(outputs).why, "protocol-violation");
  }
});
