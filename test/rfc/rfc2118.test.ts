import assert from "node:assert/strict";
import { test } from "node:test";
import { MPPC_HEADER_BYTES, MppcCompressor, MppcDecompressor } from "../../appliance/ppp/mppc.ts";
import { AT_FRONT, COMPRESSED, FLUSHED } from "../../appliance/ppp/mppe.ts";

/** The tables of RFC 2118 §4, as they are printed: from, to, the fixed bits, and how many bits follow. */
const OFFSETS = [
  [0, 63, "1111", 6],
  [64, 319, "1110", 8],
  [320, 8191, "110", 13],
] as const;
const LENGTHS = [
  [3, 3, "0", 0],
  [4, 7, "10", 2],
  [8, 15, "110", 3],
  [16, 31, "1110", 4],
  [32, 63, "11110", 5],
  [64, 127, "111110", 6],
  [128, 255, "1111110", 7],
  [256, 511, "11111110", 8],
  [512, 1023, "111111110", 9],
  [1024, 2047, "1111111110", 10],
  [2048, 4095, "11111111110", 11],
  [4096, 8191, "111111111110", 12],
] as const;

type Table = readonly (readonly [number, number, string, number])[];

function binary(value: number, width: number): string {
  return width === 0 ? "" : value.toString(2).padStart(width, "0");
}
function coded(table: Table, value: number): string {
  const row = table.find(([from, to]) => value >= from && value <= to);
  assert.ok(row);
  const [from, , prefix, width] = row;
  return prefix + binary(value - from, width);
}
function literals(text: string): string {
  return Array.from(Buffer.from(text, "latin1"), (octet) =>
    octet < 0x80 ? binary(octet, 8) : `10${binary(octet & 0x7f, 7)}`,
  ).join("");
}
function copy(offset: number, length: number): string {
  return coded(OFFSETS, offset) + coded(LENGTHS, length);
}
function packed(bits: string): Buffer {
  return Buffer.from(Array.from(bits.match(/.{1,8}/g) ?? [], (octet) => Number.parseInt(octet.padEnd(8, "0"), 2)));
}
function packet(header: number, data: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(MPPC_HEADER_BYTES), data]);
  bytes.writeUInt16BE(header, 0);
  return bytes;
}
function decompress(decompressor: MppcDecompressor, header: number, data: Buffer): Buffer {
  const bytes = packet(header, data);
  const frame = decompressor.decompress(bytes, 0, bytes.length);
  assert.ok(typeof frame !== "string", `fault: ${String(frame)}`);
  return Buffer.from(frame);
}
function compressed(compressor: MppcCompressor, text: Buffer): Buffer {
  const buffer = Buffer.from(text);
  return buffer.subarray(0, compressor.compress(buffer, 0, buffer.length));
}

const BELL = "for whom the bell tolls, the bell tolls for thee.";
const BELL_CODE = packed(
  literals("for whom the bell tolls,") + copy(16, 15) + literals(" ") + copy(40, 4) + copy(19, 3) + literals("e."),
);

test("RFC 2118 §4 the bell tolls: what we send", () =>
  assert.deepEqual(compressed(new MppcCompressor(false), Buffer.from(BELL)), BELL_CODE));

test("RFC 2118 §4 the bell tolls: what we read", () =>
  assert.equal(decompress(new MppcDecompressor(), AT_FRONT | COMPRESSED, BELL_CODE).toString(), BELL));

test("RFC 2118 §4 the bell tolls, as FreeRDP compresses it", () => {
  const code = Buffer.from("666f722e77686f6d2e7468652e62656c6c2e746f6c6c732cf4372e66fa1f199484", "hex");
  const text = "for.whom.the.bell.tolls,.the.bell.tolls.for.thee!";
  assert.equal(decompress(new MppcDecompressor(), AT_FRONT | COMPRESSED, code).toString(), text);
  assert.ok(compressed(new MppcCompressor(false), Buffer.from(text)).length <= code.length);
});

test("RFC 2118 §4.1 every octet as a literal", () => {
  for (let octet = 0; octet < 256; octet++) {
    const text = Buffer.of(octet, octet ^ 0xff, octet ^ 0x80, 0x55);
    const code = packed(literals(text.toString("latin1")));
    assert.deepEqual(decompress(new MppcDecompressor(), AT_FRONT | COMPRESSED, code), text);
  }
});

/** `xyz1`, ones, and `xyz` again `offset` octets after the first; the shortest run of ones that is a copy makes it 7. */
const offsetText = (offset: number) => Buffer.from(`xyz${"1".repeat(offset - 3)}xyz`);
const offsetCode = (offset: number) => packed(literals("xyz1") + copy(1, offset - 4) + copy(offset, 3));

