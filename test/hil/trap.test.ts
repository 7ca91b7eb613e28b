import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { emitGre } from "../../appliance/wire/gre.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { defineLab, type LabOf } from "../../hil/lab.ts";
import { ControlWatch } from "../../hil/net/control-watch.ts";
import { dissect, repairChecksums } from "../../hil/net/dissect.ts";
import { ccp, chap, from, gre, ipcp, lcp, ppp, pptp, type Query } from "../../hil/net/query.ts";
import { drop, duplicate, edit, every, first, hold, nth, pass, TrapError } from "../../hil/net/trap.ts";
import type { NodeDefinition } from "../../hil/node/definition.ts";
import {
  controlBytes,
  ECHO_REQUEST,
  type LinkBench,
  linkBench,
  pppControlFrame,
  SET_LINK_INFO,
  tcpFrame,
} from "./link-bench.ts";

const lcpAck = (sequence: number): Buffer => pppControlFrame(sequence, Protocol.lcp, CpCode.configureAck);
const sequences = (bench: LinkBench): (number | undefined)[] =>
  bench.device.got.map(({ frame }) => dissect(frame).gre?.sequence);

test("each query takes its frames and no others", () => {
  const ack = CpCode.configureAck;
  const frames = {
    lcpAck: pppControlFrame(1, Protocol.lcp, ack, 3),
    lcpRequest: pppControlFrame(2, Protocol.lcp, CpCode.configureRequest),
    ccpAck: pppControlFrame(3, Protocol.ccp, ack),
    resetAck: pppControlFrame(4, Protocol.ccp, CpCode.resetAck),
    ipcpAck: pppControlFrame(5, Protocol.ipcp, ack),
    chapSuccess: pppControlFrame(6, Protocol.chap, 3),
    linkInfo: tcpFrame(100, controlBytes(SET_LINK_INFO), { syn: false }),
  };
  const caught = (query: Query): string[] =>
    Object.entries(frames).flatMap(([name, frame]) => {
      const { link, mobile } = linkBench();
      const trap = link.trap(drop, every, query);
      mobile.transmit(frame);
      return trap.hits.length > 0 ? [name] : [];
    });
  assert.deepEqual(caught(lcp.code("configure-ack")), ["lcpAck"]);
  assert.deepEqual(caught(ccp.code("reset-ack")), ["resetAck"]);
  assert.deepEqual(caught(ipcp.code("configure-ack")), ["ipcpAck"]);
  assert.deepEqual(caught(chap.code("success")), ["chapSuccess"]);
  assert.deepEqual(caught(ppp.protocol(Protocol.ccp)), ["ccpAck", "resetAck"]);
  assert.deepEqual(caught(ppp.identifier(3)), ["lcpAck"]);
  assert.deepEqual(caught(gre.sequence(5)), ["ipcpAck"]);
  assert.deepEqual(caught(pptp.message("set-link-info")), ["linkInfo"]);
});

test("queries are combined: all of them must match, the sender among them", () => {
  const { link, mobile, device } = linkBench();
  const trap = link.trap(drop, every, lcp.code("configure-ack"), from("device"));
  mobile.transmit(lcpAck(1));
  assert.equal(trap.hits.length, 0);
  device.transmit(lcpAck(1));
  assert.equal(trap.hits.length, 1);
});

test("nth, first and every count the frames that match", () => {
  const dropped = (which: typeof every): (number | undefined)[] => {
    const bench = linkBench();
    bench.link.trap(drop, which, lcp.code("configure-ack"));
    for (const sequence of [1, 2, 3]) {
      bench.mobile.transmit(lcpAck(sequence));
      bench.mobile.transmit(pppControlFrame(10, Protocol.ccp, CpCode.configureAck));
    }
    return [1, 2, 3].filter((sequence) => !sequences(bench).includes(sequence));
  };
  assert.deepEqual(dropped(nth(2)), [2]);
  assert.deepEqual(dropped(first(2)), [1, 2]);
  assert.deepEqual(dropped(every), [1, 2, 3]);
  assert.throws(() => nth(0), /counted from 1/);
  assert.throws(() => first(1.5), /counted from 1/);
});

