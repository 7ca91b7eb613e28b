import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MppeSessionKey, type MppeStrength } from "../../appliance/crypto/mppe-keys.ts";
import {
  ENCRYPTED,
  FLUSHED,
  MPPE_HEADER_BYTES,
  type MppeFault,
  MppeReceiver,
  MppeSender,
} from "../../appliance/ppp/mppe.ts";

const STRENGTHS: readonly MppeStrength[] = [40, 56, 128];
const startKey = (strength: MppeStrength) => Buffer.alloc(strength === 128 ? 16 : 8, 0xa5);
const frame = (n: number) => Buffer.from(`\x00\x21 frame ${n}`, "latin1");

interface Mode {
  readonly strength?: MppeStrength;
  readonly stateless: boolean;
  readonly rekeyOnFlush?: boolean;
  readonly maxRekeys?: number;
}

function senderOf({ strength = 128, stateless }: Mode): { send(n: number, mppcFlags?: number): Buffer; flush(): void } {
  const sender = new MppeSender({ startKey: startKey(strength), strength, stateless });
  return {
    send(n, mppcFlags) {
      const buffer = Buffer.concat([Buffer.alloc(MPPE_HEADER_BYTES), frame(n)]);
      sender.encrypt(buffer, MPPE_HEADER_BYTES, buffer.length, mppcFlags);
      return buffer;
    },
    flush: () => sender.flush(),
  };
}

function receiverOf({ strength = 128, stateless, rekeyOnFlush = false, ...rest }: Mode): MppeReceiver {
  return new MppeReceiver({ startKey: startKey(strength), strength, stateless, rekeyOnFlush, ...rest });
}

/** A stateful peer as RFC 3078 §8.2 has it (`rekeyOnFlush` false), or as Linux does it (true). */
function statefulPeer(rekeyOnFlush: boolean): (n: number, flush?: boolean) => Buffer {
  const key = new MppeSessionKey(startKey(128), 128);
  let count = 0;
  return (n, flush = false) => {
    const flag = (count & 0xff) === 0xff;
    if (flag || (flush && rekeyOnFlush)) key.change();
    if (flag || flush) key.initialize();
    const packet = Buffer.concat([Buffer.alloc(MPPE_HEADER_BYTES), frame(n)]);
    key.crypt(packet, MPPE_HEADER_BYTES, packet.length);
    packet.writeUInt16BE((flush ? FLUSHED : 0) | ENCRYPTED | count, 0);
    count = (count + 1) & 0xfff;
    return packet;
  };
}

function expectFrame(receiver: MppeReceiver, packet: Buffer, n: number, lostBefore = 0): void {
  assert.equal(receiver.decrypt(packet, 0, packet.length, lostBefore), undefined, `packet ${n}`);
  assert.deepEqual(packet.subarray(MPPE_HEADER_BYTES), frame(n));
}

function expectFault(receiver: MppeReceiver, packet: Buffer, fault: MppeFault, lostBefore = 0): void {
  const before = Buffer.from(packet);
  assert.equal(receiver.decrypt(packet, 0, packet.length, lostBefore), fault);
  assert.deepEqual(packet, before, "a refused packet is left as it was");
}

for (const strength of STRENGTHS)
  for (const stateless of [true, false])
    test(`RFC 3078 §3.1 ${strength}-bit ${stateless ? "stateless" : "stateful"}: 9000 packets, past two wraps of the count`, () => {
      const sender = senderOf({ strength, stateless });
      const receiver = receiverOf({ strength, stateless });
      for (let n = 0; n < 9000; n++) expectFrame(receiver, sender.send(n), n);
    });

test("encrypt and decrypt touch nothing outside the packet", () => {
  const settings = { startKey: startKey(128), strength: 128, stateless: true } as const;
  const buffer = Buffer.alloc(64, 0xee);
  frame(7).copy(buffer, 20);
  const end = 20 + frame(7).length;
  const start = new MppeSender(settings).encrypt(buffer, 20, end);
  assert.equal(start, 18);
  assert.equal(new MppeReceiver({ ...settings, rekeyOnFlush: false }).decrypt(buffer, start, end), undefined);
  assert.deepEqual(buffer.subarray(0, 18), Buffer.alloc(18, 0xee));
  assert.deepEqual(buffer.subarray(20, end), frame(7));
  assert.deepEqual(buffer.subarray(end), Buffer.alloc(64 - end, 0xee));
});

