/** Manners in calls, judged on captures of a played line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlMessage, emitControlMessage } from "../../appliance/wire/control-message.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import type { Capture } from "../../appliance/wire/pcapng.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { strayCallIds, unansweredRequests } from "../../hil/net/inspect-call.ts";
import { greFrame, pppControlFrame, tcpFrame } from "./link-bench.ts";

const PEER = 0;
const DEVICE = 1;

function capture(...frames: readonly (readonly [number, Buffer])[]): Capture {
  const packets = frames.map(([interfaceIndex, bytes], index) => ({
    ...{ interfaceIndex, bytes, timestampNs: BigInt(index), originalLength: bytes.length, comment: undefined },
  }));
  return { application: undefined, interfaces: [], packets };
}

const callRequest: ControlMessage = {
  type: "outgoing-call-request",
  ...{ callId: 7, callSerialNumber: 1, minimumBps: 1, maximumBps: 1, bearerType: 3, framingType: 3 },
  ...{
    packetRecvWindowSize: 64,
    packetProcessingDelay: 0,
    phoneNumberLength: 0,
    phoneNumber: "",
    subaddress: Buffer.alloc(0),
  },
};
const asked = [PEER, tcpFrame(1, emitControlMessage(callRequest))] as const;

test("packets and acknowledgments with the peer's Call ID are right, its own and an unknown one are not", () => {
  const right = capture(
    asked,
    [DEVICE, greFrame({ callId: 7, sequence: 0 })],
    [DEVICE, greFrame({ callId: 7, ack: 1 })],
  );
  assert.deepEqual(strayCallIds(right, DEVICE), []);
  const wrong = capture(
    asked,
    [DEVICE, greFrame({ callId: 7, sequence: 0 })],
    [DEVICE, greFrame({ callId: 9, ack: 1 })],
  );
  assert.deepEqual(strayCallIds(wrong, DEVICE), [{ frame: 3, what: "it names Call ID 9, and the peer gave 7" }]);
  assert.deepEqual(
    strayCallIds(capture(asked, [PEER, greFrame({ callId: 9, ack: 1 })]), DEVICE),
    [],
    "the peer's are its own",
  );
  assert.equal(
    strayCallIds(capture([DEVICE, greFrame({ callId: 7, ack: 1 })]), DEVICE).length,
    1,
    "nobody asked for a call",
  );
});

test("frames of earlier calls do not count", () => {
  const frames = capture([DEVICE, greFrame({ callId: 9, ack: 1 })], asked, [DEVICE, greFrame({ callId: 7, ack: 1 })]);
  assert.deepEqual(strayCallIds(frames, DEVICE, 1), []);
});

const request = (protocol: number, id: number) =>
  [PEER, pppControlFrame(1, protocol, CpCode.configureRequest, id)] as const;
const answer = (protocol: number, code: number, id: number) =>
  [DEVICE, pppControlFrame(1, protocol, code, id)] as const;

test("a request is answered by Ack, Nak or Reject of the same protocol and identifier", () => {
  for (const code of [CpCode.configureAck, CpCode.configureNak, CpCode.configureReject])
    assert.deepEqual(
      unansweredRequests(capture(request(Protocol.ipcp, 3), answer(Protocol.ipcp, code, 3)), DEVICE),
      [],
    );
  const others = [answer(Protocol.ipcp, CpCode.configureAck, 4), answer(Protocol.lcp, CpCode.configureAck, 3)];
  assert.deepEqual(unansweredRequests(capture(request(Protocol.ipcp, 3), ...others), DEVICE), [
    { frame: 1, what: "IPCP Configure-Request 3 had no answer" },
  ]);
});

test("protocols that nobody has to speak do not count", () =>
  assert.deepEqual(unansweredRequests(capture(request(Protocol.ipv6cp, 1)), DEVICE), []));

test("an LCP Echo-Request wants its Echo-Reply", () => {
  const echo = [PEER, pppControlFrame(1, Protocol.lcp, CpCode.echoRequest, 5)] as const;
  assert.deepEqual(unansweredRequests(capture(echo, answer(Protocol.lcp, CpCode.echoReply, 5)), DEVICE), []);
  assert.deepEqual(unansweredRequests(capture(echo, answer(Protocol.lcp, CpCode.echoReply, 4)), DEVICE), [
    { frame: 1, what: "LCP Echo-Request 5 had no reply" },
  ]);
});
