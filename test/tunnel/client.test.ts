/** The client: what it says to a server, and what it tells its owner when the server, or the network, will not have it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { ConnectionId } from "../../appliance/tunnel/effect.ts";
import type { ClientSettings, ServerSettings } from "../../appliance/tunnel/settings.ts";
import { emitControlMessage } from "../../appliance/wire/control-message.ts";
import { Host, World } from "../netsim/world.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { CLIENT, Dialer, SERVER, CLIENT_SETTINGS as SETTINGS } from "../support/dialer.ts";
import { ip } from "../support/link-end.ts";
import { NO_RADIUS } from "../support/radius-server.ts";
import { ALICE, SERVER_SETTINGS } from "../support/scripted-caller.ts";

// --- before there is a call ------------------------------------------------------------------------------------------

for (const [errno, code] of [
  ["ECONNREFUSED", 808],
  ["ETIMEDOUT", 809],
  ["ENETUNREACH", 769],
] as const)
  test(`TCP that fails with ${errno} is told with error ${code}`, () => {
    const dialer = new Dialer().dial();
    dialer.take(dialer.client.connectFailed(ConnectionId(1), errno, Millis(0)));
    assert.match(
      dialer.client.lastFailure ?? "",
      new RegExp(`cannot be reached on TCP port 1723: ${errno}.*error ${code}`),
    );
    assert.equal(dialer.client.at, "listening");
    assert.equal(dialer.client.status(), undefined);
  });

test("TCP without an answer is given up after 60 s", () => {
  const dialer = new Dialer().dial().advance(59_999);
  assert.equal(dialer.client.at, "dialing");
  dialer.advance(1);
  assert.match(dialer.client.lastFailure ?? "", /no answer.*809/);
  assert.equal(dialer.count("close-control"), 1);
});

test("a server that accepts and says nothing is left after 30 s", () => {
  const dialer = new Dialer().connected().advance(30_000);
  assert.match(dialer.client.lastFailure ?? "", /after stage tcp-connected: no Start-Control-Connection message.*807/);
});

test("a server that refuses the connection is quoted", () => {
  const refusal = Buffer.from(WINDOWS_CONTROL.startReply);
  refusal[14] = 4;
  const dialer = new Dialer().connected().receive(refusal);
  assert.match(dialer.client.lastFailure ?? "", /not authorized to establish a command channel \(4\).*629/);
});

test("a server that refuses the call is quoted, and left with Stop-Control-Connection", () => {
  const busy = Buffer.from(WINDOWS_CONTROL.callReply);
  busy[16] = 4;
  const dialer = new Dialer().connected().receive(WINDOWS_CONTROL.startReply, busy, WINDOWS_CONTROL.stopReply);
  assert.match(dialer.client.lastFailure ?? "", /refused the call: busy signal detected \(4\).*629/);
  assert.equal(dialer.controls.at(-1)?.type, "stop-control-connection-request");
  assert.equal(dialer.count("open-call"), 0);
});

test("a call that is never answered is given up after 30 s", () => {
  const dialer = new Dialer().connected().receive(WINDOWS_CONTROL.startReply).advance(40_000);
  assert.match(dialer.client.lastFailure ?? "", /after stage control-established: the call was never answered.*619/);
});

test("a TCP connection that breaks is told with its reason, and what it had is given back", () => {
  const dialer = new Dialer().called();
  dialer.take(dialer.client.disconnected("ECONNRESET", Millis(0)));
  assert.match(
    dialer.client.lastFailure ?? "",
    /after stage call-established: the control connection broke: ECONNRESET/,
  );
  assert.equal(dialer.count("close-call"), dialer.count("open-call"));
});

test("calls of the server are refused: nobody calls a client on the connection it dialled", () => {
  for (const request of [
    WINDOWS_CONTROL.callRequest,
    emitControlMessage({
      type: "incoming-call-request",
      callId: 5,
      callSerialNumber: 1,
      bearerType: 3,
      physicalChannelId: 0,
      dialedNumberLength: 0,
      dialingNumberLength: 0,
      dialedNumber: "",
      dialingNumber: "",
      subaddress: Buffer.alloc(0),
    }),
  ]) {
    const dialer = new Dialer().connected().receive(WINDOWS_CONTROL.startReply, request);
    const reply = dialer.controls.at(-1);
    assert.ok(reply?.type === "outgoing-call-reply" || reply?.type === "incoming-call-reply");
    assert.deepEqual([reply.resultCode, reply.errorCode], [2, 4]);
    assert.equal(dialer.count("open-call"), 0);
  }
});

// --- hang up and redial ----------------------------------------------------------------------------------------------

test("Hang Up while TCP connects gives it up at once, and is no failure", () => {
  const dialer = new Dialer().dial();
  dialer.take(dialer.client.hangUp(Millis(1)));
  assert.equal(dialer.count("close-control"), 1);
  assert.equal(dialer.client.lastFailure, undefined);
  assert.equal(dialer.client.at, "listening");
  dialer.take(dialer.client.connected(ConnectionId(1), CLIENT, Millis(2)));
  assert.equal(dialer.controls.length, 0, "a connection that comes too late is not used");
});

test("Hang Up before the call stands stops the connection", () => {
  const dialer = new Dialer().connected().receive(WINDOWS_CONTROL.startReply);
  dialer.take(dialer.client.hangUp(Millis(1)));
  assert.deepEqual(
    dialer.controls.slice(-2).map(({ type }) => type),
    ["call-clear-request", "stop-control-connection-request"],
  );
});

test("a client that is always on redials with a new connection; one that was hung up does not", () => {
  const dialer = new Dialer({ dial: { ...SETTINGS.dial, mode: "always" } });
  dialer.take(dialer.client.start(Millis(0)));
  for (let attempt = 1; attempt <= 3; attempt++) {
    assert.equal(dialer.count("connect"), attempt);
    dialer.take(dialer.client.connectFailed(ConnectionId(attempt), "ECONNREFUSED", Millis(dialer.now)));
    assert.equal(dialer.client.at, "waiting");
    dialer.advance(20_000);
  }
  dialer.take(dialer.client.hangUp(Millis(dialer.now)));
  dialer.advance(1_000_000);
  assert.equal(dialer.count("connect"), 4);
  assert.equal(dialer.client.at, "listening");
});

test("a connection of an earlier attempt has no say in this one", () => {
  const dialer = new Dialer().dial();
  dialer.take(dialer.client.connectFailed(ConnectionId(1), "ETIMEDOUT", Millis(0)));
  dialer.dial();
  dialer.take(dialer.client.connectFailed(ConnectionId(1), "ECONNREFUSED", Millis(0)));
  dialer.take(dialer.client.connected(ConnectionId(1), CLIENT, Millis(0)));
  assert.equal(dialer.client.at, "dialing");
  assert.equal(dialer.controls.length, 0);
});

// --- above the call: two whole devices -------------------------------------------------------------------------------

const NO_ENCRYPTION = { ...SETTINGS.encryption, use: "none" } as const;
const FAILURES: Readonly<Record<string, readonly [Partial<ServerSettings>, Partial<ClientSettings>, RegExp]>> = {
  "a wrong password": [{}, { password: "wrong" }, /after stage lcp-opened: wrong user name or password.*error 691/],
  "an unknown user": [{}, { user: "mallory" }, /after stage lcp-opened: wrong user name or password.*error 691/],
  "a disabled account": [{}, { user: "carol" }, /after stage lcp-opened: the account is disabled.*error 647/],
  "no common method": [
    {},
    { authentication: ["pap"] },
    /after stage call-established: the peer ended the session during set-up.*error 734/,
  ],
  "encryption only here": [
    { encryption: NO_ENCRYPTION },
    {},
    /after stage authenticated: the peer refuses MPPE.*error 742/,
  ],
  "key lengths apart": [
    { encryption: { ...SETTINGS.encryption, strengths: [40] } },
    {},
    /after stage authenticated: .*no MPPE key length in common.*error 741/,
  ],
  "PAP where encryption is required": [
    { authentication: ["pap"], encryption: NO_ENCRYPTION },
    { authentication: ["pap"] },
    /after stage authenticated: encryption is required, but this authentication method makes no keys.*742/,
  ],
  "an empty pool": [{ pool: { start: ip("192.168.1.200"), count: 0 } }, {}, /after stage authenticated: .*734/],
};
for (const [name, [server, client, told]] of Object.entries(FAILURES))
  test(`${name} is reported with stage, cause and code, and both ends are clean`, () => {
    const world = new World(1);
    const far = new Host(world, SERVER);
    const near = new Host(world, CLIENT);
    const settings = { ...SERVER_SETTINGS, ...server };
    far.vpn.apply({
      server: settings,
      accounts: [ALICE, { ...ALICE, user: "carol", enabled: false }],
      clients: [],
      radius: NO_RADIUS,
    });
    near.vpn.apply({
      server: { ...settings, enabled: false },
      accounts: [],
      clients: [{ ...SETTINGS, ...client }],
      radius: NO_RADIUS,
    });
    near.vpn.dial("office");
    world.run(120_000, () => near.vpn.clients()[0]?.lastFailure !== undefined);
    assert.match(near.vpn.clients()[0]?.lastFailure ?? near.log.join("\n"), told);
    assert.ok(near.log.some((line) => line.startsWith("warning client office: failed")));
    world.run(world.now + 60_000);
    assert.deepEqual([near.up, far.up, near.vpn.sessions(), far.vpn.sessions()], [[], [], [], []]);
    assert.equal(near.vpn.clients()[0]?.state, "listening");
  });
