import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { emitPppFrame, PLAIN_FRAMING, Protocol } from "../../appliance/wire/ppp-frame.ts";
import { dissect } from "../../hil/net/dissect.ts";
import { editControl, editGre, editMessage, reset } from "../../hil/net/edit.ts";
import { onesComplement, sum16 } from "../../hil/net/ip/checksum.ts";
import { cutIntoFragments, emitIpv4Packet, parseIpv4Packet } from "../../hil/net/ip/packet.ts";
import { gre, lcp, ppp, pptp, type Query } from "../../hil/net/query.ts";
import { drop, every, first, nth } from "../../hil/net/trap.ts";
import {
  controlBytes,
  ECHO_REQUEST,
  greFrame,
  type LinkBench,
  linkBench,
  pppControlFrame,
  SET_LINK_INFO,
  tcpFrame,
} from "./link-bench.ts";

const pppData = (protocol: number) => emitPppFrame({ protocol, payload: Buffer.alloc(40, 1) }, PLAIN_FRAMING);
const clear: ControlMessage = { type: "call-clear-request", callId: 12 };

test("data, acknowledgments alone, Call IDs and control are told apart", () => {
  const frames = {
    ack: greFrame({ ack: 4 }),
    data: greFrame({ callId: 8, sequence: 1, payload: pppData(Protocol.ipv4) }),
    dataAck: greFrame({ sequence: 2, ack: 4, payload: pppData(Protocol.compressed) }),
    lcp: pppControlFrame(3, Protocol.lcp, 1),
    linkInfo: tcpFrame(1, controlBytes(SET_LINK_INFO)),
    clear: tcpFrame(1, controlBytes(ECHO_REQUEST, clear)),
    tcp: tcpFrame(1, Buffer.alloc(0)),
  };
  const caught = (query: Query): string =>
    Object.entries(frames)
      .flatMap(([name, frame]) => {
        const { link, mobile } = linkBench();
        const trap = link.trap(drop, every, query);
        mobile.transmit(frame);
        return trap.hits.length > 0 ? [name] : [];
      })
      .join(" ");
  assert.equal(caught(gre.data), "data dataAck lcp");
  assert.equal(caught(gre.ackOnly), "ack");
  assert.equal(caught(gre.acknowledges(4)), "ack dataAck");
  assert.equal(caught(gre.callId(8)), "data");
  assert.equal(caught(ppp.data), "data dataAck");
  assert.equal(caught(ppp.control), "lcp");
  assert.equal(caught(pptp.control), "linkInfo clear");
  assert.equal(caught(pptp.callId(12)), "clear");
  assert.equal(caught(pptp.callId(7)), "linkInfo");
});

test("the first two acknowledgments alone are lost, and nothing else", () => {
  const { link, mobile, device } = linkBench();
  link.trap(drop, first(2), gre.ackOnly);
  for (const ack of [1, 2, 3]) {
    mobile.transmit(greFrame({ ack }));
    mobile.transmit(greFrame({ sequence: ack, ack, payload: pppData(Protocol.ipv4) }));
  }
  const arrived = device.got.map(({ frame }) => dissect(frame).gre);
  assert.deepEqual(
    arrived.map((packet) => [packet?.sequence, packet?.ack]),
    [
      [1, 1],
      [2, 2],
      [undefined, 3],
      [3, 3],
    ],
  );
});

function messagesOf(frame: Buffer): ControlMessage[] {
  let rest = dissect(frame).tcp?.payload ?? assert.fail("no TCP");
  const messages: ControlMessage[] = [];
  while (rest.length > 0) {
    const message = parseControlMessage(rest.subarray(0, rest.readUInt16BE(0)));
    messages.push(message.ok ? message.value : assert.fail());
    rest = rest.subarray(rest.readUInt16BE(0));
  }
  return messages;
}

test("editMessage changes the messages of one type where they lie, and TCP's checksum with them", () => {
  const { link, mobile, device } = linkBench();
  link.trap(
    editMessage("set-link-info", (message) => ({ ...message, peersCallId: 99 })),
    every,
    pptp.message("set-link-info"),
  );
  mobile.transmit(tcpFrame(100, controlBytes(ECHO_REQUEST, SET_LINK_INFO, clear)));
  const frame = device.got[0]?.frame ?? assert.fail();
  assert.deepEqual(messagesOf(frame), [ECHO_REQUEST, { ...SET_LINK_INFO, peersCallId: 99 }, clear]);
  const segment = frame.subarray(34);
  const pseudo = sum16(frame, 26, 34) + 6 + segment.length;
  assert.equal(onesComplement(pseudo + sum16(segment)), 0);
});