test("RFC 3078 §8.1 stateless: whatever is lost, doubled or late, a packet is read exactly when it is the newest", () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ lose: fc.nat(40), late: fc.nat(3), twice: fc.boolean() }), { maxLength: 60 }),
      (steps) => {
        const sender = senderOf({ stateless: true });
        const receiver = receiverOf({ stateless: true });
        const sent: Buffer[] = [];
        for (const { lose, late, twice } of steps) {
          for (let i = 0; i <= lose; i++) sent.push(sender.send(sent.length));
          const newest = sent.length - 1;
          expectFrame(receiver, Buffer.from(sent[newest] ?? []), newest);
          if (twice) expectFault(receiver, Buffer.from(sent[newest] ?? []), "late");
          if (late > 0 && newest >= late) expectFault(receiver, Buffer.from(sent[newest - late] ?? []), "late");
        }
      },
    ),
  ));

for (const [lost, fault] of [
  [2047, undefined],
  [2048, "late"],
  [4094, "late"],
  [4095, "late"],
] as const)
  test(`RFC 3078 §8.1 stateless: after ${lost} lost packets, the count alone says: ${fault ?? "readable"}`, () => {
    const sender = senderOf({ stateless: true });
    const receiver = receiverOf({ stateless: true, maxRekeys: 10_000 });
    for (let n = 0; n < lost; n++) sender.send(n);
    const packet = sender.send(lost);
    if (fault === undefined) expectFrame(receiver, packet, lost);
    else expectFault(receiver, packet, fault);
  });

test("RFC 3078 §8.1 stateless: knowing what GRE lost, any gap is bridged, also when some of it was not MPPE", () =>
  fc.assert(
    fc.property(fc.nat(300), fc.nat(20_000), fc.nat(50), (first, lost, notMppe) => {
      const sender = senderOf({ stateless: true });
      const receiver = receiverOf({ stateless: true, maxRekeys: 100_000 });
      let n = 0;
      for (; n < first; n++) expectFrame(receiver, sender.send(n), n);
      for (; n < first + lost; n++) sender.send(n);
      expectFrame(receiver, sender.send(n), n, lost + notMppe);
      expectFrame(receiver, sender.send(n + 1), n + 1);
    }),
    { numRuns: 30 },
  ));

test("RFC 3078 §8.1 stateless: losses are added up over packets that were refused", () => {
  const sender = senderOf({ stateless: true });
  const receiver = receiverOf({ stateless: true, maxRekeys: 10_000 });
  const old = sender.send(0);
  expectFrame(receiver, Buffer.from(old), 0);
  for (let n = 1; n <= 5000; n++) sender.send(n);
  expectFault(receiver, old, "late", 3000);
  expectFrame(receiver, sender.send(5001), 5001, 2000);
});

test("RFC 3078 §8.1 stateless: a packet costs at most maxRekeys, and a long gap is made up over the next packets", () => {
  const sender = senderOf({ stateless: true });
  const receiver = receiverOf({ stateless: true, maxRekeys: 4 });
  let n = 0;
  for (; n < 10; n++) sender.send(n);
  for (; n < 13; n++) expectFault(receiver, sender.send(n), "catching-up");
  for (; n < 20; n++) expectFrame(receiver, sender.send(n), n);
  assert.equal(receiver.needsReset, false);
});

test("RFC 3078 §8.1 stateless: a duplicate is told from a packet 4096 later by what GRE lost", () => {
  const sender = senderOf({ stateless: true });
  const receiver = receiverOf({ stateless: true, maxRekeys: 10_000 });
  const first = sender.send(0);
  expectFrame(receiver, Buffer.from(first), 0);
  expectFault(receiver, first, "late", 4094);
  for (let n = 1; n < 4096; n++) sender.send(n);
  expectFrame(receiver, sender.send(4096), 4096, 1);
});

