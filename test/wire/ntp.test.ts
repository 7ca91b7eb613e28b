import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitNtpRequest, parseNtpReply } from "../../appliance/wire/ntp.ts";

const COOKIE = Buffer.from("0102030405060708", "hex");

/** An answer of a server of stratum 2 at 2026-11-25T12:00:00.500Z: 1795608000 s after 1970. */
function reply(change: (packet: Buffer) => void = () => {}): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = 0x24;
  packet[1] = 2;
  COOKIE.copy(packet, 24);
  for (const at of [32, 40]) {
    packet.writeUInt32BE(1_795_608_000 + 2_208_988_800, at);
    packet.writeUInt32BE(0x80000000, at + 4);
  }
  change(packet);
  return packet;
}

test("RFC 4330 §5, RFC 5905 §7.3: a request is version 4, mode 3, with our cookie as its time", () => {
  const packet = emitNtpRequest(COOKIE);
  assert.equal(packet.toString("hex"), `23${"00".repeat(39)}0102030405060708`);
});

test("RFC 5905 §6: the time of the reply, with its fraction", () => {
  const parsed = parseNtpReply(reply(), COOKIE);
  assert.ok(parsed.ok);
  assert.equal(new Date(parsed.reply.sentAt).toISOString(), "2026-11-25T12:00:00.500Z");
  assert.equal(parsed.reply.stratum, 2);
});

test("RFC 4330 §3: after 2036 the seconds begin again", () => {
  const parsed = parseNtpReply(
    reply((packet) => packet.writeUInt32BE(0, 40)),
    COOKIE,
  );
  assert.ok(parsed.ok);
  assert.equal(new Date(parsed.reply.sentAt).toISOString(), "2036-02-07T06:28:16.500Z");
});

const REFUSED: readonly (readonly [string, (packet: Buffer) => void, RegExp])[] = [
  ["another cookie", (packet) => void packet.writeUInt8(9, 24), /somebody else/],
  ["a client's packet", (packet) => void packet.writeUInt8(0x23, 0), /not a server/],
  ["a kiss of death", (packet) => void packet.fill("\0RATE", 1, 2).write("RATE", 12), /RATE/],
  ["an unsynchronised server", (packet) => void packet.writeUInt8(0xe4, 0), /does not know/],
  ["stratum 16", (packet) => void packet.writeUInt8(16, 1), /does not know/],
  ["no time", (packet) => void packet.fill(0, 40), /without the time/],
];
for (const [name, change, problem] of REFUSED)
  test(`${name} is not believed`, () => {
    const parsed = parseNtpReply(reply(change), COOKIE);
    assert.ok(!parsed.ok);
    assert.match(parsed.problem, problem);
  });

test("any bytes are survived", () => {
  fc.assert(fc.property(fc.uint8Array(), (any) => typeof parseNtpReply(Buffer.from(any), COOKIE).ok === "boolean"));
});
