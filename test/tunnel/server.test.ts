/** The server: who may connect, whose account is whose, who gets which address, and what the log says of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { ip } from "../support/link-end.ts";
import { ALICE, brief, Desk } from "../support/scripted-caller.ts";

const BOB = { ...ALICE, user: "bob", password: "b0b" };
const last = (desk: Desk) => desk.told.at(-1) ?? "";

// --- who may connect -------------------------------------------------------------------------------------------------

test("sixteen half-open connections of one address, the seventeenth is refused; another address comes in", () => {
  const desk = new Desk();
  const peer = ip("198.51.100.7");
  const first = desk.accept(peer);
  for (let n = 1; n < 16; n++) assert.ok(desk.accept(peer), `number ${n + 1}`);
  assert.equal(desk.accept(peer), undefined);
  assert.match(
    last(desk),
    /^warning 198\.51\.100\.7: failed after stage tcp-connected: turned away: 16 connections.* error 629;/,
  );
  assert.ok(desk.accept(ip("198.51.100.8")));
  first?.hangUpTcp();
  assert.ok(desk.accept(peer), "one left, one comes");
  assert.equal(desk.accept(peer), undefined);
});

test("256 half-open connections in all, and no more", () => {
  const desk = new Desk();
  for (let n = 0; n < 256; n++) assert.ok(desk.accept(ip(`198.51.100.${n}`)), `number ${n + 1}`);
  assert.equal(desk.accept(ip("203.0.113.9")), undefined);
  desk.advance(30_000); // none said a word
  assert.ok(desk.accept(ip("203.0.113.9")));
});

test("a connected session is not half-open: a branch office behind one address may have many", () => {
  const desk = new Desk({ pool: { start: ip("192.168.1.100"), count: 20 } });
  const peer = ip("198.51.100.7");
  for (let n = 0; n < 18; n++) (desk.accept(peer) ?? assert.fail(`number ${n + 1}`)).connected();
});

test("a disabled server refuses connections, and calls on a connection it still has", () => {
  const desk = new Desk();
  const early = desk.caller().start();
  desk.configure({ enabled: false });
  assert.equal(desk.accept(ip("198.51.100.7")), undefined);
  early.controls();
  early.control(WINDOWS_CONTROL.callRequest);
  const [reply] = early.controls();
  assert.ok(reply?.type === "outgoing-call-reply");
  assert.deepEqual([reply.resultCode, reply.errorCode], [2, 4]);
  assert.deepEqual(desk.server.sessions(), []);
});

// --- accounts --------------------------------------------------------------------------------------------------------

test("a good password: connected, and the log names user, address, method, encryption", () => {
  const desk = new Desk();
  desk.caller().connected();
  assert.equal(
    last(desk),
    "info session 1 alice from 198.51.100.1: connected as 192.168.1.200, MS-CHAPv2, encryption MPPE-128 stateless",
  );
});

for (const [name, user, password] of [
  ["an unknown user", "mallory", "s3cret"],
  ["an unknown user with an empty password", "mallory", ""],
  ["a wrong password", "alice", "S3cret"],
  ["a disabled account with a wrong password", "carol", "wrong"],
] as const)
  test(`${name} is refused with 691, and the log names user, stage and code`, () => {
    const desk = new Desk({}, [ALICE, { ...ALICE, user: "carol", enabled: false }]);
    const caller = desk.caller().lcp();
    const failure = caller.respond(user, password);
    assert.equal(failure.code, 4);
    assert.match(failure.data.toString(), /^E=691 R=0 C=[0-9A-F]{32} V=3 M=Authentication failure$/);
    assert.match(caller.heard().at(-1) ?? "", /^c021 terminaterequest/);
    caller.packet(Protocol.lcp, 6, 0, "");
    assert.ok(
      last(desk).startsWith(`warning session 1 ${user} from 198.51.100.1: failed after stage lcp-opened: wrong`),
    );
    assert.match(last(desk), /Windows shows error 691/);
    assert.equal(caller.has("network-up"), false);
  });

test("a disabled account is told 647, but only to who knows its password", () => {
  const desk = new Desk({}, [{ ...ALICE, enabled: false }]);
  const failure = desk.caller().lcp().respond();
  assert.match(failure.data.toString(), /^E=647 R=0 /);
});

test("an account with an empty password lets nobody in, not even with one", () => {
  const desk = new Desk({}, [{ ...ALICE, password: "" }]);
  assert.match(desk.caller().lcp().respond("alice", "").data.toString(), /^E=691 /);
});

test("DOMAIN\\user is the account user; the hash goes over the bare name", () => {
  const desk = new Desk();
  const caller = desk.caller().lcp();
  assert.equal(caller.respond("OFFICE\\alice", "s3cret", "alice").code, 3);
  assert.equal(caller.session?.user, "alice");
});

test("a user name of another code page finds its account", () => {
  const desk = new Desk({}, [{ ...ALICE, user: "jürgen" }]);
  const latin1 = Buffer.from("jürgen", "latin1");
  const caller = desk.caller().lcp();
  assert.equal(caller.respond(latin1, "s3cret", latin1).code, 3);
  assert.equal(caller.session?.user, "jürgen");
});

test("control characters of a user name never reach the log, and a novel is cut", () => {
  const desk = new Desk();
  const caller = desk.caller().lcp();
  caller.respond(`x\r\ninfo session 9 root\u001b[2J\u0085${"y".repeat(200)}`, "p");
  caller.packet(Protocol.lcp, 6, 0, "");
  for (const line of desk.log) {
    assert.doesNotMatch(line, /\p{Cc}/u);
    assert.ok(line.length < 400);
  }
  assert.match(last(desk), /x\?\?info session 9 root\?\[2J/);
});

// --- addresses -------------------------------------------------------------------------------------------------------

test("an account's fixed address is its own: given to it, kept from others, inside the pool or outside", () => {
  const desk = new Desk({}, [
    ALICE,
    { ...BOB, address: ip("192.168.1.200") },
    { ...ALICE, user: "carol", address: ip("10.9.9.9") },
  ]);
  assert.equal(desk.caller().connected().session?.address, ip("192.168.1.201"));
  assert.equal(desk.caller().connected("bob", "b0b").session?.address, ip("192.168.1.200"));
  assert.equal(desk.caller().connected("carol").session?.address, ip("10.9.9.9"));
});

test("an empty pool ends the session before IPCP, and the log says 734 and why", () => {
  const desk = new Desk({ pool: { start: ip("192.168.1.200"), count: 1 } });
  desk.caller().connected();
  const second = desk.caller().authenticated();
  assert.ok(!second.heard().some((line) => line.startsWith("8021")));
  second.packet(Protocol.lcp, 6, 0, "");
  assert.match(last(desk), /failed after stage authenticated: no free address.*Windows shows error 734; make the pool/);
});

test("an address comes back when its session ends, whichever way", () => {
  const desk = new Desk({ pool: { start: ip("192.168.1.200"), count: 1 } });
  for (const end of ["tcp", "lcp", "call", "us"] as const) {
    const caller = desk.caller().connected();
    if (end === "tcp") caller.hangUpTcp("ECONNRESET");
    if (end === "lcp") caller.packet(Protocol.lcp, 5, 1, "");
    if (end === "call") caller.control(WINDOWS_CONTROL.stopRequest);
    if (end === "us") {
      desk.hangUp(desk.server.sessions()[0]?.id ?? 0);
      caller.packet(Protocol.lcp, 6, 0, "");
    }
    desk.advance(10_000);
    assert.deepEqual(desk.server.sessions(), [], end);
  }
});

// --- changes while connected -----------------------------------------------------------------------------------------

for (const [name, accounts] of [
  ["removed", [BOB]],
  ["disabled", [{ ...ALICE, enabled: false }, BOB]],
  ["given a new password", [{ ...ALICE, password: "other" }, BOB]],
] as const)
  test(`an account that is ${name} loses its session, and nobody else does`, () => {
    const desk = new Desk({}, [ALICE, BOB]);
    const alice = desk.caller().connected();
    const bob = desk.caller().connected("bob", "b0b");
    alice.said();
    bob.said();
    desk.configure({}, accounts);
    assert.match(alice.heard().join(), /c021 terminaterequest/);
    assert.equal(alice.has("network-down"), true, "its interface goes at once, whatever the peer says");
    assert.deepEqual(bob.said(), []);
    assert.equal(bob.session?.state, "connected");
    desk.advance(10_000);
    assert.equal(alice.session, undefined);
    assert.equal(bob.session?.state, "connected");
  });

test("a caller that authenticates while its account is removed is hung up too", () => {
  const desk = new Desk();
  const caller = desk.caller().authenticated();
  desk.configure({}, []);
  assert.match(caller.heard().at(-1) ?? "", /c021 terminaterequest/);
});

test("new settings and new accounts leave running sessions alone, and count for the next", () => {
  const desk = new Desk();
  const alice = desk.caller().connected();
  alice.said();
  desk.configure({ dns: [ip("9.9.9.9")], mtu: 1300, pool: { start: ip("192.168.2.10"), count: 5 } }, [ALICE, BOB]);
  assert.deepEqual(alice.said(), []);
  assert.equal(alice.session?.state, "connected");
  const bob = desk.caller().connected("bob", "b0b");
  assert.equal(bob.session?.address, ip("192.168.2.10"));
  assert.ok(bob.effects.some((effect) => effect.type === "network-up" && effect.mtu === 1300));
});

test("disabling the server hangs everybody up", () => {
  const desk = new Desk({}, [ALICE, BOB]);
  const callers = [desk.caller().connected(), desk.caller().connected("bob", "b0b")];
  desk.configure({ enabled: false });
  desk.advance(60_000);
  assert.deepEqual(desk.server.sessions(), []);
  assert.ok(
    callers.every(({ closed }) => closed),
    "their control connections too",
  );
});

test("hang up by id: that one, told what it is; an unknown id says so", () => {
  const desk = new Desk({}, [ALICE, BOB]);
  const alice = desk.caller().connected();
  const bob = desk.caller().connected("bob", "b0b");
  assert.equal(desk.hangUp(99), false);
  assert.equal(desk.hangUp(bob.session?.id ?? 0), true);
  bob.packet(Protocol.lcp, 6, 0, "");
  assert.equal(bob.session, undefined);
  assert.equal(last(desk), "info session 2 bob from 198.51.100.2: hung up on this device");
  assert.equal(alice.session?.state, "connected");
  assert.equal(bob.controls().at(-1)?.type, "call-disconnect-notify");
});

// --- log -------------------------------------------------------------------------------------------------------------

test("a caller whose GRE never arrives is logged with the last stage, 806 and what to open", () => {
  for (const byPeer of [true, false]) {
    const desk = new Desk();
    const caller = desk.caller().call();
    if (byPeer) caller.control(WINDOWS_CONTROL.callClear.subarray(0, 12), Buffer.from("9d490000", "hex"));
    else desk.advance(60_000);
    assert.match(
      last(desk),
      /^warning session 1 \(no user yet\) from 198\.51\.100\.1: failed after stage call-established/,
    );
    assert.match(last(desk), /Windows shows error 806 \(XP: 721\); let IP protocol 47 \(GRE\)/);
  }
});

test("a connection that never introduces itself is closed after 30 s, and logged", () => {
  const desk = new Desk();
  const caller = desk.caller();
  desk.advance(30_000);
  assert.equal(caller.closed, true);
  assert.match(
    last(desk),
    /198\.51\.100\.1: failed after stage tcp-connected: no Start-Control-Connection message came/,
  );
});

test("bytes that are not PPTP end the connection", () => {
  const desk = new Desk();
  const caller = desk.caller().control(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  assert.equal(caller.closed, true);
  assert.match(last(desk), /the peer's bytes are not PPTP/);
  assert.deepEqual(caller.start().controls(), [], "nothing is read after that");
});

test("stop says goodbye to everybody", () => {
  const desk = new Desk();
  const caller = desk.caller().connected();
  caller.controls();
  desk.carryOut(desk.server.stop(Millis(desk.now)));
  assert.deepEqual(
    caller.controls().map(({ type }) => type),
    ["call-disconnect-notify", "stop-control-connection-request"],
  );
  caller.control(WINDOWS_CONTROL.stopReply);
  assert.equal(caller.closed, true);
  assert.deepEqual(desk.server.sessions(), []);
});

test("what is said for a call or a connection nobody has does nothing", () => {
  const desk = new Desk();
  const caller = desk.caller().connected();
  caller.hangUpTcp();
  caller.said();
  caller.packet(Protocol.lcp, 9, 1, "00000000").control(WINDOWS_CONTROL.callRequest);
  assert.deepEqual(caller.said().map(brief), []);
});