test("RFC 3078 §8.1 stateless: 9000 lost packets are made up over 35 more with the default bound", () => {
  const sender = senderOf({ stateless: true });
  const receiver = receiverOf({ stateless: true });
  let n = 0;
  for (; n < 9000; n++) sender.send(n);
  expectFault(receiver, sender.send(n++), "catching-up", 9000);
  for (let i = 1; i < 35; i++) expectFault(receiver, sender.send(n++), "catching-up");
  for (; n < 9500; n++) expectFrame(receiver, sender.send(n), n);
});

for (const stateless of [true, false])
  test(`RFC 3078 §3.1 ${stateless ? "stateless" : "stateful"}: a packet with D clear is refused and moves no key`, () => {
    const sender = senderOf({ stateless });
    const receiver = receiverOf({ stateless });
    const packet = sender.send(0);
    const stripped = Buffer.from(packet);
    stripped.writeUInt16BE(packet.readUInt16BE(0) & ~ENCRYPTED, 0);
    expectFault(receiver, stripped, "not-encrypted");
    expectFrame(receiver, packet, 0);
  });

test("RFC 3078 §3.1 stateless: a packet with A clear is refused and moves no key", () => {
  const sender = senderOf({ stateless: true });
  const receiver = receiverOf({ stateless: true });
  const packet = sender.send(0);
  const other = Buffer.from(packet);
  other.writeUInt16BE(packet.readUInt16BE(0) & ~FLUSHED, 0);
  expectFault(receiver, other, "flush-missing");
  expectFrame(receiver, packet, 0);
});

test("a packet without an encrypted octet is short", () => {
  const receiver = receiverOf({ stateless: true });
  for (const length of [0, 1, 2]) expectFault(receiver, Buffer.alloc(length, 0x90), "short");
});

test("RFC 3078 §8.2 stateful: after a loss everything waits for FLUSHED, which our sender sets once asked", () => {
  const sender = senderOf({ stateless: false });
  const receiver = receiverOf({ stateless: false });
  expectFrame(receiver, sender.send(0), 0);
  sender.send(1);
  expectFault(receiver, sender.send(2), "gap");
  assert.equal(receiver.needsReset, true);
  expectFault(receiver, sender.send(3), "awaiting-flush");
  sender.flush();
  const flushed = sender.send(4);
  assert.equal(flushed.readUInt16BE(0), FLUSHED | ENCRYPTED | 0xff, "the next flag packet");
  expectFrame(receiver, flushed, 4);
  assert.equal(receiver.needsReset, false);
  expectFrame(receiver, sender.send(5), 5);
});

test("RFC 3078 §8.2 stateful: a duplicate and a late packet are refused, and need no reset", () => {
  const sender = senderOf({ stateless: false });
  const receiver = receiverOf({ stateless: false });
  const packets = [sender.send(0), sender.send(1)] as const;
  for (const [n, packet] of packets.entries()) expectFrame(receiver, Buffer.from(packet), n);
  expectFault(receiver, packets[1], "late");
  expectFault(receiver, packets[0], "late");
  assert.equal(receiver.needsReset, false);
  expectFrame(receiver, sender.send(2), 2);
});

