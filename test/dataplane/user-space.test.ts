/** The packet's walk, branch by branch: what reaches the kernel, what the session gets, what is dropped and counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HEADROOM_BYTES } from "../../appliance/dataplane/user-space.ts";
import { Millis } from "../../appliance/ports.ts";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { hex } from "../support/hex.ts";
import { ipv4Packet, ipv6Packet } from "../support/ip-packet.ts";
import {
  CALL,
  COMPRESSED,
  direction,
  Encryptor,
  LOCAL,
  PEER,
  PEERS_CALL,
  PlaneBench,
  SlotTun,
} from "../support/plane-bench.ts";

const STATELESS = direction(128, true);

// --- required encryption ---------------------------------------------------------------------------------------------

const HEADERS = { "ff03 and two bytes": "ff0300", "two bytes": "00", "ff03 and PFC": "ff03", PFC: "" };
for (const [name, prefix] of Object.entries(HEADERS))
  for (const after of [false, true])
    for (const [version, protocol, packet] of [
      ["IPv4", "21", ipv4Packet(60, 1)],
      ["IPv6", "57", ipv6Packet(60, 1)],
    ] as const)
      test(`clear ${version} (${name}) never passes where encryption is required, ${after ? "after" : "before"} CCP`, () => {
        const bench = new PlaneBench(true);
        bench.plane.allowIpv6(CALL);
        if (after) bench.encrypt(STATELESS);
        bench.frame(Buffer.concat([hex(prefix + protocol), packet]));
        assert.deepEqual(bench.tun.written, []);
        assert.deepEqual(bench.control, []);
        assert.deepEqual(bench.dropped, { "clear IP in an encrypted session": 1 });
        assert.equal(bench.plane.counters(CALL)?.receivedPackets, 0);
      });

test("clear IP passes a session without encryption, and no longer once optional encryption is on", () => {
  const bench = new PlaneBench(false);
  bench.frame(Buffer.concat([hex("21"), ipv4Packet(60, 1)]));
  bench.encrypt(STATELESS);
  bench.frame(Buffer.concat([hex("21"), ipv4Packet(60, 2)]));
  assert.deepEqual(bench.tun.written, [ipv4Packet(60, 1)]);
  assert.deepEqual(bench.dropped, { "clear IP in an encrypted session": 1 });
});

test("encryption that LCP took back holds no clear IP up where it is optional, and still does where it is required", () => {
  for (const [required, passes] of [
    [false, 1],
    [true, 0],
  ] as const) {
    const bench = new PlaneBench(required);
    bench.encrypt(STATELESS);
    bench.plane.forgetEncryption(CALL);
    bench.frame(Buffer.concat([hex("21"), ipv4Packet(60, 1)]));
    bench.tun.put(ipv4Packet(60, 2), HEADROOM_BYTES);
    bench.transmit();
    assert.equal(bench.tun.written.length, passes);
    assert.equal(bench.wire.sent.length, passes);
  }
});

test("what the host sends never leaves in the clear where encryption is required and CCP is not open", () => {
  const bench = new PlaneBench(true);
  bench.tun.put(ipv4Packet(60, 1), HEADROOM_BYTES);
  bench.transmit();
  assert.deepEqual(bench.wire.sent, []);
  assert.equal(bench.plane.counters(CALL)?.sentPackets, 0);
});

// --- decryption ------------------------------------------------------------------------------------------------------

test("encrypted data before CCP opened is dropped and counted", () => {
  const bench = new PlaneBench(true);
  bench.frame(new Encryptor(STATELESS).ip(1));
  assert.deepEqual(bench.dropped, { "encrypted before CCP opened": 1 });
});

test("encrypted data is read under every PPP header", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  for (const [index, header] of ["fd", "00fd", "ff03fd", "ff0300fd"].entries())
    bench.frame(peer.frame(Buffer.concat([hex("0021"), ipv4Packet(60, index)]), hex(header)));
  assert.deepEqual(
    bench.tun.written,
    [0, 1, 2, 3].map((n) => ipv4Packet(60, n)),
  );
  assert.deepEqual(bench.dropped, {});
});

test("an inner protocol of one byte is read as well as one of two", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  bench.frame(peer.frame(Buffer.concat([hex("21"), ipv4Packet(60, 1)])));
  bench.frame(peer.frame(Buffer.concat([hex("0021"), ipv4Packet(60, 2)])));
  assert.deepEqual(bench.tun.written, [ipv4Packet(60, 1), ipv4Packet(60, 2)]);
});

test("what does not decrypt to a packet that was negotiated is dropped: wrong key, other protocol, broken lengths, nothing", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  bench.frame(new Encryptor(direction(128, true, 0xa5)).ip(1));
  const peer = new Encryptor(STATELESS);
  peer.ip(0); // the count the foreign key took
  const broken = ipv4Packet(60, 2);
  broken.writeUInt16BE(61, 2);
  for (const inner of [
    hex("00"),
    hex("21"),
    hex("0021"),
    Buffer.concat([hex("0021"), broken]),
    Buffer.concat([hex("0057"), ipv6Packet(60, 3)]),
    Buffer.concat([hex("c021"), hex("05010004")]),
  ])
    bench.frame(peer.frame(inner));
  assert.deepEqual(bench.tun.written, []);
  assert.deepEqual(bench.control, [], "control packets are never taken from inside MPPE");
  assert.deepEqual(bench.dropped, { "not IP after decryption": 7 });
});

test("an MPPE packet without D, without A, or too short is dropped under its own name", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  bench.frame(hex("fd 8000 0021"));
  bench.frame(hex("fd 1000 0021"));
  bench.frame(hex("fd 9000"));
  assert.deepEqual(bench.dropped, { "MPPE: not-encrypted": 1, "MPPE: flush-missing": 1, "MPPE: short": 1 });
});

test("data before the network is up, and after it went down, is dropped and counted", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  assert.equal(bench.plane.detach(CALL), bench.tun);
  assert.equal(bench.plane.detach(CALL), undefined);
  bench.frame(peer.ip(1));
  bench.transmit();
  assert.deepEqual(bench.dropped, { "data before the network was up": 1 });
  assert.equal(bench.plane.lastTraffic(CALL), undefined);
});

// --- IPv6 ------------------------------------------------------------------------------------------------------------

test("IPv6 passes both ways only where IPV6CP opened it, and until the network goes down", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  const v6 = (number: number) => peer.frame(Buffer.concat([hex("0057"), ipv6Packet(60, number)]));
  const offer = () => {
    bench.tun.put(ipv6Packet(60, 9), HEADROOM_BYTES);
    bench.transmit();
    return bench.take().length;
  };
  bench.frame(v6(1));
  assert.equal(offer(), 0);
  bench.plane.allowIpv6(CALL);
  bench.frame(v6(2));
  assert.equal(offer(), 1);
  bench.plane.detach(CALL);
  bench.plane.attach(CALL, bench.tun, COMPRESSED);
  bench.frame(v6(3));
  assert.equal(offer(), 0);
  assert.deepEqual(bench.tun.written, [ipv6Packet(60, 2)]);
  assert.deepEqual(bench.dropped, { "not IP after decryption": 2 });
});

test("clear IPv6 without IPV6CP is the session's to reject, not data", () => {
  const bench = new PlaneBench(false);
  bench.frame(Buffer.concat([hex("57"), ipv6Packet(40, 1)]));
  assert.deepEqual(bench.control, [`1111 57 ${ipv6Packet(40, 1).toString("hex")}`]);
  assert.deepEqual(bench.tun.written, []);
});

test("clear packets that are not whole IP packets are dropped", () => {
  const bench = new PlaneBench(false);
  bench.frame(Buffer.concat([hex("0021"), ipv4Packet(60, 1).subarray(0, 59)]));
  bench.plane.allowIpv6(CALL);
  bench.frame(Buffer.concat([hex("0057"), ipv6Packet(60, 1).subarray(0, 59)]));
  assert.deepEqual(bench.dropped, { "not an IP packet": 2 });
  assert.deepEqual(bench.tun.written, []);
});

// --- control ---------------------------------------------------------------------------------------------------------

test("control frames go to the session of their call, encrypted session or not", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  bench.frame(hex("ff03 c021 09010008 00000000"));
  bench.frame(hex("80fd 0e020004"));
  assert.deepEqual(bench.control, ["1111 c021 0901000800000000", "1111 80fd 0e020004"]);
});

test("a frame without room for a protocol and a byte is short", () => {
  const bench = new PlaneBench(false);
  for (const frame of ["", "ff", "ff03", "ff0300", "c021", "ff03c021", "21"]) bench.frame(hex(frame));
  assert.deepEqual(bench.control, []);
  assert.deepEqual(bench.dropped, { "short frame": 7 });
});

test("control frames leave numbered, from the address of the control connection, to the peer's Call ID", () => {
  const bench = new PlaneBench(true);
  bench.plane.sendFrame(CALL, Protocol.lcp, hex("01000004"), COMPRESSED);
  bench.plane.sendFrame(CALL, Protocol.ccp, hex("01010004"), COMPRESSED);
  bench.plane.sendFrame(LocalCallId(9), Protocol.lcp, hex("01000004"), COMPRESSED);
  assert.deepEqual(
    bench.wire.sent.map(({ local, peer }) => [local, peer]),
    [
      [LOCAL, PEER],
      [LOCAL, PEER],
    ],
  );
  assert.deepEqual(bench.take(), [
    { callId: PEERS_CALL, sequence: 0, ack: undefined, payload: hex("ff03c021 01000004") },
    { callId: PEERS_CALL, sequence: 1, ack: undefined, payload: hex("80fd 01010004") },
  ]);
  const before = bench.wire.flushes;
  bench.plane.flush();
  assert.equal(bench.wire.flushes, before + 1);
});

// --- whose packet ----------------------------------------------------------------------------------------------------

test("a packet of another address, of an unknown call, of a closed one, or not GRE at all, is a stray", () => {
  const bench = new PlaneBench(false);
  const payload = Buffer.concat([hex("21"), ipv4Packet(60, 1)]);
  bench.arrive({ callId: CALL, sequence: 0, ack: undefined, payload }, Ipv4(PEER + 1));
  bench.arrive({ callId: CALL + 1, sequence: 0, ack: undefined, payload });
  bench.wire.arriving.push({ peer: PEER, packet: hex("3001 0800 0000 1111 00000000") });
  bench.plane.receive(Millis(bench.now));
  assert.equal(bench.plane.strays, 3);
  bench.plane.close(CALL);
  bench.arrive({ callId: CALL, sequence: 0, ack: undefined, payload });
  assert.equal(bench.plane.strays, 4);
  assert.deepEqual(bench.tun.written, []);
  assert.equal(bench.plane.counters(CALL), undefined);
  assert.equal(bench.plane.deadline, undefined, "nothing is owed to a stray");
});

test("two calls do not mix: keys, sequence numbers, counters, interfaces", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const other = LocalCallId(0x3333);
  const otherTun = new SlotTun();
  const otherPeer = Ipv4(PEER + 9);
  const otherKeys = direction(40, true, 7);
  bench.plane.open({ callId: other, peerCallId: PeerCallId(0x4444), local: LOCAL, peer: otherPeer }, true);
  bench.plane.attach(other, otherTun, COMPRESSED);
  bench.plane.encrypt(other, otherKeys, otherKeys);
  const first = new Encryptor(STATELESS);
  const second = new Encryptor(otherKeys);
  for (let n = 0; n < 3; n++) {
    bench.frame(first.ip(n));
    bench.arrive({ callId: other, sequence: 50 + n, ack: undefined, payload: second.ip(100 + n) }, otherPeer);
  }
  bench.arrive({ callId: other, sequence: 53, ack: undefined, payload: first.ip(3) }, otherPeer);
  assert.deepEqual(
    bench.tun.written,
    [0, 1, 2].map((n) => ipv4Packet(60, n)),
  );
  assert.deepEqual(
    otherTun.written,
    [100, 101, 102].map((n) => ipv4Packet(60, n)),
  );
  assert.deepEqual(bench.dropped, {});
  assert.deepEqual(bench.plane.counters(other)?.dropped, { "not IP after decryption": 1 });
  otherTun.put(ipv4Packet(60, 7), HEADROOM_BYTES);
  bench.plane.transmit(other, Millis(bench.now));
  assert.deepEqual(
    bench.take().map(({ callId, sequence, ack }) => [callId, sequence, ack]),
    [[0x4444, 0, 53]],
  );
  bench.plane.close(other);
  assert.equal(bench.plane.counters(CALL)?.receivedPackets, 3);
});

// --- to the peer -----------------------------------------------------------------------------------------------------

test("the longest header fills HEADROOM_BYTES to the byte", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  bench.frame(new Encryptor(STATELESS).ip(0)); // something to acknowledge
  bench.tun.put(ipv4Packet(100, 1), HEADROOM_BYTES);
  const slot = bench.tun.waiting[0]?.slot;
  bench.transmit();
  const [sent] = bench.wire.sent;
  assert.equal(sent?.loan.byteOffset, slot?.byteOffset);
  assert.equal(sent?.loan.buffer, slot?.buffer, "sent from where it lay, without a copy");
  assert.equal(sent?.packet.length, HEADROOM_BYTES + 100);
  assert.equal(sent?.packet.readUInt16BE(0), 0x3081);
  assert.equal(sent?.packet.toString("hex", 16, 20), "ff0300fd");
});

test("clear packets leave under the framing that LCP agreed on", () => {
  const bench = new PlaneBench(false);
  bench.tun.put(ipv4Packet(60, 1), HEADROOM_BYTES);
  bench.transmit();
  bench.plane.attach(CALL, bench.tun, COMPRESSED);
  bench.tun.put(ipv4Packet(60, 2), HEADROOM_BYTES);
  bench.transmit();
  assert.deepEqual(
    bench.take().map(({ payload }) => payload.subarray(0, payload.length - 60).toString("hex")),
    ["ff030021", "21"],
  );
});

test("what the kernel hands over that is no IP packet is not sent", () => {
  const bench = new PlaneBench(false);
  bench.tun.put(hex("00112233"), HEADROOM_BYTES);
  bench.transmit();
  assert.deepEqual(bench.wire.sent, []);
  bench.plane.transmit(LocalCallId(9), Millis(bench.now)); // a call that is gone: nothing to do, no error
});

test("an acknowledgment rides on the next packet, once; without one it leaves alone after 100 ms", () => {
  const bench = new PlaneBench(false);
  const frame = Buffer.concat([hex("21"), ipv4Packet(60, 1)]);
  bench.frame(frame, 7);
  bench.frame(frame, 8);
  assert.equal(bench.plane.deadline, 1100);
  bench.tun.put(ipv4Packet(60, 2), HEADROOM_BYTES);
  bench.tun.put(ipv4Packet(60, 3), HEADROOM_BYTES);
  bench.transmit();
  assert.deepEqual(
    bench.take().map(({ sequence, ack }) => [sequence, ack]),
    [
      [0, 8],
      [1, undefined],
    ],
  );
  assert.equal(bench.plane.deadline, undefined);
  bench.frame(frame, 9);
  bench.plane.tick(Millis(1099));
  assert.deepEqual(bench.take(), []);
  bench.plane.tick(Millis(1100));
  const [alone, ...more] = bench.wire.sent;
  assert.deepEqual(more, []);
  assert.equal(alone?.packet.toString("hex"), "2081880b0000222200000009");
  assert.deepEqual([alone?.local, alone?.peer], [LOCAL, PEER]);
  bench.plane.tick(Millis(2000));
  assert.equal(bench.wire.sent.length, 1, "one shot");
});

test("a packet with nothing but an acknowledgment is taken in silence", () => {
  const bench = new PlaneBench(false);
  bench.arrive({ callId: CALL, sequence: undefined, ack: 3, payload: Buffer.alloc(0) });
  assert.deepEqual([bench.control, bench.tun.written, bench.dropped], [[], [], {}]);
  assert.equal(bench.plane.deadline, undefined, "an acknowledgment is not acknowledged");
});

test("counters count IP packets and their bytes, both ways, and when the last one passed", () => {
  const bench = new PlaneBench(true).encrypt(STATELESS);
  const peer = new Encryptor(STATELESS);
  bench.frame(peer.ip(1));
  bench.frame(hex("c0210b010004"));
  bench.now = 5000;
  bench.tun.put(ipv4Packet(100, 1), HEADROOM_BYTES);
  bench.tun.put(ipv4Packet(28, 1), HEADROOM_BYTES);
  bench.transmit();
  assert.deepEqual(bench.plane.counters(CALL), {
    receivedPackets: 1,
    receivedBytes: 60,
    sentPackets: 2,
    sentBytes: 128,
    dropped: {},
  });
  assert.equal(bench.plane.lastTraffic(CALL), 5000);
  bench.now = 6000;
  bench.frame(hex("c0210b010004"));
  assert.equal(bench.plane.lastTraffic(CALL), 5000, "LCP does not keep an idle session alive");
  bench.frame(peer.ip(2));
  assert.equal(bench.plane.lastTraffic(CALL), 6000);
  assert.equal(bench.plane.lastTraffic(undefined), undefined);
});

test("whatever is told about a call that is gone does nothing", () => {
  const bench = new PlaneBench(true);
  bench.plane.close(CALL);
  bench.encrypt(STATELESS);
  bench.plane.flushEncryption(CALL);
  bench.plane.attach(CALL, bench.tun, COMPRESSED);
  bench.plane.allowIpv6(CALL);
  assert.equal(bench.plane.detach(CALL), undefined);
  assert.equal(bench.plane.lastTraffic(CALL), undefined);
});
