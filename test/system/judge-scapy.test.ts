/** Scapy, which we did not write, reads what our emitters write, field by field, and we read what it writes. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import { type ControlMessage, emitControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { emitGre, parseGre } from "../../appliance/wire/gre.ts";
import { emitPppFrame, Protocol, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { CONTROL_MESSAGES } from "../support/control-messages.ts";
import { hex } from "../support/hex.ts";
import { CLIENT, LinkPair, SERVER } from "../support/link-end.ts";
import { FRAMES, type FrameCase, UNKNOWN_TO_SCAPY } from "../support/ppp-frames.ts";
import { type FieldValue, type Layer, Scapy } from "../support/scapy.ts";

/** Scapy's names of our fields, where they are not ours in snake case. */
const SCAPY_NAME: Readonly<Record<string, string>> = {
  vendorName: "vendor_string",
  peersCallId: "peer_call_id",
  packetRecvWindowSize: "pkt_window_size",
  packetProcessingDelay: "pkt_proc_delay",
  packetTransmitDelay: "pkt_transmit_delay",
  phoneNumberLength: "phone_number_len",
  physicalChannelId: "channel_id",
  dialedNumberLength: "dialed_number_len",
  dialingNumberLength: "dialing_number_len",
  callStatistics: "call_statistic",
};
/** Scapy's class of each type, its Length (RFC 2637 §2) and Control Message Type, and the reserved fields that scapy reads. */
const CONTROL_CLASS: Readonly<
  Record<ControlMessage["type"], readonly [name: string, length: number, code: number, reserved: readonly string[]]>
> = {
  "start-control-connection-request": ["PPTPStartControlConnectionRequest", 156, 1, ["reserved_1"]],
  "start-control-connection-reply": ["PPTPStartControlConnectionReply", 156, 2, []],
  "stop-control-connection-request": ["PPTPStopControlConnectionRequest", 16, 3, ["reserved_1", "reserved_2"]],
  "stop-control-connection-reply": ["PPTPStopControlConnectionReply", 16, 4, ["reserved_2"]],
  "echo-request": ["PPTPEchoRequest", 16, 5, []],
  "echo-reply": ["PPTPEchoReply", 20, 6, ["reserved_1"]],
  "outgoing-call-request": ["PPTPOutgoingCallRequest", 168, 7, ["reserved_1"]],
  "outgoing-call-reply": ["PPTPOutgoingCallReply", 32, 8, []],
  "incoming-call-request": ["PPTPIncomingCallRequest", 220, 9, []],
  "incoming-call-reply": ["PPTPIncomingCallReply", 24, 10, ["reserved_1"]],
  "incoming-call-connected": ["PPTPIncomingCallConnected", 28, 11, ["reserved_1"]],
  "call-clear-request": ["PPTPCallClearRequest", 16, 12, ["reserved_1"]],
  "call-disconnect-notify": ["PPTPCallDisconnectNotify", 148, 13, ["reserved_1"]],
  "wan-error-notify": ["PPTPWANErrorNotify", 40, 14, ["reserved_1"]],
  "set-link-info": ["PPTPSetLinkInfo", 24, 15, ["reserved_1"]],
};
const MAGIC_COOKIE = 0x1a2b3c4d;
/** The width of scapy's text fields; one shorter than this is followed by NULs. */
const widthOf = (name: string): number => (name === "call_statistic" ? 128 : 64);