test("what a trap did is in the capture and counted", () => {
  const bench = linkBench();
  bench.link.trap(drop, nth(2), gre.sequence(20), from("mobile"));
  for (const sequence of [20, 21, 20]) bench.mobile.transmit(lcpAck(sequence));
  assert.deepEqual(bench.comments(), [undefined, undefined, "trap: drop number 2 of GRE sequence 20, from mobile"]);
  assert.equal(bench.link.faults.get("trapped"), 1);
});

test("hold lets the frames behind pass first, and no impairment's order is disturbed", () => {
  const bench = linkBench();
  bench.link.impair({ delayMs: 10 });
  bench.link.trap(hold(50), nth(1), gre.sequence(1));
  for (const sequence of [1, 2, 3]) bench.mobile.transmit(lcpAck(sequence));
  bench.clock.advance(10);
  assert.deepEqual(sequences(bench), [2, 3]);
  bench.clock.advance(50);
  assert.deepEqual(sequences(bench), [2, 3, 1]);
  assert.throws(() => hold(0), /hold\(0\): give milliseconds/);
});

test("duplicate lets a frame arrive twice", () => {
  const bench = linkBench();
  bench.link.trap(duplicate, nth(1), gre.sequence(1));
  for (const sequence of [1, 2]) bench.mobile.transmit(lcpAck(sequence));
  assert.deepEqual(sequences(bench), [1, 1, 2]);
});

test("pass leaves frames alone and is hit all the same", () => {
  const bench = linkBench();
  const trap = bench.link.trap(pass, nth(2), lcp.code("configure-ack"));
  for (const sequence of [1, 2]) bench.mobile.transmit(lcpAck(sequence));
  assert.deepEqual(sequences(bench), [1, 2]);
  assert.deepEqual(bench.device.got[1]?.frame, lcpAck(2));
  assert.equal(trap.hits.length, 1);
});

test("edit changes what arrives, with checksums that hold, and leaves the sender's frame as it was", () => {
  const bench = linkBench();
  bench.link.trap(
    edit((frame) => frame.writeUInt8(0x63, frame.length - 1)),
    every,
    pptp.message("set-link-info"),
  );
  const sent = tcpFrame(1, controlBytes(SET_LINK_INFO));
  const untouched = Buffer.from(sent);
  bench.mobile.transmit(sent);
  assert.deepEqual(sent, untouched);
  const arrived = bench.device.got[0]?.frame ?? Buffer.alloc(0);
  assert.equal(arrived.at(-1), 0x63);
  assert.notEqual(arrived.readUInt16BE(34 + 16), sent.readUInt16BE(34 + 16));
  const repaired = Buffer.from(arrived);
  repairChecksums(repaired);
  assert.deepEqual(repaired, arrived);
});

test("the checksums are those of RFC 1071", () => {
  const frame = tcpFrame(0x01020304, Buffer.from("odd"));
  const sum = (bytes: Buffer): number => {
    const even = Buffer.concat([bytes, Buffer.alloc(bytes.length % 2)]);
    let total = 0;
    for (let at = 0; at < even.length; at += 2) {
      total += even.readUInt16BE(at);
      if (total > 0xffff) total -= 0xffff;
    }
    return total;
  };
  const tcp = frame.subarray(34, 14 + frame.readUInt16BE(16));
  assert.equal(sum(frame.subarray(14, 34)), 0xffff);
  assert.equal(sum(Buffer.concat([frame.subarray(26, 34), Buffer.from([0, 6, 0, tcp.length]), tcp])), 0xffff);
});

test("a dropped control message is found again when TCP sends it again", () => {
  const bench = linkBench();
  const trap = bench.link.trap(drop, first(2), pptp.message("set-link-info"));
  bench.mobile.transmit(tcpFrame(99, Buffer.alloc(0), { syn: true }));
  const [echo, info] = [controlBytes(ECHO_REQUEST), controlBytes(SET_LINK_INFO)];
  bench.mobile.transmit(tcpFrame(100, echo));
  const segment = tcpFrame(100 + echo.length, info);
  for (let attempt = 0; attempt < 3; attempt++) bench.mobile.transmit(segment);
  assert.equal(trap.hits.length, 2);
  assert.equal(bench.device.got.length, 3); // SYN, echo, and the third attempt
});