test("a message that is cut over two segments is not changed, and the capture says so", () => {
  const bench = linkBench();
  const { link, mobile, device } = bench;
  link.trap(
    editMessage("set-link-info", (message) => ({ ...message, peersCallId: 99 })),
    every,
    pptp.message("set-link-info"),
  );
  const bytes = controlBytes(SET_LINK_INFO);
  mobile.transmit(tcpFrame(100, bytes.subarray(0, 10)));
  mobile.transmit(tcpFrame(110, bytes.subarray(10)));
  assert.deepEqual(dissect(device.got[1]?.frame ?? assert.fail()).tcp?.payload, bytes.subarray(10));
  const comment = "trap: edit set-link-info every PPTP set-link-info; no whole set-link-info lies in this frame";
  assert.deepEqual(bench.comments(), [undefined, comment]);
});

test("editGre changes Call ID, numbers and length; what arrives is a sound packet", () => {
  const { link, mobile, device } = linkBench();
  link.trap(
    editGre((packet) => ({ ...packet, callId: 9, sequence: 77, ack: 5, payload: Buffer.alloc(100, 2) })),
    nth(1),
    gre.data,
  );
  mobile.transmit(greFrame({ sequence: 1, payload: pppData(Protocol.ipv4) }));
  const frame = device.got[0]?.frame ?? assert.fail();
  const packet = parseIpv4Packet(frame.subarray(14));
  assert.ok(packet.ok, "length and checksum of the IPv4 header are right");
  assert.deepEqual(dissect(frame).gre, { callId: 9, sequence: 77, ack: 5, payload: Buffer.alloc(100, 2) });
});

test("a packet in fragments is seen with the last of them to arrive, whichever that is", () => {
  const whole = pppControlFrame(5, Protocol.lcp, 2);
  const packet = parseIpv4Packet(whole.subarray(14));
  assert.ok(packet.ok);
  // 22 bytes of GRE and PPP in pieces of 8.
  const pieces = cutIntoFragments({ ...packet.value, identification: 3 }, 28).map((piece) =>
    Buffer.concat([whole.subarray(0, 14), emitIpv4Packet(piece)]),
  );
  assert.equal(pieces.length, 3);
  const arrivals = (order: readonly number[]): { bench: LinkBench; frame: number | undefined } => {
    const bench = linkBench();
    const trap = bench.link.trap(drop, every, lcp.code("configure-ack"), gre.sequence(5));
    for (const index of order) bench.mobile.transmit(pieces[index] ?? assert.fail());
    return { bench, frame: trap.hits[0]?.frame };
  };
  for (const order of [
    [0, 1, 2],
    [2, 0, 1],
  ]) {
    const { bench, frame } = arrivals(order);
    assert.equal(frame, 3);
    assert.equal(bench.device.got.length, 2, "the packet cannot become whole at its receiver");
  }
  assert.equal(arrivals([0, 1]).frame, undefined);
});

test("editing what only fragments carry changes nothing, and says so", () => {
  const whole = greFrame({ sequence: 5, payload: pppData(Protocol.ipv4) });
  const packet = parseIpv4Packet(whole.subarray(14));
  assert.ok(packet.ok);
  const bench = linkBench();
  bench.link.trap(
    editGre((each) => ({ ...each, callId: 1 })),
    every,
    gre.data,
  );
  for (const piece of cutIntoFragments(packet.value, 44)) {
    bench.mobile.transmit(Buffer.concat([whole.subarray(0, 14), emitIpv4Packet(piece)]));
  }
  assert.equal(bench.comments().at(-1), "trap: edit GRE every GRE data; no whole GRE packet lies in this frame");
});

test("reset makes a segment the end of its connection, with checksums that hold", () => {
  const { link, mobile, device } = linkBench();
  link.trap(reset, every, pptp.message("echo-request"));
  mobile.transmit(tcpFrame(7, controlBytes(ECHO_REQUEST)));
  const frame = device.got[0]?.frame;
  assert.ok(frame !== undefined);
  const { tcp } = dissect(frame);
  assert.equal(tcp?.sequence, 7);
  assert.equal(tcp?.payload.length, 0);
  assert.equal(frame.readUInt8(14 + 20 + 13), 0x14, "RST and ACK");
  assert.equal(onesComplement(sum16(frame, 14, 34)), 0, "IPv4 header");
  assert.equal(onesComplement(sum16(frame, 26, 34) + 6 + 20 + sum16(frame, 34, 54)), 0, "TCP");
});

test("a control packet inside GRE is changed in place, and only where one is", () => {
  const { link, mobile, device } = linkBench();
  const nak = editControl("make it a Nak", (_packet, bytes) => void bytes.writeUInt8(3, 0));
  link.trap(nak, every, gre.data);
  mobile.transmit(pppControlFrame(1, Protocol.lcp, 2, 9));
  mobile.transmit(greFrame({ sequence: 2, payload: pppData(Protocol.ipv4) }));
  const [changed, untouched] = device.got.map(({ frame }) => dissect(frame));
  assert.deepEqual([changed?.cp?.code, changed?.cp?.identifier], [3, 9]);
  assert.equal(untouched?.ppp?.protocol, Protocol.ipv4);
});
