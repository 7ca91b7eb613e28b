/** Order, loss and recovery on the packet's walk, and both ends of it together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HEADROOM_BYTES } from "../../appliance/dataplane/user-space.ts";
import { Millis } from "../../appliance/ports.ts";
import { hex } from "../support/hex.ts";
import { ipv4Packet } from "../support/ip-packet.ts";
import { CALL, COMPRESSED, direction, Encryptor, PlaneBench } from "../support/plane-bench.ts";

const STATELESS = direction(128, true);
const STATEFUL = direction(128, false);

// --- order and loss --------------------------------------------------------------------------------------------------

test("packets that arrive out of order reach the kernel in order", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  const frames = [0, 1, 2, 3].map((n) => peer.ip(n));
  for (const n of [0, 2, 3, 1]) bench.frame(frames[n] ?? hex(""), n);
  assert.deepEqual(
    bench.tun.written,
    [0, 1, 2, 3].map((n) => ipv4Packet(60, n)),
  );
});

test("a gap is given up in time, and its size, 4096 packets and more, is what MPPE is told", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  bench.frame(peer.ip(0), 0);
  for (let n = 1; n <= 5000; n++) peer.ip(n);
  // Two packets in a row: a jump this wide is not believed of one.
  const [jump, next, after] = [peer.ip(5001), peer.ip(5002), peer.ip(5003)];
  bench.frame(jump, 5001);
  bench.frame(next, 5002);
  bench.frame(after, 5003);
  for (let n = 5004; n < 5030; n++) bench.frame(peer.ip(n), n);
  assert.equal(bench.dropped?.["lost"], 5001, "5000 that never came, and the one that was not believed");
  const last = bench.tun.written.at(-1);
  assert.deepEqual(last, ipv4Packet(60, 5029), "the key caught up over more than one turn of the coherency count");
});

test("what GRE lost before a control frame still counts for the next MPPE packet", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  bench.frame(peer.ip(0), 0);
  for (let n = 1; n <= 4096; n++) peer.ip(n);
  bench.frame(hex("c0210b010004"), 4098); // not believed alone
  bench.frame(hex("c0210b010004"), 4099);
  for (let n = 4097; n < 4130; n++) bench.frame(peer.ip(n), n + 3);
  assert.deepEqual(bench.tun.written.at(-1), ipv4Packet(60, 4129), "distance 1 modulo 4096 was 4097");
});

test("a late packet and a duplicate are dropped once the gap was given up", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  const frames = [0, 1, 2].map((n) => peer.ip(n));
  bench.frame(frames[0] ?? hex(""), 0);
  bench.frame(frames[2] ?? hex(""), 2);
  bench.now += 100;
  bench.plane.tick(Millis(bench.now));
  assert.deepEqual(bench.tun.written, [ipv4Packet(60, 0), ipv4Packet(60, 2)]);
  bench.frame(frames[1] ?? hex(""), 1);
  bench.frame(frames[2] ?? hex(""), 2);
  assert.deepEqual(bench.dropped, { lost: 1, "late or duplicate": 2 });
  assert.equal(bench.tun.written.length, 2);
});

test("stateful: a lost packet asks for a reset once per 300 ms, and again after a recovery", () => {
  const bench = new PlaneBench(true).encrypt(STATEFUL);
  const peer = new Encryptor(STATEFUL);
  let n = 0;
  const skipped = () => {
    peer.ip(0);
    n++;
  };
  const next = (thenMs = 100) => {
    bench.frame(peer.ip(n), n);
    n++;
    bench.now += thenMs;
    bench.plane.tick(Millis(bench.now)); // a gap is over after 100 ms
  };
  next();
  skipped();
  next();
  assert.equal(bench.resets, 1);
  for (let again = 0; again < 3; again++) next();
  assert.equal(bench.resets, 1, "not for every packet");
  next();
  assert.equal(bench.resets, 2, "300 ms later the peer has not reacted");
  while (n < 254) next();
  const asked = bench.resets;
  bench.now += 300;
  next(0);
  assert.equal(bench.resets, asked + 1);
  next(0); // the flag packet 255 starts the tables over
  assert.deepEqual(bench.tun.written.at(-1), ipv4Packet(60, 255));
  skipped();
  next();
  assert.equal(bench.resets, asked + 2, "a new loss asks at once");
});

test("a flush makes the next packet readable for a peer that lost step", () => {
  const bench = new PlaneBench(true).encrypt(STATEFUL);
  const send = (number: number) => {
    bench.tun.put(ipv4Packet(60, number), HEADROOM_BYTES);
    bench.transmit();
    return bench.take()[0]?.payload ?? hex("");
  };
  const flags = (frame: Buffer) => frame.readUInt16BE(4) >>> 12;
  assert.equal(flags(send(0)), 0x1);
  assert.equal(flags(send(1)), 0x1);
  bench.plane.flushEncryption(CALL);
  assert.equal(flags(send(2)), 0x9, "A is set");
  assert.equal(flags(send(3)), 0x1);
});

// --- both ends -------------------------------------------------------------------------------------------------------

for (const strength of [40, 56, 128] as const)
  for (const stateless of [true, false])
    test(`what one plane sends the other delivers: ${strength} bit, ${stateless ? "stateless" : "stateful"}`, () => {
      const packets = fc.array(fc.tuple(fc.integer({ min: 20, max: 1400 }), fc.nat()), { maxLength: 40 });
      const startKey = fc.uint8Array({ minLength: strength === 128 ? 16 : 8, maxLength: strength === 128 ? 16 : 8 });
      fc.assert(
        fc.property(packets, startKey, fc.boolean(), (sizes, key, framed) => {
          const keys = { startKey: key, agreement: { strength, stateless } };
          const near = new PlaneBench(true).encrypt(keys);
          const far = new PlaneBench(true).encrypt(keys);
          if (framed) near.plane.attach(CALL, near.tun, COMPRESSED);
          const sent = sizes.map(([length, number]) => ipv4Packet(length, number));
          for (const packet of sent) near.tun.put(packet, HEADROOM_BYTES);
          near.transmit();
          for (const packet of near.take()) far.arrive({ ...packet, callId: CALL });
          assert.deepEqual(far.tun.written, sent);
          assert.deepEqual(far.dropped, {});
        }),
        { numRuns: 25 },
      );
    });