test("control messages are found in whatever segments TCP cuts its stream, near the end of its numbers too", () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), fc.nat(0xffffffff), (sizes, start) => {
      const stream = controlBytes(ECHO_REQUEST, SET_LINK_INFO, ECHO_REQUEST);
      const ends = [16, 40, 56];
      const watch = new ControlWatch();
      watch.see(dissect(tcpFrame(start - 1, Buffer.alloc(0), { syn: true })).tcp);
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const piece = stream.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
        const found = watch.see(dissect(tcpFrame(start + at, piece)).tcp);
        assert.equal(found.length, ends.filter((end) => end > at && end <= at + piece.length).length);
        at += piece.length;
      }
      const everything = watch.see(dissect(tcpFrame(start, stream)).tcp);
      assert.deepEqual(
        everything.map(({ type }) => type),
        ["echo-request", "set-link-info", "echo-request"],
      );
    }),
  ));

test("a control connection that is joined late, or that speaks nonsense for a while, is understood afterwards", () => {
  const watch = new ControlWatch();
  const see = (sequence: number, payload: Buffer) => watch.see(dissect(tcpFrame(sequence, payload)).tcp);
  assert.equal(see(5_000, controlBytes(ECHO_REQUEST)).length, 1);
  assert.equal(see(5_016, Buffer.from("GET / HTTP/1.1\r\n")).length, 0);
  assert.equal(see(5_032, controlBytes(ECHO_REQUEST)).length, 1);
  assert.equal(see(5_050, controlBytes(ECHO_REQUEST)).length, 1, "after a gap of two bytes");
  see(5_066, controlBytes(SET_LINK_INFO).subarray(0, 20));
  const [behindGap] = see(5_090, controlBytes(ECHO_REQUEST));
  assert.equal(behindGap?.type, "echo-request", "a gap ends the message that had begun");
  const elsewhere = tcpFrame(1, controlBytes(ECHO_REQUEST), { port: 80 });
  assert.equal(watch.see(dissect(elsewhere).tcp).length, 0);
});

test("an old segment that is sent again does not disturb a message that has begun", () => {
  const watch = new ControlWatch();
  const see = (sequence: number, payload: Buffer) => watch.see(dissect(tcpFrame(sequence, payload)).tcp);
  const [echo, info] = [controlBytes(ECHO_REQUEST), controlBytes(SET_LINK_INFO)];
  see(1_000, echo);
  see(1_016, info.subarray(0, 10));
  assert.equal(see(1_000, echo).length, 1);
  assert.equal(see(1_026, info.subarray(10)).length, 1);
});

test("a new connection between the same ports starts with its own numbers", () => {
  const watch = new ControlWatch();
  watch.see(dissect(tcpFrame(5_000, controlBytes(ECHO_REQUEST))).tcp);
  watch.see(dissect(tcpFrame(99, Buffer.alloc(0), { syn: true })).tcp);
  assert.equal(watch.see(dissect(tcpFrame(100, controlBytes(ECHO_REQUEST))).tcp).length, 1);
});

