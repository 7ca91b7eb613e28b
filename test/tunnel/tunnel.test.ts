/** A tunnel gives back what a call took, however early the call ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { PLAIN_LINK } from "../../appliance/ppp/link-settings.ts";
import { CallIds, type LocalCallId } from "../../appliance/pptp/call-id.ts";
import { CULVERT } from "../../appliance/pptp/quirks.ts";
import { ConnectionId } from "../../appliance/tunnel/effect.ts";
import type { SessionSettings } from "../../appliance/tunnel/session.ts";
import { Tunnel, type TunnelOutput } from "../../appliance/tunnel/tunnel.ts";
import {
  emitControlMessage,
  type IncomingCallRequest,
  PROTOCOL_VERSION,
} from "../../appliance/wire/control-message.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const NOW = Millis(0);
const SETTINGS: SessionSettings = {
  link: {
    ...PLAIN_LINK,
    lcp: {
      mru: 1400,
      demandAuth: ["mschap-v2"],
      offerAuth: [],
      compressHeaders: true,
      callback: "refuse",
      requestCallback: false,
    },
    name: "test",
    authRetries: 0,
    credentials: undefined,
    encryption: { use: "required", strengths: [128], allowStateful: false, preferStateful: false },
    ipv6: "refuse",
    identifications: [],
  },
  mtu: 1400,
  holdLcpMs: 100,
};
const START = emitControlMessage({
  type: "start-control-connection-request",
  protocolVersion: PROTOCOL_VERSION,
  ...CULVERT,
});
const INCOMING: IncomingCallRequest = {
  type: "incoming-call-request",
  callId: 77,
  callSerialNumber: 1,
  bearerType: 3,
  physicalChannelId: 0,
  dialedNumberLength: 0,
  dialingNumberLength: 0,
  dialedNumber: "",
  dialingNumber: "",
  subaddress: Buffer.alloc(0),
};

/** A server's tunnel with a call that waits for Incoming-Call-Connected. */
function withPendingCall(): { tunnel: Tunnel; opened: LocalCallId } {
  const callIds = new CallIds(new SeededRandom(1));
  const ends = { connection: ConnectionId(1), role: "server", local: Ipv4(1), peer: Ipv4(2) } as const;
  const policy = { acceptCall: () => SETTINGS, answersStart: () => true };
  const tunnel = new Tunnel(ends, policy, new SeededRandom(2), callIds, NOW);
  tunnel.receive(START, NOW);
  const outputs = tunnel.receive(emitControlMessage(INCOMING), NOW);
  const [opened] = callsOf(outputs, "open-call");
  assert.ok(opened !== undefined);
  return { tunnel, opened };
}

function callsOf(outputs: readonly TunnelOutput[], type: "open-call" | "close-call"): LocalCallId[] {
  return outputs.flatMap((output) => {
    if (output.type !== "effect" || output.effect.type !== type) return [];
    return [output.effect.type === "open-call" ? output.effect.call.callId : output.effect.callId];
  });
}

test("a pending call whose peer clears it gives its data path back", () => {
  const { tunnel, opened } = withPendingCall();
  const outputs = tunnel.receive(emitControlMessage({ type: "call-clear-request", callId: INCOMING.callId }), NOW);
  assert.deepEqual(callsOf(outputs, "close-call"), [opened]);
});

test("a pending call whose TCP connection dies gives its data path back, and says that it failed", () => {
  const { tunnel, opened } = withPendingCall();
  const outputs = tunnel.disconnected("reset", NOW);
  assert.deepEqual(callsOf(outputs, "close-call"), [opened]);
  assert.deepEqual(
    outputs.map(({ type }) => type).filter((type) => type !== "effect"),
    ["call-failed", "closed"],
  );
});

test("a thousand stillborn calls leave nothing behind", () => {
  let open = 0;
  for (let n = 0; n < 1000; n++) {
    const { tunnel } = withPendingCall();
    open += 1 - callsOf(tunnel.disconnected(undefined, NOW), "close-call").length;
  }
  assert.equal(open, 0);
});
