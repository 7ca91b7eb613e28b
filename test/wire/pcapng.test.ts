import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  type CapturedPacket,
  type CaptureInterface,
  emitInterface,
  emitPacket,
  emitSection,
  LINK_TYPE,
  parsePcapng,
} from "../../appliance/wire/pcapng.ts";

const text = fc.string({ maxLength: 20 });
const plainObject = { noNullPrototype: true };
const someInterface: fc.Arbitrary<CaptureInterface> = fc.record(
  {
    name: text,
    linkType: fc.constantFrom(...Object.values(LINK_TYPE)),
    description: fc.option(text, { nil: undefined }),
  },
  plainObject,
);
const somePacket = (interfaces: number): fc.Arbitrary<CapturedPacket> =>
  fc.record(
    {
      interfaceIndex: fc.nat(interfaces - 1),
      timestampNs: fc.bigInt(0n, (1n << 64n) - 1n),
      bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      originalLength: fc.nat(70_000),
      comment: fc.option(text, { nil: undefined }),
    },
    plainObject,
  );
const someCapture = fc.array(someInterface, { minLength: 1, maxLength: 3 }).chain((interfaces) =>
  fc.record({
    interfaces: fc.constant(interfaces),
    packets: fc.array(somePacket(interfaces.length), { maxLength: 8 }),
  }),
);

function emit(capture: { interfaces: readonly CaptureInterface[]; packets: readonly CapturedPacket[] }): Buffer {
  return Buffer.concat([
    emitSection("test"),
    ...capture.interfaces.map(emitInterface),
    ...capture.packets.map(emitPacket),
  ]);
}

test("parse(emit(x)) = x for every capture", () =>
  fc.assert(
    fc.property(someCapture, (capture) => {
      const parsed = parsePcapng(emit(capture));
      assert.ok(parsed.ok);
      assert.equal(parsed.value.application, "test");
      assert.deepEqual([...parsed.value.interfaces], capture.interfaces);
      assert.deepEqual([...parsed.value.packets], capture.packets);
    }),
  ));

test("a capture cut anywhere yields the packets before the cut", () =>
  fc.assert(
    fc.property(someCapture, fc.nat(), (capture, where) => {
      const whole = emit(capture);
      const at = where % (whole.length + 1);
      const parsed = parsePcapng(whole.subarray(0, at));
      if (!parsed.ok) return assert.equal(parsed.fault, "short");
      assert.deepEqual([...parsed.value.packets], capture.packets.slice(0, parsed.value.packets.length));
      if (at === whole.length) assert.equal(parsed.value.packets.length, capture.packets.length);
    }),
  ));

test("parse never throws, whatever the bytes", () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), someCapture, fc.nat(), (noise, capture, where) => {
      parsePcapng(Buffer.from(noise));
      const spoilt = emit(capture);
      spoilt.set(
        noise.subarray(0, spoilt.length),
        where % spoilt.length > spoilt.length - noise.length ? 0 : where % spoilt.length,
      );
      parsePcapng(spoilt);
    }),
  ));

test("golden: section header block as the draft prints it (§4.1)", () => {
  const section = emitSection("ab");
  assert.equal(
    section.toString("hex"),
    [
      "0a0d0d0a", // Block Type
      "28000000", // Block Total Length
      "4d3c2b1a", // Byte-Order Magic
      "0100", // Major Version
      "0000", // Minor Version
      "ffffffffffffffff", // Section Length
      "0400020061620000", // shb_userappl "ab"
      "00000000", // opt_endofopt
      "28000000",
    ].join(""),
  );
});

test("golden: a big-endian file with microsecond stamps, as other writers leave them", () => {
  const bytes = Buffer.from(
    [
      "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c",
      "00000001 00000014 0001 0000 00000000 00000014",
      "00000006 00000024 00000000 00000000 000f4240 00000003 00000003 01020300 00000024",
    ]
      .join("")
      .replaceAll(" ", ""),
    "hex",
  );
  const parsed = parsePcapng(bytes);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.packets[0], {
    interfaceIndex: 0,
    timestampNs: 1_000_000_000n,
    bytes: Buffer.from([1, 2, 3]),
    originalLength: 3,
    comment: undefined,
  });
});

test("a packet of an interface that was never described is refused", () => {
  const packet = { interfaceIndex: 1, timestampNs: 0n, bytes: Buffer.alloc(0), originalLength: 0, comment: undefined };
  const one = { name: "a", linkType: LINK_TYPE.ethernet, description: undefined };
  assert.deepEqual(parsePcapng(emit({ interfaces: [one], packets: [packet] })), { ok: false, fault: "bad-value" });
});

const tshark = spawnSync("tshark", ["--version"]).status === 0;
test("tshark reads interface, nanoseconds, bytes and comment", { skip: !tshark && "tshark is not installed" }, () => {
  const folder = mkdtempSync(join(tmpdir(), "culvert-pcapng-"));
  try {
    const file = join(folder, "x.pcapng");
    const interfaces = ["device.wan", "mobile.eth0"].map((name) => ({
      name,
      linkType: LINK_TYPE.ethernet,
      description: name,
    }));
    const arp = Buffer.from(
      "ffffffffffff0243000000000806000108000604000102430000000000c0a80101000000000000c0a8010a",
      "hex",
    );
    const bytes = Buffer.concat([arp.subarray(0, 14), arp.subarray(15)]);
    const packet = {
      interfaceIndex: 1,
      timestampNs: 1_234_567_890_123_456_789n,
      bytes,
      originalLength: bytes.length,
      comment: "dropped",
    };
    writeFileSync(file, emit({ interfaces, packets: [packet] }));
    const fields = ["frame.interface_name", "frame.time_epoch", "frame.len", "frame.comment"].flatMap((field) => [
      "-e",
      field,
    ]);
    const { stdout, stderr } = spawnSync("tshark", ["-r", file, "-T", "fields", ...fields], { encoding: "utf8" });
    assert.equal(stdout.trim(), `mobile.eth0\t1234567890.123456789\t${bytes.length}\tdropped`, stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