function scapyName(name: string): string {
  return SCAPY_NAME[name] ?? name.replaceAll(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

function controlHeader(type: ControlMessage["type"]): Record<string, number> {
  const [, len, code] = CONTROL_CLASS[type];
  return { len, type: 1, magic_cookie: MAGIC_COOKIE, ctrl_msg_type: code };
}

/** What scapy must read in this message: every field that it knows, reserved ones as zero. */
function controlLayer(message: ControlMessage): Layer {
  const { type, ...ours } = message;
  const [name, , , reserved] = CONTROL_CLASS[type];
  const fields: Record<string, FieldValue> = { ...controlHeader(type), reserved_0: 0 };
  for (const each of reserved) fields[each] = 0;
  for (const [ourName, value] of Object.entries(ours)) {
    const theirs = scapyName(ourName);
    if (typeof value === "number") fields[theirs] = value;
    else {
      const text = Buffer.alloc(widthOf(theirs));
      (typeof value === "string" ? Buffer.from(value, "latin1") : (value as Buffer)).copy(text);
      fields[theirs] = text.toString("hex");
    }
  }
  return [name, fields];
}

/** A field as we understand it: text ends at the first NUL (RFC 2637 §2.1), the subaddress is raw. */
function asWeRead(name: string, value: FieldValue | undefined): unknown {
  if (typeof value !== "string") return value;
  const bytes = Buffer.from(value, "hex");
  const end = bytes.indexOf(0);
  return name === "subaddress" ? bytes : bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

const scapy = new Scapy();
after(() => scapy.close());
const SEED = Date.now() & 0x7fffffff;

test("scapy reads every field of all fifteen control messages as we meant it, and makes the same bytes of them", async () => {
  const messages = CONTROL_MESSAGES.flatMap(([, any]) => fc.sample(any, { seed: SEED, numRuns: 12 }));
  const read = await scapy.dissect("PPTP", messages.map(emitControlMessage));
  for (const [at, message] of messages.entries()) {
    assert.deepEqual(read[at]?.layers, [controlLayer(message)], `seed ${SEED}`);
    assert.deepEqual(read[at]?.rebuilt, emitControlMessage(message), `seed ${SEED}`);
  }
});

for (const [type] of CONTROL_MESSAGES)
  test(`we read every ${type} of scapy's invention as scapy does, reserved fields included`, async () => {
    const [name] = CONTROL_CLASS[type];
    // Scapy invents no value for a field that has no default.
    const fixed = type.startsWith("echo-") ? { ...controlHeader(type), identifier: SEED } : controlHeader(type);
    for (const { bytes, layers } of await scapy.invent(name, fixed, SEED, 8)) {
      const parsed = parseControlMessage(bytes);
      assert.ok(parsed.ok, `seed ${SEED}: ${bytes.toString("hex")}`);
      const [layer, ...more] = layers;
      assert.deepEqual([layer?.[0], more], [name, []]);
      const { type: ourType, ...fields } = parsed.value;
      assert.equal(ourType, type);
      for (const [ourName, value] of Object.entries(fields))
        assert.deepEqual(value, asWeRead(ourName, layer?.[1][scapyName(ourName)]), `${ourName}, seed ${SEED}`);
    }
  });

test("scapy's own lengths of control messages are ours, but for Incoming-Call-Reply, which it calls 148 bytes long", async () => {
  const types = CONTROL_MESSAGES.map(([type]) => type);
  const packets = await scapy.build(
    types.map((type) => [[CONTROL_CLASS[type][0], type.startsWith("echo-") ? { identifier: 1 } : {}]]),
  );
  for (const [at, type] of types.entries()) {
    const [name, length] = CONTROL_CLASS[type];
    const packet = packets[at];
    assert.ok(packet !== undefined && packet.length === length, name);
    const parsed = parseControlMessage(packet);
    // RFC 2637 §2.10 has 24 bytes, and so many has scapy's packet; the length that it writes into it is of Call-Disconnect-Notify.
    if (type === "incoming-call-reply") {
      assert.equal(packet.readUInt16BE(0), 148);
      assert.deepEqual(parsed, { ok: false, fault: "bad-length" });
    } else assert.ok(parsed.ok && parsed.value.type === type, name);
  }
});

/** A GRE packet's head as scapy names it: RFC 2637 §4.1. */
function greLayer(callId: number, payload_len: number, sequence: number | undefined, ack: number | undefined): Layer {
  return [
    "GRE_PPTP",
    {
      ...{ chksum_present: 0, routing_present: 0, key_present: 1, seqnum_present: sequence === undefined ? 0 : 1 },
      ...{ strict_route_source: 0, recursion_control: 0, acknum_present: ack === undefined ? 0 : 1, flags: 0 },
      ...{ version: 1, proto: 0x880b, payload_len, call_id: callId },
      ...(sequence === undefined ? {} : { sequence_number: sequence }),
      ...(ack === undefined ? {} : { ack_number: ack }),
    },
  ];
}
const LCP_FRAME = hex("ff03 c021 05 07 0004");
const LCP_LAYERS: readonly Layer[] = [
  ["HDLC", { address: 0xff, control: 3 }],
  ["PPP", { proto: Protocol.lcp }],
  ["PPP_LCP_Terminate", { code: 5, id: 7, len: 4, data: "" }],
];
const GRE_HEADS = [
  { sequence: 0, ack: undefined },
  { sequence: 0xffffffff, ack: 0 },
  { sequence: 7, ack: 0xfffffffe },
  { sequence: undefined, ack: 12 },
] as const;

test("scapy reads enhanced GRE as we meant it, with and without acknowledgment and payload; we read scapy's", async () => {
  const cases = GRE_HEADS.map((head) => {
    const payload = head.sequence === undefined ? Buffer.alloc(0) : LCP_FRAME;
    const packet = { callId: 0xbeef, ...head, payload };
    const inner = head.sequence === undefined ? [] : LCP_LAYERS;
    return { packet, layers: [greLayer(0xbeef, payload.length, head.sequence, head.ack), ...inner] };
  });
  const read = await scapy.dissect(
    "GRE",
    cases.map(({ packet }) => emitGre(packet)),
  );
  const built = await scapy.build(cases.map(({ layers }) => withoutLengths(layers)));
  for (const [at, { packet, layers }] of cases.entries()) {
    assert.deepEqual(read[at], { layers, rebuilt: emitGre(packet) });
    assert.deepEqual(parseGre(built[at] ?? Buffer.alloc(0)), { ok: true, value: packet });
  }
});

/** The same layers with lengths left for scapy to count. */
function withoutLengths(layers: readonly Layer[]): readonly Layer[] {
  return layers.map(([name, fields]) => [
    name,
    Object.fromEntries(
      Object.entries(fields)
        .filter(([field]) => !/^(len|payload_len|.*_len|value_size)$/.test(field))
        .map(([field, value]) => [field, Array.isArray(value) ? withoutLengths(value as readonly Layer[]) : value]),
    ),
  ]);
}

test("scapy reads LCP, IPCP, PAP and CHAP frames as we meant them, and we read scapy's", async () => {
  await judged(FRAMES);
});

test("CCP and IPV6CP are unknown to scapy, which reads their packets as ECP's, as they are built alike", async () => {
  await judged(UNKNOWN_TO_SCAPY);
  const payloads = UNKNOWN_TO_SCAPY.map(({ bytes, protocol }) => payloadOf(bytes, protocol));
  const read = await scapy.dissect("PPP_ECP", payloads);
  for (const [at, { what, alike }] of UNKNOWN_TO_SCAPY.entries())
    assert.deepEqual(read[at], { layers: [alike], rebuilt: payloads[at] }, what);
});

async function judged(frames: readonly FrameCase[]): Promise<void> {
  const read = await scapy.dissect(
    "PPP",
    frames.map(({ bytes }) => bytes),
  );
  const built = await scapy.build(frames.map(({ layers }) => withoutLengths(layers)));
  for (const [at, { what, bytes, layers, protocol, meant, read: readPayload }] of frames.entries()) {
    assert.deepEqual(read[at], { layers, rebuilt: bytes }, what);
    assert.deepEqual(readPayload(payloadOf(built[at] ?? Buffer.alloc(0), protocol)), meant, what);
  }
}

function payloadOf(frame: Buffer, protocol: number): Buffer {
  const parsed = parsePppFrame(frame);
  assert.ok(parsed.ok, frame.toString("hex"));
  assert.equal(parsed.value.protocol, protocol);
  return parsed.value.payload;
}

test("an IPv4 packet in the shortest header is IPv4 to scapy; encrypted data is bytes to it, as it has no MPPE", async () => {
  const framing = { omitAddressControl: true, compressProtocol: true };
  const packet = hex("4500001c 0007 0000 40 11 fccb 0a000001 0a000002  0035 0005 0008 0000");
  const encrypted = hex("9001 0102030405");
  const [plain, secret] = await scapy.dissect("PPP", [
    emitPppFrame({ protocol: Protocol.ipv4, payload: packet }, framing),
    emitPppFrame({ protocol: Protocol.compressed, payload: encrypted }, framing),
  ]);
  assert.deepEqual(plain, {
    layers: [
      ["PPP", { proto: 0x21 }],
      [
        "IP",
        {
          ...{ version: 4, ihl: 5, tos: 0, len: 28, id: 7, flags: 0, frag: 0, ttl: 64, proto: 17, chksum: 0xfccb },
          ...{ src: "10.0.0.1", dst: "10.0.0.2", options: [] },
        },
      ],
      ["UDP", { sport: 0x35, dport: 5, len: 8, chksum: 0 }],
    ],
    rebuilt: Buffer.concat([hex("21"), packet]),
  });
  assert.deepEqual(secret, {
    layers: [
      ["PPP", { proto: 0xfd }],
      ["Raw", { load: encrypted.toString("hex") }],
    ],
    rebuilt: Buffer.concat([hex("fd"), encrypted]),
  });
});

for (const method of ["pap", "chap-md5", "mschap-v1", "mschap-v2"] as const satisfies readonly AuthMethod[])
  test(`a whole link of our two ends by ${method}, from first request to last: nothing in it is left over for scapy but CCP`, async () => {
    const encryption = { ...SERVER.encryption, use: method.startsWith("mschap") ? "required" : "none" } as const;
    const pair = new LinkPair(
      { ...SERVER, lcp: { ...SERVER.lcp, demandAuth: [method] }, encryption },
      { ...CLIENT, lcp: { ...CLIENT.lcp, offerAuth: [method] }, encryption },
    );
    const sent: { protocol: number; bytes: Buffer }[] = [];
    pair.wire = (from, frame) => {
      const payload = emitPppFrame(frame, pair[from].link.framing);
      const bytes = emitGre({ callId: 7, sequence: sent.length, ack: sent.length, payload });
      sent.push({ protocol: frame.protocol, bytes });
      return true;
    };
    pair.up();
    assert.ok(pair.server.event("network-up") && pair.client.event("network-up"));
    pair.client.give({ type: "close", failure: { reason: "administrative" } }, pair.now);
    pair.settle();
    const protocols: number[] = [Protocol.lcp, method === "pap" ? Protocol.pap : Protocol.chap, Protocol.ipcp];
    if (encryption.use === "required") protocols.push(Protocol.ccp);
    assert.deepEqual(new Set(sent.map(({ protocol }) => protocol)), new Set(protocols));
    const read = await scapy.dissect(
      "GRE",
      sent.map(({ bytes }) => bytes),
    );
    for (const [at, { protocol, bytes }] of sent.entries()) {
      const judgement = read[at];
      assert.deepEqual(judgement?.rebuilt, bytes);
      const leftOver = judgement.layers.filter(([name]) => name === "Raw" || name === "Padding");
      assert.equal(leftOver.length, protocol === Protocol.ccp ? 1 : 0, JSON.stringify(judgement.layers));
      assert.deepEqual(judgement.layers.find(([name]) => name === "PPP")?.[1], { proto: protocol });
    }
  });