test("RFC 2118 §4.2.1 every offset from 7 to 8189: what we read", () => {
  for (let offset = 7; offset <= 8189; offset++) {
    const frame = decompress(new MppcDecompressor(), AT_FRONT | COMPRESSED, offsetCode(offset));
    assert.ok(frame.equals(offsetText(offset)), `offset ${offset}`);
  }
});

for (const offset of [7, 63, 64, 319, 320, 8189])
  test(`RFC 2118 §4.2.1 offset ${offset}: what we send`, () =>
    assert.deepEqual(compressed(new MppcCompressor(false), offsetText(offset)), offsetCode(offset)));

for (const [from, to] of LENGTHS)
  for (const length of new Set([from, to]))
    test(`RFC 2118 §4.2.2 a match of ${length}`, () => {
      const text = Buffer.alloc(length + 1, "x");
      const code = packed(literals("x") + copy(1, length));
      assert.deepEqual(decompress(new MppcDecompressor(), AT_FRONT | COMPRESSED, code), text);
      assert.deepEqual(compressed(new MppcCompressor(false), text), code);
    });

test("RFC 2118 §3.1 bit B sends the pointer to the front, and what lies behind it can still be copied", () => {
  const decompressor = new MppcDecompressor();
  const old = "abcdefgh".repeat(100);
  decompress(decompressor, AT_FRONT | COMPRESSED, packed(literals(old)));
  // From position 3, that many octets back and round the front is position 600.
  const offset = 8192 - 600 + 3;
  const frame = decompress(decompressor, AT_FRONT | COMPRESSED | 1, packed(literals("xyz") + copy(offset, 8)));
  assert.equal(frame.toString(), `xyz${old.slice(600, 608)}`);
});

test("RFC 2118 §3.1 bit A empties the history: it is all zeros", () => {
  const decompressor = new MppcDecompressor();
  decompress(decompressor, AT_FRONT | COMPRESSED, packed(literals("secret")));
  const frame = decompress(decompressor, FLUSHED | COMPRESSED | 1, packed(literals("a") + copy(8190, 5)));
  assert.deepEqual(frame, Buffer.from("a\0\0\0\0\0"));
});

test("RFC 2118 §3.1 we set bit B on the first packet and whenever the history is full, and read ourselves", () => {
  const compressor = new MppcCompressor(false);
  const decompressor = new MppcDecompressor();
  const fronts: number[] = [];
  for (let n = 0; n < 20; n++) {
    const text = Buffer.from(`packet ${n} `.repeat(100));
    const code = compressed(compressor, text);
    assert.equal(compressor.flags & ~AT_FRONT, COMPRESSED);
    if ((compressor.flags & AT_FRONT) !== 0) fronts.push(n);
    assert.deepEqual(decompress(decompressor, compressor.flags | n, code), text);
  }
  assert.deepEqual(fronts, [0, 9, 17]);
});

test("RFC 2118 §3 data that would grow is sent as it is, and the next compressed packet says FLUSHED", () => {
  const compressor = new MppcCompressor(false);
  const decompressor = new MppcDecompressor();
  const noise = Uint8Array.from({ length: 64 }, (_, i) => 0x80 + i);
  const texts = ["aaaaaaaaaaaa", noise, noise, "aaaaaaaaaaaa", "aaaaaaaaaaaa"].map((text) => Buffer.from(text));
  const flags = texts.map((text, n) => {
    const code = compressed(compressor, text);
    assert.deepEqual(decompress(decompressor, compressor.flags | n, code), text);
    return compressor.flags;
  });
  assert.deepEqual(flags, [AT_FRONT | COMPRESSED, 0, 0, FLUSHED | AT_FRONT | COMPRESSED, COMPRESSED]);
});

test("RFC 2118 §4.3 after a loss everything waits for FLUSHED, which our compressor sets once asked", () => {
  const compressor = new MppcCompressor(false);
  const decompressor = new MppcDecompressor();
  const text = Buffer.from("the same text, the same text");
  const send = (): Buffer => {
    const buffer = Buffer.concat([Buffer.alloc(MPPC_HEADER_BYTES), text]);
    const end = compressor.compress(buffer, MPPC_HEADER_BYTES, buffer.length);
    return buffer.subarray(compressor.writeHeader(buffer, MPPC_HEADER_BYTES), end);
  };
  const receive = (bytes: Buffer) => decompressor.decompress(bytes, 0, bytes.length);

  assert.deepEqual(receive(send()), text);
  send();
  assert.equal(receive(send()), "gap");
  assert.equal(decompressor.needsReset, true);
  assert.equal(receive(send()), "awaiting-flush");
  compressor.flush();
  const flushed = send();
  assert.equal(flushed.readUInt16BE(0), FLUSHED | AT_FRONT | COMPRESSED | 4);
  assert.deepEqual(receive(flushed), text);
  assert.equal(decompressor.needsReset, false);
  assert.deepEqual(receive(send()), text);
});
