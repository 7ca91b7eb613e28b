/** Frames in words: any bytes are survived, and what is routine is not called wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { packFrames, unpackFrames } from "../../hil/report/page/track.ts";
import { clampView, panView, reveal, ticks, zoomView } from "../../hil/report/page/view.ts";
import { describeFrame } from "../../hil/report/wire/packet.ts";
import { describePackets } from "../../hil/report/wire/packets.ts";
import { describeControlPacket } from "../../hil/report/wire/ppp-words.ts";

const LINK = { link: "wan", ports: ["a.eth0", "b.eth0"], capture: "", frames: 0, faults: [], traps: [], changes: [] };

/** Bytes that look like the frames of a call for a while, and then do not. */
const anyFrame = fc.oneof(
  fc.uint8Array({ maxLength: 120 }),
  fc.tuple(fc.constantFrom(1, 6, 17, 47), fc.uint8Array({ minLength: 60, maxLength: 120 })).map(([protocol, bytes]) => {
    const frame = Buffer.from(bytes);
    frame.writeUInt16BE(0x0800, 12);
    frame.writeUInt8(0x45, 14);
    frame.writeUInt16BE(frame.length - 14, 16);
    frame.writeUInt16BE(0, 20);
    frame.writeUInt8(protocol, 23);
    if (protocol === 6) frame.writeUInt16BE(1723, 34);
    if (protocol === 47) frame.writeUInt32BE(0x3001880b, 34);
    return frame;
  }),
);

test("any bytes are described, in one line and in fields that are text", () =>
  fc.assert(
    fc.property(anyFrame, (bytes) => {
      const { label, fields } = describeFrame(Buffer.from(bytes), []);
      assert.doesNotMatch(label ?? "", /\n|undefined|NaN/);
      for (const [name, value] of fields()) assert.doesNotMatch(`${name} ${value}`, /undefined|NaN|\[object/);
    }),
    { numRuns: 2000 },
  ));

test("any packet of any control protocol is described", () =>
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(Protocol)),
      fc.integer({ min: 0, max: 20 }),
      fc.uint8Array({ maxLength: 60 }),
      (protocol, code, data) => {
        const words = describeControlPacket(protocol, { code, identifier: 1, data: Buffer.from(data) });
        assert.doesNotMatch(`${words.label} ${words.fields().join(" ")}`, /undefined|NaN|\n/);
      },
    ),
    { numRuns: 2000 },
  ));

test("a refused IPV6CP is routine, a refused CCP or IPCP is not", () => {
  const reject = (protocol: number): string | undefined => {
    const data = Buffer.alloc(2);
    data.writeUInt16BE(protocol);
    return describeControlPacket(Protocol.lcp, { code: CpCode.protocolReject, identifier: 1, data }).wrong;
  };
  assert.equal(reject(Protocol.ipv6cp), undefined);
  assert.equal(reject(Protocol.ccp), "LCP Protocol-Reject: CCP");
  assert.equal(reject(Protocol.ipcp), "LCP Protocol-Reject: IPCP");
});

test("a reset control connection is wrong, but not after the call or the connection was closed", () => {
  const segment = (flags: number, payload: Buffer): Buffer => {
    const frame = Buffer.alloc(54);
    frame.writeUInt16BE(0x0800, 12);
    frame.set([0x45, 0, 0, 40 + payload.length], 14);
    frame.writeUInt8(6, 23);
    frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
    frame.writeUInt16BE(40_000, 34);
    frame.writeUInt16BE(1723, 36);
    frame.writeUInt32BE(1, 38);
    frame.set([0x50, flags], 46);
    return Buffer.concat([frame, payload]);
  };
  // Stop-Control-Connection-Request, RFC 2637 §2.3.
  const stop = Buffer.from("001000011a2b3c4d0003000001000000", "hex");
  const wrongs = (...frames: readonly Buffer[]): (string | undefined)[] =>
    describePackets(
      LINK,
      frames.map((bytes) => ({
        interfaceIndex: 0,
        timestampNs: 0n,
        bytes,
        comment: undefined,
        originalLength: bytes.length,
      })),
    ).map(({ wrong }) => wrong);
  const rst = segment(0x04, Buffer.alloc(0));
  assert.deepEqual(wrongs(rst), ["the control connection of 10.0.0.1:40000 and 10.0.0.2:1723 was reset"]);
  assert.equal(wrongs(segment(0x18, stop), rst)[1], undefined);
  assert.match(wrongs(segment(0x18, stop), segment(0x02, Buffer.alloc(0)), rst)[2] ?? "", /was reset/);
});

test("a packed track is the track", () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ us: fc.nat(3_600_000_000), kind: fc.nat(15), side: fc.nat(15) }), { maxLength: 50 }),
      (frames) => {
        frames.sort((a, b) => a.us - b.us);
        const track = unpackFrames(packFrames(frames));
        assert.deepEqual(
          [...track.times].map((time) => Math.round(time * 1e6)),
          frames.map(({ us }) => us),
        );
        assert.deepEqual(
          [...track.kinds],
          frames.map(({ kind }) => kind),
        );
        assert.deepEqual(
          [...track.sides],
          frames.map(({ side }) => side),
        );
      },
    ),
  ));

test("zooming and panning never leave the run, and keep what is under the pointer in its place", () => {
  const numbers = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(numbers, numbers, fc.double({ min: 0.01, max: 100, noNaN: true }), numbers, (a, b, factor, at) => {
      const view = clampView({ from: Math.min(a, b), to: Math.max(a, b) }, 100);
      for (const next of [zoomView(view, factor, at, 100), panView(view, factor - 50, 100), reveal(view, at, 100)]) {
        assert.ok(next.from >= 0 && next.to <= 100 + 1e-9 && next.to > next.from, JSON.stringify(next));
      }
      const shown = reveal(view, at, 100);
      assert.ok(at >= shown.from - 1e-9 && at <= shown.to + 1e-9);
      assert.ok(ticks(view, 10).length <= 12);
    }),
  );
  const zoomed = zoomView({ from: 20, to: 60 }, 0.5, 30, 100);
  assert.deepEqual(zoomed, { from: 25, to: 45 });
});
