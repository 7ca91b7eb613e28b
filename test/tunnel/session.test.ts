/** One call's session: when it begins to speak, what it asks of the control connection, and how it ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { Session, type SessionOutput } from "../../appliance/tunnel/session.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { hex } from "../support/hex.ts";
import { CLIENT, SERVER } from "../support/link-end.ts";
import { SeededRandom } from "../support/seeded-random.ts";

function session(role: "server" | "client", holdLcpMs = 100): Session {
  const settings = { link: role === "server" ? SERVER : CLIENT, mtu: 1400, holdLcpMs };
  return new Session(role, LocalCallId(1), PeerCallId(2), settings, new SeededRandom(1));
}
/** Types of the outputs; frames by protocol and code. */
const story = (outputs: readonly SessionOutput[]) =>
  outputs.map((output) =>
    output.type === "send-frame" ? `${output.protocol.toString(16)} code ${output.payload[0]}` : output.type,
  );
const LCP_REQUEST = { type: "frame", protocol: Protocol.lcp, payload: hex("01000004") } as const;
const ESTABLISHED = { type: "call-established" } as const;

test("the called side holds its first LCP packet for 100 ms", () => {
  const called = session("server");
  assert.deepEqual(called.handle(ESTABLISHED, Millis(1000)), []);
  assert.equal(called.deadline, 1100);
  assert.deepEqual(called.handle({ type: "tick" }, Millis(1099)), []);
  assert.deepEqual(story(called.handle({ type: "tick" }, Millis(1100))), ["c021 code 1"]);
  assert.ok((called.deadline ?? 0) > 1100, "the hold is over");
});

test("a Set-Link-Info ends the hold at once, and a second one changes nothing", () => {
  const called = session("server");
  called.handle(ESTABLISHED, Millis(0));
  assert.deepEqual(story(called.handle({ type: "link-info" }, Millis(5))), ["c021 code 1"]);
  assert.deepEqual(called.handle({ type: "link-info" }, Millis(6)), []);
  assert.deepEqual(called.handle({ type: "tick" }, Millis(100)), [], "nor does the end of the 100 ms");
});

test("the caller's first GRE packet ends the hold: our request first, then its answer", () => {
  const called = session("server");
  called.handle(ESTABLISHED, Millis(0));
  assert.deepEqual(story(called.handle(LCP_REQUEST, Millis(5))), ["c021 code 1", "c021 code 2"]);
});

test("without a hold the called side speaks at the first tick", () => {
  const called = session("server", 0);
  called.handle(ESTABLISHED, Millis(0));
  assert.equal(called.deadline, 0);
  assert.deepEqual(story(called.handle({ type: "tick" }, Millis(0))), ["c021 code 1"]);
});

test("the caller sends Set-Link-Info ffffffff/ffffffff, then speaks at once", () => {
  const outputs = session("client").handle(ESTABLISHED, Millis(0));
  assert.deepEqual(story(outputs), ["set-link-info", "c021 code 1"]);
  assert.deepEqual(outputs[0], { type: "set-link-info", sendAccm: 0xffffffff, receiveAccm: 0xffffffff });
});

test("the caller's hang-up: Set-Link-Info, then Terminate-Request, then the end for the reason given", () => {
  const caller = session("client");
  caller.handle(ESTABLISHED, Millis(0));
  const failure = { reason: "echo-timeout" } as const;
  const bye = caller.handle({ type: "hang-up", failure }, Millis(1));
  assert.deepEqual(story(bye), ["set-link-info", "c021 code 5"]);
  const end = caller.handle({ type: "frame", protocol: Protocol.lcp, payload: hex("06010004") }, Millis(2));
  assert.deepEqual(end, [{ type: "ended", failure }]);
});

test("the called side's hang-up has no Set-Link-Info, and while it still holds, no packet at all", () => {
  const called = session("server");
  called.handle(ESTABLISHED, Millis(0));
  called.handle({ type: "link-info" }, Millis(1));
  const failure = { reason: "administrative" } as const;
  assert.deepEqual(story(called.handle({ type: "hang-up", failure }, Millis(2))), ["c021 code 5"]);
  const holding = session("server");
  holding.handle(ESTABLISHED, Millis(0));
  assert.deepEqual(holding.handle({ type: "hang-up", failure }, Millis(2)), [{ type: "ended", failure }]);
});

test("after its end a session says nothing more", () => {
  const called = session("server");
  called.handle(ESTABLISHED, Millis(0));
  const failure = { reason: "connection-lost", text: "ECONNRESET" } as const;
  assert.deepEqual(called.handle({ type: "call-gone", failure }, Millis(1)), [{ type: "ended", failure }]);
  assert.deepEqual(called.handle({ type: "call-gone", failure }, Millis(2)), []);
  assert.deepEqual(called.handle(LCP_REQUEST, Millis(3)), []);
  assert.deepEqual(called.handle({ type: "tick" }, Millis(1e6)), []);
});

test("a call that goes while we hang up ends for our reason, not for the peer's", () => {
  const caller = session("client");
  caller.handle(ESTABLISHED, Millis(0));
  caller.handle({ type: "hang-up", failure: { reason: "no-free-address" } }, Millis(1));
  const gone = { reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } } as const;
  assert.deepEqual(caller.handle({ type: "call-gone", failure: gone }, Millis(2)), [
    { type: "ended", failure: { reason: "no-free-address" } },
  ]);
});
