import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MPPC_HEADER_BYTES, MppcCompressor, MppcDecompressor, type MppcFault } from "../../appliance/ppp/mppc.ts";
import { AT_FRONT, COMPRESSED, FLUSHED, MppeReceiver, MppeSender } from "../../appliance/ppp/mppe.ts";

const HEADROOM = 6;

/** Text that shrinks, noise that grows, runs, and mixtures of them, up to more than the history holds. */
const frames = fc.array(
  fc
    .oneof(
      fc
        .array(fc.constantFrom("the ", "bell ", "tolls ", "\xff\xfe", "0"), { maxLength: 400 })
        .map((words) => words.join("")),
      fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
      fc.tuple(fc.nat(255), fc.nat(9000)).map(([octet, length]) => String.fromCharCode(octet).repeat(length)),
    )
    .map((text) => Buffer.from(`\x21${text}`, "latin1")),
  { maxLength: 12 },
);

/** Compresses `frame` and writes the header before it; both neighbours of the packet must stay as they are. */
function send(compressor: MppcCompressor, frame: Buffer): Buffer {
  const buffer = Buffer.concat([Buffer.alloc(HEADROOM, 0xee), frame, Buffer.alloc(HEADROOM, 0xee)]);
  const end = compressor.compress(buffer, HEADROOM, HEADROOM + frame.length);
  assert.ok(end <= HEADROOM + frame.length, "never longer");
  const start = compressor.writeHeader(buffer, HEADROOM);
  assert.deepEqual(buffer.subarray(0, start), Buffer.alloc(start, 0xee));
  assert.deepEqual(buffer.subarray(-HEADROOM), Buffer.alloc(HEADROOM, 0xee));
  return buffer.subarray(start, end);
}

function receive(decompressor: MppcDecompressor, packet: Buffer): Buffer | MppcFault {
  return decompressor.decompress(packet, 0, packet.length);
}

for (const stateless of [false, true])
  test(`RFC 2118 §4 ${stateless ? "stateless" : "stateful"}: whatever we compress, we decompress`, () =>
    fc.assert(
      fc.property(frames, (all) => {
        const compressor = new MppcCompressor(stateless);
        const decompressor = new MppcDecompressor();
        for (const frame of all) {
          const packet = send(compressor, frame);
          assert.equal((packet.readUInt16BE(0) & FLUSHED) !== 0 || !stateless, true);
          assert.deepEqual(receive(decompressor, packet), frame);
        }
      }),
    ));

test("RFC 2118 §4.3 losses and resets: what is read is what was sent, and a reset always helps", () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(frames, fc.boolean(), fc.boolean()), { maxLength: 12 }), (rounds) => {
      const compressor = new MppcCompressor(false);
      const decompressor = new MppcDecompressor();
      for (const [all, lose, answer] of rounds) {
        if (lose) send(compressor, Buffer.from("lost, lost, lost"));
        if (decompressor.needsReset && answer) compressor.flush();
        for (const frame of all) {
          const read = receive(decompressor, send(compressor, frame));
          if (typeof read === "string") assert.ok(decompressor.needsReset);
          else assert.deepEqual(read, frame);
        }
      }
      compressor.flush();
      for (const text of ["tolls tolls tolls", "tolls tolls tolls"])
        assert.deepEqual(receive(decompressor, send(compressor, Buffer.from(text))), Buffer.from(text));
    }),
  ));

for (const stateless of [false, true])
  test(`RFC 3078 §3.1 MPPC under ${stateless ? "stateless" : "stateful"} MPPE: one header for both, through losses and resets`, () =>
    fc.assert(
      fc.property(fc.array(fc.record({ all: frames, lose: fc.nat(60) }), { maxLength: 4 }), (rounds) => {
        const settings = { startKey: Buffer.alloc(16, 1), strength: 128, stateless } as const;
        const sender = new MppeSender(settings);
        const compressor = new MppcCompressor(stateless);
        const receiver = new MppeReceiver({ ...settings, rekeyOnFlush: false });
        const decompressor = new MppcDecompressor();
        const pack = (frame: Buffer): Buffer => {
          const buffer = Buffer.concat([Buffer.alloc(HEADROOM), frame]);
          const end = compressor.compress(buffer, HEADROOM, buffer.length, sender.flushesNext);
          return buffer.subarray(sender.encrypt(buffer, HEADROOM, end, compressor.flags), end);
        };
        const expectRead = (frame: Buffer) => {
          const packet = pack(frame);
          assert.equal(receiver.decrypt(packet, 0, packet.length), undefined);
          assert.deepEqual(receive(decompressor, packet), frame);
        };
        for (const { all, lose } of rounds) {
          for (const frame of all) expectRead(frame);
          if (lose === 0) continue;
          for (let i = 0; i < lose; i++) pack(Buffer.from("lost, lost, lost, lost"));
          sender.flush();
        }
        for (let n = 0; n < 300; n++) expectRead(Buffer.from(`the same text, the same text ${n}`));
      }),
      { numRuns: 25 },
    ));

