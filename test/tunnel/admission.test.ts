/** Callers whom RADIUS servers know, and the policies of accounts: sessions from the Response to the last accounting record. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { verifyPassword } from "../../appliance/ppp/credentials.ts";
import type { LocalCallId } from "../../appliance/pptp/call-id.ts";
import type { AccessAnswer, AccessQuestion, SessionGrants } from "../../appliance/radius/access.ts";
import type { SessionSelector } from "../../appliance/radius/dynamic-authorization.ts";
import { Admission } from "../../appliance/tunnel/admission.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { hex } from "../support/hex.ts";
import { ip } from "../support/link-end.ts";
import { ALICE, type Caller, Desk } from "../support/scripted-caller.ts";

const RADIUS = { accountSources: ["radius"], accounting: { interimMs: undefined } } as const;
const last = (desk: Desk) => desk.told.at(-1) ?? "";
const GRANTS: SessionGrants = {
  server: "one",
  address: undefined,
  routes: [],
  dns: [],
  sessionTimeoutMs: undefined,
  idleTimeoutMs: undefined,
  interimMs: undefined,
  requireEncryption: false,
  classes: [],
};

/** As a server answers that knows bob's password. */
function accepted({ request }: AccessQuestion, grants: Partial<SessionGrants> = {}): AccessAnswer {
  const verdict = verifyPassword(request, "b0b");
  return verdict.ok
    ? { result: "accepted", verdict, grants: { ...GRANTS, ...grants } }
    : { result: "rejected", verdict };
}
/** Bob, connected on a server's word. */
function bob(desk: Desk, grants: Partial<SessionGrants> = {}): Caller {
  const caller = desk.caller().lcp().claim();
  const question = desk.questions.at(-1) ?? assert.fail("not asked");
  desk.answer(question, accepted(question, grants));
  caller.ccp().ipcp();
  assert.equal(caller.session?.state, "connected", desk.log.join("\n"));
  return caller;
}
/** The peer confirms that the link is closed, as a living one does. */
function bye(caller: Caller, said = caller.said()): void {
  const request = said.findLast(({ protocol, code }) => protocol === Protocol.lcp && code === CpCode.terminateRequest);
  caller.packet(Protocol.lcp, CpCode.terminateAck, (request ?? assert.fail("not hung up")).identifier, "");
}

test("a server is asked with the caller's own Response, and its Accept connects the session", () => {
  const desk = new Desk(RADIUS);
  const caller = bob(desk);
  const [question] = desk.questions;
  assert.deepEqual(
    [question?.request.method, question?.request.userName.toString(), question?.session.number],
    ["mschap-v2", "bob", 1],
  );
  assert.deepEqual([caller.session?.user, caller.session?.encryption], ["bob", "MPPE-128 stateless"]);
});

test("its Reject refuses the caller with the server's code", () => {
  const desk = new Desk(RADIUS);
  const caller = desk.caller().lcp().claim();
  const verdict = { ok: false, errorCode: 647, message: "off" } as const;
  desk.answer(desk.questions[0], { result: "rejected", verdict });
  const said = caller.said();
  assert.match(
    said.find(({ protocol, code }) => protocol === Protocol.chap && code === 4)?.data.toString() ?? "",
    /^E=647 /,
  );
  bye(caller, said);
  assert.match(last(desk), /the account is disabled; Windows shows error 647/);
});

test("no answer: hung up, and the log says which part to look at", () => {
  const desk = new Desk(RADIUS);
  const caller = desk.caller().lcp().claim();
  desk.answer(desk.questions[0], { result: "unanswered" });
  bye(caller);
  assert.match(
    last(desk),
    /failed after stage lcp-opened: no RADIUS server answered; Windows shows error 734; look at 'show vpn radius'/,
  );
});

test("an answer that cannot be used: hung up, and the log names the server", () => {
  const desk = new Desk(RADIUS);
  const caller = desk.caller().lcp().claim();
  desk.answer(desk.questions[0], { result: "unusable", server: "one", text: "it grants Service-Type 1" });
  bye(caller);
  assert.match(last(desk), /the answer of RADIUS server one cannot be used: it grants Service-Type 1/);
});

// --- answers that come late, out of order or never -------------------------------------------------------------------

