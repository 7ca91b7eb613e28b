/** The Y-modem sender: byte for byte, over lines that lose and spoil. Against lrzsz: test/system. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc16, YmodemSender } from "../../hil/flash/ymodem.ts";
import { YmodemReceiver } from "./ymodem-receiver.ts";

const C = Buffer.from("C");
const ACK = Buffer.from([6]);
const NAK = Buffer.from([0x15]);

test("the CRC of the XMODEM reference's check string", () => {
  assert.equal(crc16(Buffer.from("123456789")), 0x31c3);
  assert.equal(crc16(Buffer.alloc(0)), 0);
});

test("a small file, byte for byte: header, block, end, empty header", () => {
  const sender = new YmodemSender({ name: "a.bin", data: Buffer.from("hello") }, 0);
  const header = sender.handle(C, 0);
  assert.equal(header.length, 133);
  assert.equal(header.toString("latin1", 0, 11), "\x01\x00\xffa.bin\x005\0");
  assert.ok(header.subarray(11, 131).every((byte) => byte === 0));
  assert.equal(header.readUInt16BE(131), crc16(header.subarray(3, 131)));
  assert.equal(sender.handle(ACK, 0).length, 0);
  const data = sender.handle(C, 0);
  assert.equal(data.toString("latin1", 0, 9), "\x01\x01\xfehello\x1a");
  assert.equal(sender.handle(ACK, 0).toString("hex"), "04");
  assert.equal(sender.handle(NAK, 0).toString("hex"), "04");
  assert.equal(sender.handle(ACK, 0).length, 0);
  const last = sender.handle(C, 0);
  assert.equal(last.length, 133);
  assert.ok(last.subarray(3).every((byte) => byte === 0));
  assert.equal(sender.outcome, undefined);
  sender.handle(ACK, 0);
  assert.deepEqual(sender.outcome, { kind: "done" });
});

test("blocks have 1024 bytes, their numbers go on with 0 after 255, and a short rest has 128", () => {
  const sender = new YmodemSender({ name: "f", data: Buffer.alloc(257 * 1024 + 100, 7) }, 0);
  sender.handle(C, 0);
  sender.handle(ACK, 0);
  let block = sender.handle(C, 0);
  for (let number = 1; number <= 257; number++) {
    assert.equal(block.length, 1029);
    assert.deepEqual([...block.subarray(0, 3)], [2, number & 0xff, ~number & 0xff]);
    block = sender.handle(ACK, 0);
  }
  assert.equal(block.length, 133);
  assert.equal(sender.sentBytes, 257 * 1024);
});

test("the receiver's two CANs end it, and one does not; this side's cancel tells the receiver", () => {
  const sender = new YmodemSender({ name: "f", data: Buffer.alloc(5000) }, 0);
  sender.handle(C, 0);
  sender.handle(Buffer.from([0x18]), 0);
  assert.equal(sender.handle(Buffer.from([6, 0x18]), 0).length, 0);
  assert.equal(sender.outcome, undefined);
  sender.handle(Buffer.from([0x18]), 0);
  assert.deepEqual(sender.outcome, { kind: "failed", because: "the receiver cancelled the transfer" });

  const mine = new YmodemSender({ name: "f", data: Buffer.alloc(5000) }, 0);
  assert.equal(mine.cancel("the run was interrupted").toString("hex"), "18".repeat(8) + "08".repeat(8));
  assert.deepEqual(mine.outcome, { kind: "failed", because: "the run was interrupted" });
});

test("nobody who asks, a receiver that refuses, and one that falls silent, each in words", () => {
  const alone = new YmodemSender({ name: "f", data: Buffer.alloc(10) }, 0);
  assert.equal(alone.tick(59_999).length, 0);
  alone.tick(60_000);
  assert.deepEqual(alone.outcome, { kind: "failed", because: "no receiver asked for the file" });
  assert.equal(alone.deadlineMs, undefined);

  const refused = new YmodemSender({ name: "f", data: Buffer.alloc(10) }, 0);
  const header = refused.handle(C, 0);
  for (let retry = 1; retry <= 10; retry++) assert.deepEqual(refused.handle(NAK, retry), header);
  assert.equal(refused.handle(NAK, 11)[0], 0x18);
  assert.match(
    JSON.stringify(refused.outcome),
    /the receiver refuses what arrives; 10 retries were in vain after 0 of 10 bytes/,
  );

  const silent = new YmodemSender({ name: "f", data: Buffer.alloc(10) }, 0);
  silent.handle(C, 0);
  let nowMs = 0;
  while (silent.outcome === undefined) {
    nowMs = silent.deadlineMs ?? nowMs;
    silent.tick(nowMs);
  }
  assert.match(JSON.stringify(silent.outcome), /the receiver does not answer/);
  assert.equal(nowMs, 110_000);
});

test("a receiver's impatient Cs of before do not send the header twice", () => {
  const sender = new YmodemSender({ name: "f", data: Buffer.alloc(10) }, 0);
  assert.equal(sender.handle(Buffer.from("CCCC"), 0).length, 133);
  assert.equal(sender.handle(C, 3_000).length, 133, "a later one does: it was lost");
});

test("names that do not fit are refused", () => {
  for (const name of ["", "a\0b", "x".repeat(200)]) {
    assert.throws(() => new YmodemSender({ name, data: Buffer.alloc(1) }, 0), RangeError);
  }
});

test("any bytes of a receiver end in an outcome or a wait", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 40 }), (pieces) => {
      const sender = new YmodemSender({ name: "f", data: Buffer.alloc(3000) }, 0);
      let nowMs = 0;
      for (const piece of pieces) {
        nowMs += 500;
        sender.handle(Buffer.from(piece), nowMs);
        sender.tick(nowMs);
      }
      assert.equal(sender.deadlineMs === undefined, sender.outcome !== undefined);
    }),
  );
});

/** Both machines on a line that does to the n-th message what `fate` says. */
function transfer(data: Buffer, fate: (message: number) => "pass" | "lose" | "spoil") {
  let nowMs = 0;
  let messages = 0;
  const sender = new YmodemSender({ name: "image", data }, nowMs);
  const receiver = new YmodemReceiver(nowMs);
  const pass = (bytes: Buffer): Buffer => {
    if (bytes.length === 0) return bytes;
    const what = fate(messages++);
    if (what === "lose") return Buffer.alloc(0);
    if (what === "spoil") return Buffer.from(bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 0x55 : byte)));
    return bytes;
  };
  while (sender.outcome === undefined || receiver.outcome === undefined) {
    nowMs = Math.max(
      nowMs,
      Math.min(sender.deadlineMs ?? Number.MAX_VALUE, receiver.outcome ? Number.MAX_VALUE : receiver.deadlineMs),
    );
    let toReceiver = pass(sender.tick(nowMs));
    let toSender = pass(receiver.tick(nowMs));
    while (toReceiver.length > 0 || toSender.length > 0) {
      nowMs += 10;
      const answer = pass(receiver.handle(toReceiver, nowMs));
      toReceiver = pass(sender.handle(toSender, nowMs));
      toSender = answer;
    }
    if (nowMs > 3_600_000) break;
  }
  return { sender, receiver };
}

test("files of every length arrive over a clean line, without a repetition but the first EOT's", () => {
  for (const length of [0, 1, 128, 129, 1023, 1024, 1025, 5000, 300_000]) {
    const data = Buffer.from(Array.from({ length }, (_, at) => (at * 31) & 0xff));
    const { sender, receiver } = transfer(data, () => "pass");
    assert.deepEqual(sender.outcome, { kind: "done" });
    assert.equal(sender.resent, 1);
    assert.deepEqual(receiver.files, [{ name: "image", data }]);
  }
});

test("over a line that loses and spoils, a transfer that says it is done has delivered every byte", () => {
  let done = 0;
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 6000 }),
      fc.array(fc.constantFrom("pass", "pass", "pass", "lose", "spoil"), { maxLength: 40 }),
      (bytes, fates) => {
        const { sender, receiver } = transfer(Buffer.from(bytes), (message) => fates[message] ?? "pass");
        assert.ok(sender.outcome !== undefined, "it ends");
        if (sender.outcome.kind === "done") {
          done++;
          assert.deepEqual(receiver.files[0], { name: "image", data: Buffer.from(bytes) });
        }
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(done > 200, `most transfers must survive: ${done} of 300`);
});