test("RFC 2118 §3.1 a duplicate and a late packet are refused, and need no reset", () => {
  const compressor = new MppcCompressor(false);
  const decompressor = new MppcDecompressor();
  const packets = ["the bell, the bell", "the bell, the bell"].map((text) =>
    Buffer.from(send(compressor, Buffer.from(text))),
  );
  for (const packet of packets) assert.notEqual(typeof receive(decompressor, packet), "string");
  for (const packet of packets) assert.equal(receive(decompressor, packet), "late");
  assert.equal(decompressor.needsReset, false);
});

/** Hand-made codes that mean nothing. */
const BAD: readonly (readonly [string, MppcFault, string])[] = [
  ["a copy at offset 0", "bad-offset", `01000001${"1111000000"}0`],
  ["a copy further back than the history is long", "bad-offset", `01000001${"110" + "1111111111111"}0`],
  ["a length with twelve ones", "bad-length", `01000001${"1111000001"}${"1".repeat(12)}0`],
  ["an offset cut short", "truncated", "0100000111110000"],
  ["a length cut short", "truncated", `${"1111000001"}${"111110"}`],
  ["a literal cut short", "truncated", "11111111"],
  [
    "a copy past the end of the history",
    "overflow",
    `0100000101000001${"1111000001"}${"1".repeat(11)}0${"1".repeat(12)}`,
  ],
  ["a literal past it", "overflow", `01000001${"1111000001"}${"1".repeat(11)}0${"1".repeat(12)}01000001`],
];

for (const [what, fault, bits] of BAD)
  test(`RFC 2118 §4 ${what} is refused, and only a flush helps`, () => {
    const decompressor = new MppcDecompressor();
    const data = Array.from(bits.match(/.{1,8}/g) ?? [], (octet) => Number.parseInt(octet.padEnd(8, "0"), 2));
    const bytes = Buffer.from([(AT_FRONT | COMPRESSED) >> 8, 0, ...data]);
    assert.equal(receive(decompressor, bytes), fault);
    assert.equal(decompressor.needsReset, true);
    assert.equal(receive(decompressor, Buffer.from([COMPRESSED >> 8, 1, 0x41])), "awaiting-flush");
    assert.deepEqual(receive(decompressor, Buffer.from([(FLUSHED | COMPRESSED) >> 8, 2, 0x41])), Buffer.from("A"));
  });

test("RFC 2118 §3.1 the history is used to its last octet before bit B is set", () => {
  const compressor = new MppcCompressor(false);
  const flags = [4096, 4096, 1].map((length) => send(compressor, Buffer.alloc(length, "x")).readUInt16BE(0) & ~0xfff);
  assert.deepEqual(flags, [AT_FRONT | COMPRESSED, COMPRESSED, AT_FRONT | COMPRESSED]);
});

test("a packet with nothing after the header is short", () => {
  for (const length of [0, 1, 2]) assert.equal(receive(new MppcDecompressor(), Buffer.alloc(length, 0xa0)), "short");
});

test("any octets: a frame of at most 8192 octets or a fault, never a throw", () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(0x20, 0x60, 0xa0, 0xe0, 0x00), fc.uint8Array({ maxLength: 300 })), {
        maxLength: 20,
      }),
      (packets) => {
        const decompressor = new MppcDecompressor();
        for (const [n, [flags, data]] of packets.entries()) {
          const read = receive(decompressor, Buffer.concat([Buffer.of(flags, n), data]));
          if (typeof read !== "string") assert.ok(read.length <= 8192);
        }
      },
    ),
    { numRuns: 500 },
  ));

test("any one octet of a packet changed: a frame or a fault, never a throw", () =>
  fc.assert(
    fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (all, where, change) => {
      const compressor = new MppcCompressor(false);
      const decompressor = new MppcDecompressor();
      for (const frame of all) {
        const packet = send(compressor, frame);
        const at = where % packet.length;
        packet[at] = (packet[at] ?? 0) ^ change;
        const read = receive(decompressor, packet);
        if (typeof read !== "string") assert.ok(read.length <= Math.max(8192, frame.length));
      }
    }),
  ));

test("real text shrinks by half", () => {
  const text = Buffer.from("GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nAccept: text/html\r\n\r\n".repeat(12));
  const packet = send(new MppcCompressor(false), text);
  assert.ok(packet.length - MPPC_HEADER_BYTES < text.length / 2);
});