test("an answer to a question that LCP has overtaken changes nothing; the new question's does", () => {
  const desk = new Desk(RADIUS);
  const caller = desk.caller().lcp().claim();
  const [old] = desk.questions;
  assert.ok(old);
  caller.ask(Protocol.lcp, "01040578 050675eb25d6 0702 0802").acknowledge(Protocol.lcp);
  desk.answer(old, accepted(old));
  assert.equal(caller.session?.stage, "lcp-opened");
  assert.equal(caller.said().filter(({ protocol, code }) => protocol === Protocol.chap && code >= 3).length, 0);
});

test("a repeated Response while the server thinks is not a second question", () => {
  const desk = new Desk(RADIUS);
  desk.caller().lcp().claim().claim().claim();
  assert.equal(desk.questions.length, 1);
});

test("an answer after the caller has gone, a second answer, and one to a question nobody asked", () => {
  const desk = new Desk(RADIUS);
  const gone = desk.caller().lcp().claim();
  const [question] = desk.questions;
  assert.ok(question);
  gone.hangUpTcp();
  desk.answer(question, accepted(question));
  assert.deepEqual(desk.server.sessions(), []);
  const caller = bob(desk);
  desk.answer(desk.questions[1], { result: "unanswered" });
  desk.carryOut(desk.server.answered(4711, { result: "unanswered" }, Millis(0)));
  assert.equal(caller.session?.state, "connected");
});

test("two callers whose answers cross: each gets its own", () => {
  const desk = new Desk(RADIUS);
  const [good, bad] = [desk.caller().lcp().claim(), desk.caller().lcp().claim("bob", "wrong")];
  const [first, second] = desk.questions;
  assert.ok(first && second);
  desk.answer(second, accepted(second));
  desk.answer(first, accepted(first));
  const code = (caller: Caller) =>
    caller.said().find(({ protocol, code: c }) => protocol === Protocol.chap && c >= 3)?.code;
  assert.deepEqual([code(good), code(bad)], [3, 4]);
});

test("a question that is never answered ends with the set-up limit", () => {
  const desk = new Desk(RADIUS);
  const caller = desk.caller().lcp().claim();
  desk.advance(61_000);
  bye(caller);
  assert.match(last(desk), /the session was not up in time/);
});

// --- whom to ask -----------------------------------------------------------------------------------------------------

test("local, then radius: an account of ours never reaches a server, another name does", () => {
  const desk = new Desk({ ...RADIUS, accountSources: ["local", "radius"] });
  desk.caller().connected();
  assert.equal(desk.caller().lcp().respond("alice", "wrong").code, 4);
  assert.equal(desk.questions.length, 0);
  bob(desk);
});

test("radius, then local: our accounts count only while no server answers", () => {
  const desk = new Desk({ ...RADIUS, accountSources: ["radius", "local"] });
  const refused = desk.caller().lcp().claim("alice", "s3cret");
  desk.answer(desk.questions[0], { result: "rejected", verdict: { ok: false, errorCode: 691, message: "no" } });
  assert.equal(refused.said().find(({ protocol, code }) => protocol === Protocol.chap && code >= 3)?.code, 4);
  const caller = desk.caller().lcp().claim("alice", "s3cret");
  desk.answer(desk.questions[1], { result: "unanswered" });
  caller.ccp().ipcp();
  assert.equal(caller.session?.state, "connected");
  const unknown = desk.caller().lcp().claim("bob");
  desk.answer(desk.questions[2], { result: "unanswered" });
  assert.equal(unknown.said().find(({ protocol, code }) => protocol === Protocol.chap && code >= 3)?.code, 4);
});

// --- what a server grants --------------------------------------------------------------------------------------------

test("address, name servers and routes of the server's answer", () => {
  const routes = [{ address: ip("10.9.0.0"), length: 16 }];
  const desk = new Desk(RADIUS);
  const caller = bob(desk, { address: ip("10.1.2.3"), routes });
  assert.equal(caller.session?.address, ip("10.1.2.3"));
  assert.deepEqual(desk.server.termsOf(caller.callId ?? assert.fail()).routes, routes);
  assert.equal(bob(desk).session?.address, ip("192.168.1.200"), "none: from the pool");
});

test("an address that another session has, or that would lead the tunnel into itself, ends the session", () => {
  const desk = new Desk(RADIUS);
  bob(desk, { address: ip("10.1.2.3") });
  for (const [address, why] of [
    [ip("10.1.2.3"), /no free address/],
    [ip("192.168.1.1"), /192\.168\.1\.1 is an end of this very tunnel/],
  ] as const) {
    const caller = desk.caller().lcp().claim();
    const question = desk.questions.at(-1) ?? assert.fail();
    desk.answer(question, accepted(question, { address }));
    bye(caller);
    assert.match(last(desk), why);
  }
});