for (const rekeyOnFlush of [false, true]) {
  const peer = rekeyOnFlush ? "a peer that changes the key on a flush (Linux)" : "a peer that keeps it (RFC, FreeBSD)";

  test(`RFC 3078 §8.2 stateful: we read ${peer}`, () =>
    fc.assert(
      fc.property(fc.array(fc.record({ run: fc.nat(600), lose: fc.nat(1500) }), { maxLength: 8 }), (steps) => {
        const send = statefulPeer(rekeyOnFlush);
        const receiver = receiverOf({ stateless: false, rekeyOnFlush });
        let n = 0;
        for (const { run, lose } of steps) {
          for (const until = n + run; n < until; n++) expectFrame(receiver, send(n), n);
          for (const until = n + lose; n < until; n++) send(n);
          if (lose > 0) expectFault(receiver, send(n++), "gap");
          expectFrame(receiver, send(n, true), n);
          n++;
        }
      }),
      { numRuns: 30 },
    ));

  test(`RFC 3078 §8.2 stateful: slow and lost flushes do not lose ${peer}`, () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ lose: fc.boolean(), run: fc.nat(40), answer: fc.boolean() }), { maxLength: 60 }),
        (steps) => {
          const sender = senderOf({ stateless: false });
          const receiver = receiverOf({ stateless: false, rekeyOnFlush });
          let n = 0;
          for (const { lose, run, answer } of steps) {
            if (receiver.needsReset && answer) sender.flush();
            if (lose) sender.send(n++);
            for (const until = n + run; n < until; n++) {
              const packet = sender.send(n);
              if (receiver.decrypt(packet, 0, packet.length) !== undefined) assert.ok(receiver.needsReset);
              else assert.deepEqual(packet.subarray(MPPE_HEADER_BYTES), frame(n));
            }
          }
          sender.flush();
          expectFrame(receiver, sender.send(n), n);
          expectFrame(receiver, sender.send(n + 1), n + 1);
        },
      ),
    ));
}

test("RFC 3078 §8.2 stateful: a gap of more key changes than maxRekeys is made up too, and needs a reset", () => {
  const sender = senderOf({ stateless: false });
  const receiver = receiverOf({ stateless: false, maxRekeys: 2 });
  let n = 0;
  for (; n < 1000; n++) sender.send(n);
  expectFault(receiver, sender.send(n++), "catching-up");
  assert.equal(receiver.needsReset, true);
  expectFault(receiver, sender.send(n++), "awaiting-flush");
  sender.flush();
  for (; n < 2000; n++) expectFrame(receiver, sender.send(n), n);
});

test("RFC 3078 §8.2 stateful: a flush may take more packets than the count can tell apart", () => {
  const send = statefulPeer(false);
  const receiver = receiverOf({ stateless: false });
  send(0);
  expectFault(receiver, send(1), "gap");
  for (let n = 2; n < 10_000; n++) expectFault(receiver, send(n), "awaiting-flush");
  expectFrame(receiver, send(10_000, true), 10_000);
});

for (const stateless of [true, false])
  test(`RFC 3078 §9 ${stateless ? "stateless" : "stateful"}: no two packets are encrypted with the same octets, whatever resets are asked for`, () => {
    const sender = new MppeSender({ startKey: startKey(128), strength: 128, stateless });
    const seen = new Set<string>();
    for (let n = 0; n < 6000; n++) {
      if (n % 7 === 0) sender.flush();
      const buffer = Buffer.alloc(MPPE_HEADER_BYTES + 16);
      sender.encrypt(buffer, MPPE_HEADER_BYTES, buffer.length);
      seen.add(buffer.toString("hex", MPPE_HEADER_BYTES));
    }
    assert.equal(seen.size, 6000);
  });

test("RFC 3078 §3.1 stateful: FLUSHED of MPPC is FLUSHED of MPPE too", () => {
  const sender = senderOf({ stateless: false });
  const receiver = receiverOf({ stateless: false });
  for (const [n, flags] of [0, FLUSHED, 0, FLUSHED].entries()) {
    const packet = sender.send(n, flags);
    assert.equal(packet.readUInt16BE(0) & FLUSHED, flags);
    expectFrame(receiver, packet, n);
  }
});

test("any octets: a fault or a packet, never a throw, and nothing outside the packet changes", () =>
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(100_000)), { maxLength: 30 }),
      (stateless, rekeyOnFlush, packets) => {
        const receiver = receiverOf({ stateless, rekeyOnFlush });
        for (const [bytes, lostBefore] of packets) {
          const buffer = Buffer.concat([Buffer.alloc(3, 0xee), bytes, Buffer.alloc(3, 0xee)]);
          receiver.decrypt(buffer, 3, 3 + bytes.length, lostBefore);
          assert.deepEqual(buffer.subarray(0, 3), Buffer.alloc(3, 0xee));
          assert.deepEqual(buffer.subarray(3 + bytes.length), Buffer.alloc(3, 0xee));
        }
      },
    ),
  ));