test("dissecting is total: any bytes, any damage, any cut", () => {
  const whole = [lcpAck(1), tcpFrame(1, controlBytes(SET_LINK_INFO))];
  const damaged = fc
    .tuple(fc.constantFrom(...whole), fc.nat(80), fc.array(fc.tuple(fc.nat(79), fc.nat(255)), { maxLength: 6 }))
    .map(([frame, length, changes]) => {
      const bytes = Buffer.from(frame.subarray(0, length));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const any = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
  const watch = new ControlWatch();
  fc.assert(
    fc.property(fc.oneof(any, damaged), (bytes) => {
      watch.see(dissect(bytes).tcp);
      repairChecksums(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test("fragments, acknowledgments and padding are not taken for what they are not", () => {
  const ack = pppControlFrame(1, Protocol.lcp, CpCode.configureAck);
  const fragment = Buffer.from(ack);
  fragment.writeUInt16BE(0x2000, 20); // more fragments follow
  assert.equal(dissect(fragment).gre, undefined);
  const bare = Buffer.concat([
    ack.subarray(0, 34),
    emitGre({ callId: 7, sequence: undefined, ack: 1, payload: Buffer.alloc(0) }),
  ]);
  bare.writeUInt16BE(bare.length - 14, 16);
  const beyond = tcpFrame(1, Buffer.from("payload"));
  beyond.writeUInt8(15 << 4, 34 + 12); // a TCP header longer than the packet
  assert.equal(dissect(beyond).tcp, undefined);
  const { gre: packet, ppp: frame, cp } = dissect(bare);
  assert.deepEqual([packet?.ack, frame, cp], [1, undefined, undefined]);
});

test("a hit can be awaited before and after it happens", async () => {
  const { link, mobile, clock } = linkBench();
  const trap = link.trap(drop, every, lcp.code("configure-ack"));
  const first = trap.hit({ withinMs: 1_000 });
  const second = trap.hit({ withinMs: 1_000, times: 2 });
  mobile.transmit(pppControlFrame(9, Protocol.ccp, CpCode.configureAck));
  clock.advance(100);
  mobile.transmit(lcpAck(1));
  assert.deepEqual(await first, { atNs: 1_100_000_000n, frame: 2, count: 1 });
  mobile.transmit(lcpAck(2));
  assert.equal((await second).count, 2);
  assert.equal((await trap.hit({ withinMs: 0 })).count, 1);
});

test("a trap that is not hit in time says what it waited for and what it saw instead", async () => {
  const { link, mobile, clock } = linkBench();
  const trap = link.trap(drop, nth(3), gre.sequence(20), from("mobile"));
  mobile.transmit(lcpAck(20));
  const hit = trap.hit({ withinMs: 5_000 });
  clock.advance(5_000);
  await assert.rejects(hit, (error: unknown) => {
    assert.ok(error instanceof TrapError);
    assert.equal(
      error.message,
      'the trap "drop number 3 of GRE sequence 20, from mobile" was not hit in 5.0 s; frames that matched its queries: 1',
    );
    return true;
  });
});

test("a removed trap lets every frame pass", () => {
  const bench = linkBench();
  const trap = bench.link.trap(drop, every, gre.sequence(1));
  trap.remove();
  bench.mobile.transmit(lcpAck(1));
  assert.deepEqual([sequences(bench), trap.hits.length], [[1], 0]);
});

test("heal takes traps away, and tells those who wait for them", async () => {
  const bench = linkBench();
  const trap = bench.link.trap(drop, every, gre.sequence(1));
  bench.link.impair({ loss: 1 });
  bench.link.cut();
  const hit = trap.hit({ withinMs: 5_000 });
  bench.link.heal();
  await assert.rejects(hit, /was not hit before it was taken away; frames that matched its queries: 0/);
  await assert.rejects(trap.hit({ withinMs: 5_000 }), /before it was taken away/);
  bench.mobile.transmit(lcpAck(1));
  assert.deepEqual(sequences(bench), [1]);
  assert.equal(trap.hits.length, 0);
});

test("a trap sees only what the traps before it let through", () => {
  const { link, mobile } = linkBench();
  link.trap(drop, nth(1), lcp.code("configure-ack"));
  const later = link.trap(duplicate, every, lcp.code("configure-ack"));
  for (const sequence of [1, 2]) mobile.transmit(lcpAck(sequence));
  assert.deepEqual(
    later.hits.map(({ count, frame }) => [count, frame]),
    [[1, 2]],
  );
});

const node: NodeDefinition<unknown, "wan"> = {
  role: "peer",
  what: "a node",
  nics: ["wan"],
  prepare: () => Promise.reject(new Error("unused")),
};

test("codes and senders are known by name to the compiler, and the link knows its nodes", () => {
  const lab = defineLab({ nodes: { mobile: node, device: node }, links: { internet: ["mobile.wan", "device.wan"] } });
  const usesNames = ({ link }: LabOf<typeof lab>): void => {
    link.internet.trap(drop, every, ccp.code("reset-request"), from("mobile"));
    // @ts-expect-error there is no such code
    ccp.code("reset");
    // @ts-expect-error nobody is called `moblie`
    link.internet.trap(drop, every, from("moblie"));
    // @ts-expect-error a trap for everything is a cut
    link.internet.trap(drop, every);
  };
  assert.equal(usesNames.length, 1);
  assert.throws(
    () => linkBench().link.trap(drop, every, from("office") as Query<string> as Query<"mobile">),
    /office is not on link internet/,
  );
});