test("a server that requires encryption gets it, where our settings leave it open", () => {
  const desk = new Desk({ ...RADIUS, encryption: { ...new Desk().settings.encryption, use: "optional" } });
  for (const requireEncryption of [false, true]) {
    const caller = desk.caller().lcp().claim();
    const question = desk.questions.at(-1) ?? assert.fail();
    desk.answer(question, accepted(question, { requireEncryption }));
    caller.packet(Protocol.lcp, CpCode.protocolReject, 9, "80fd0100");
    if (!requireEncryption) caller.ipcp();
    assert.equal(caller.session?.state === "connected", !requireEncryption);
  }
});

test("Session-Timeout ends the session on the second, Idle-Timeout after the last packet", () => {
  const desk = new Desk(RADIUS);
  const limited = bob(desk, { sessionTimeoutMs: 100_000 });
  const idle = bob(desk, { idleTimeoutMs: 30_000 });
  const answerEchoes = (caller: Caller) => {
    for (const { protocol, code, identifier } of caller.said())
      if (protocol === Protocol.lcp && code === CpCode.echoRequest)
        caller.packet(Protocol.lcp, CpCode.echoReply, identifier, "75eb25d5");
      else if (protocol === Protocol.lcp && code === CpCode.terminateRequest)
        caller.packet(Protocol.lcp, CpCode.terminateAck, identifier, "");
  };
  const began = desk.now;
  const ends = new Map<string, number>();
  for (let t = 0; t < 110_000; t += 5000) {
    // A packet every 5 s during the first 50 s.
    if (desk.now < began + 50_000)
      desk.server.traffic((callId) => (callId === idle.callId ? Millis(desk.now) : undefined));
    desk.advance(5000);
    for (const [name, caller] of Object.entries({ limited, idle })) {
      if (caller.session !== undefined) answerEchoes(caller);
      if (caller.session === undefined && !ends.has(name)) ends.set(name, desk.now - began);
    }
  }
  assert.deepEqual(Object.fromEntries(ends), { idle: 75_000, limited: 100_000 });
  const causes = desk.records.filter(({ event }) => event === "stop").map(({ cause }) => cause);
  assert.deepEqual(causes, [4, 5], "Idle-Timeout, Session-Timeout");
});

// --- accounting ------------------------------------------------------------------------------------------------------

test("start, interim and stop: one session, one Acct-Session-Id, Class as granted; none without accounting", () => {
  const desk = new Desk(RADIUS);
  const caller = bob(desk, { classes: [hex("c1")], interimMs: 60_000 });
  desk.advance(61_000);
  desk.hangUp(1);
  bye(caller);
  assert.deepEqual(
    desk.records.map(({ event }) => event),
    ["start", "interim", "stop"],
  );
  assert.equal(new Set(desk.records.map(({ session }) => session.acctSessionId)).size, 1);
  for (const { classes, address, userName, authenticatedBy } of desk.records)
    assert.deepEqual(
      [classes, address, userName.toString(), authenticatedBy],
      [[hex("c1")], ip("192.168.1.200"), "bob", "radius"],
    );
  assert.deepEqual(desk.records.at(-1)?.cause, 6);
  const silent = new Desk({ accounting: undefined });
  silent.caller().connected();
  assert.deepEqual(silent.records, []);
});

test("our own accounts are told of too, as Local; a caller who never got in is not", () => {
  const desk = new Desk({ accounting: { interimMs: undefined } });
  assert.equal(desk.caller().lcp().respond("alice", "wrong").code, 4);
  desk.caller().connected().hangUpTcp("ECONNRESET");
  assert.deepEqual(
    desk.records.map(({ event, authenticatedBy, cause }) => [event, authenticatedBy, cause]),
    [
      ["start", "local", undefined],
      ["stop", "local", 2],
    ],
  );
});

// --- servers that end and change sessions ----------------------------------------------------------------------------

const NOBODY: SessionSelector = {
  userName: undefined,
  acctSessionId: undefined,
  address: undefined,
  callingStation: undefined,
  number: undefined,
};

