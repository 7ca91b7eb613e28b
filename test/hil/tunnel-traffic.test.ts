import assert from "node:assert/strict";
import { test } from "node:test";
import { emitGre } from "../../appliance/wire/gre.ts";
import type { Capture } from "../../appliance/wire/pcapng.ts";
import { inspectOrder, inspectTunnel } from "../../hil/net/tunnel-traffic.ts";

/** Ethernet and IPv4 headers before a GRE packet; `fragment` is the IPv4 fragment offset. */
function onWire(payload: Buffer, fragment = 0): Buffer {
  const ip = Buffer.alloc(20);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(20 + payload.length, 2);
  ip.writeUInt16BE(fragment, 6);
  ip.writeUInt8(47, 9);
  const padding = Buffer.alloc(Math.max(0, 60 - 34 - payload.length)); // Ethernet's shortest frame
  return Buffer.concat([Buffer.alloc(12), Buffer.from([0x08, 0x00]), ip, payload, padding]);
}

const ppp = (hex: string): Buffer =>
  onWire(emitGre({ callId: 1, sequence: 1, ack: undefined, payload: Buffer.from(hex.replaceAll(" ", ""), "hex") }));

function captureOf(frames: readonly Buffer[], side = (_index: number): number => 0): Capture {
  const packets = frames.map((bytes, index) => ({
    interfaceIndex: side(index),
    timestampNs: 0n,
    bytes,
    originalLength: bytes.length,
    comment: undefined,
  }));
  return { application: undefined, interfaces: [], packets };
}

const inspect = (...frames: Buffer[]) => inspectTunnel(captureOf(frames), ["GET /file"]);

test("MPPE data, with and without compressed PPP headers, is ciphertext; LCP is control", () => {
  assert.deepEqual(inspect(ppp("ff03 00fd 9000 e0e3"), ppp("fd 9001 aabb"), ppp("ff03 c021 01010004")), {
    encrypted: 2,
    control: 1,
    clear: [],
  });
});

test("IP outside MPPE is found, in each of its forms", () => {
  const { clear } = inspect(ppp("ff03 0021 4500"), ppp("21 4500"), ppp("0057 6000"), ppp("2d 00"));
  assert.deepEqual(
    clear.map(({ frame, why }) => [frame, why.includes("outside MPPE")]),
    [
      [1, true],
      [2, true],
      [3, true],
      [4, true],
    ],
  );
});

test("an MPPE header without the encrypted bit is found", () => {
  assert.match(inspect(ppp("fd 8000 4500")).clear[0]?.why ?? "", /not encrypted/);
});

test("a secret anywhere on the wire is found, even outside GRE", () => {
  assert.deepEqual(inspect(Buffer.from("xxxxxxxxxxxxxxxxGET /file HTTP/1.1")).clear, [
    { frame: 1, why: 'it contains "GET /file"' },
  ]);
});

test("acknowledgements, later fragments and other traffic count for nothing", () => {
  const ack = onWire(emitGre({ callId: 1, sequence: undefined, ack: 5, payload: Buffer.alloc(0) }));
  const fragment = onWire(Buffer.from("3001880b0002000100000001 0021".replaceAll(" ", ""), "hex"), 185);
  assert.deepEqual(inspect(ack, fragment, Buffer.alloc(60), Buffer.alloc(3)), { encrypted: 0, control: 0, clear: [] });
});

test("frames of earlier calls are left out, and the others keep their numbers", () => {
  const frames = [ppp("ff03 0021 4500"), ppp("ff03 0021 4500"), ppp("fd 9001 aabb")];
  const { encrypted, clear } = inspectTunnel(captureOf(frames), [], 1);
  assert.equal(encrypted, 1);
  assert.deepEqual(
    clear.map(({ frame }) => frame),
    [2],
  );
});

test("order: the packets of one side that come behind a younger one, and those that never come", () => {
  const gre = (sequence: number) => onWire(emitGre({ callId: 1, sequence, ack: undefined, payload: Buffer.alloc(4) }));
  const ack = onWire(emitGre({ callId: 1, sequence: undefined, ack: 9, payload: Buffer.alloc(0) }));
  const order = (sequences: readonly number[], before = 0) => {
    const { overtaken, missing } = inspectOrder(captureOf(sequences.map(gre)), 0, before);
    return [overtaken, missing];
  };
  assert.deepEqual(order([]), [0, 0]);
  assert.deepEqual(order([1, 2, 3]), [0, 0]);
  assert.deepEqual(order([0, 2, 1, 3]), [1, 0]);
  assert.deepEqual(order([0, 5, 4, 3, 2]), [3, 1]);
  assert.deepEqual(order([7, 7, 9]), [0, 1], "a packet sent twice stands for no other");
  assert.deepEqual(order([9, 0, 1, 2], 1), [0, 0], "an earlier call's packets count for nothing");
  assert.equal(
    inspectOrder(captureOf([gre(5), ack, gre(4), gre(6)]), 0).overtaken,
    1,
    "acknowledgements have no order",
  );
  const alternating = captureOf([gre(5), gre(1), gre(6), gre(2)], (index) => index % 2);
  assert.deepEqual(inspectOrder(alternating, 0), { overtaken: 0, missing: 0 }, "each side counts alone");
});