test("a Disconnect-Request ends the sessions it means, and those alone", () => {
  const desk = new Desk(RADIUS);
  const [first, second] = [bob(desk), bob(desk)];
  const disconnect = (selector: Partial<SessionSelector>) => {
    const request = { type: "disconnect", selector: { ...NOBODY, ...selector } } as const;
    const { count, effects } = desk.server.dynamic(request, Millis(desk.now));
    desk.carryOut(effects);
    return count;
  };
  assert.equal(disconnect({ userName: "carol" }), 0);
  assert.equal(disconnect({}), 0, "who names nobody means nobody");
  assert.equal(disconnect({ userName: "bob", number: 7 }), 0, "everything must agree");
  assert.equal(disconnect({ userName: "bob", address: second.session?.address }), 1);
  bye(second);
  assert.match(last(desk), /session 2 bob .*: a RADIUS server ended the session$/);
  assert.deepEqual([first.session?.state, second.session], ["connected", undefined]);
  assert.equal(disconnect({ acctSessionId: desk.records[0]?.session.acctSessionId }), 1);
  assert.equal(disconnect({ userName: "bob" }), 0, "it is ending already");
});

test("a CoA-Request gives a running session another limit", () => {
  const desk = new Desk(RADIUS);
  const caller = bob(desk);
  const selector = { ...NOBODY, userName: "bob" };
  const request = { type: "change", selector, sessionTimeoutMs: 10_000, idleTimeoutMs: undefined } as const;
  assert.equal(desk.server.dynamic(request, Millis(desk.now)).count, 1);
  desk.advance(10_000);
  bye(caller);
  assert.match(last(desk), /the session lasted as long as it may/);
});

// --- policies of our own accounts ------------------------------------------------------------------------------------

test("one-session true: the second call is turned away with 649 while the first stands, and comes in after it", () => {
  const desk = new Desk({}, [{ ...ALICE, oneSession: "true" }]);
  const first = desk.caller().connected();
  const second = desk.caller().lcp();
  assert.match(second.respond().data.toString(), /^E=649 .*M=connected already/);
  bye(second);
  assert.match(last(desk), /the account may not dial in \(connected already, and may have one session only\)/);
  assert.match(
    desk.caller().lcp().respond("alice", "wrong").data.toString(),
    /^E=691 /,
    "told only to who knows the password",
  );
  assert.equal(first.session?.state, "connected");
  first.hangUpTcp();
  desk.caller().connected();
});

test("one-session replace: the new call is let in, has the account's address, and the old one ends", () => {
  const desk = new Desk({ accounting: { interimMs: undefined } }, [
    { ...ALICE, oneSession: "replace", address: ip("10.9.9.9") },
  ]);
  const first = desk.caller().connected();
  const second = desk.caller().connected();
  assert.equal(second.session?.address, ip("10.9.9.9"));
  assert.ok(first.has("network-down"));
  bye(first);
  assert.match(last(desk), /session 1 alice .*: the same account connected again and may have one session only$/);
  const stop = desk.records.find(({ event }) => event === "stop");
  assert.deepEqual([stop?.session.number, stop?.address, stop?.cause], [1, ip("10.9.9.9"), 10]);
  assert.equal(second.session?.state, "connected");
});

test("one-session false, the default: as many as there are addresses", () => {
  const desk = new Desk();
  desk.caller().connected();
  desk.caller().connected();
});

test("an account's session-timeout", () => {
  const desk = new Desk({}, [{ ...ALICE, sessionTimeoutMs: 60_000 }]);
  const caller = desk.caller().connected();
  desk.advance(59_999);
  assert.equal(caller.session?.state, "connected");
  desk.advance(1);
  bye(caller);
  assert.match(last(desk), /info session 1 alice .*: the session lasted as long as it may$/);
});

// --- tickets ---------------------------------------------------------------------------------------------------------

test("a session has one open question: the answer to an older one is nobody's, and so is a second answer", () => {
  const admission = new Admission(() => false);
  admission.configure(["radius"], []);
  const session = { number: 1, acctSessionId: "s", peer: ip("198.51.100.1"), local: ip("203.0.113.1") };
  const request = { method: "pap", userName: Buffer.from("bob"), password: Buffer.from("b0b") } as const;
  const ask = (verifyTicket: number, callId = 1): number => {
    const decision = admission.decide({ callId: callId as LocalCallId, verifyTicket, session, request });
    assert.ok(decision.type === "ask");
    return decision.question.ticket;
  };
  const [old, other, current] = [ask(1), ask(1, 2), ask(2)];
  const rejected = { result: "rejected", verdict: { ok: false, errorCode: 691, message: "" } } as const;
  assert.equal(admission.answered(old, rejected), undefined);
  assert.equal(admission.answered(current, rejected)?.applicant.verifyTicket, 2);
  assert.equal(admission.answered(current, rejected), undefined);
  assert.equal(admission.answered(other, rejected)?.applicant.callId, 2);
});
