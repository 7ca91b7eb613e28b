import assert from "node:assert/strict";
import { test } from "node:test";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { lcp } from "../../hil/net/query.ts";
import { drop, nth } from "../../hil/net/trap.ts";
import { linkBench, numberedFrame, pppControlFrame } from "./link-bench.ts";

test("a link begins its journal with itself and, when it is declared so, with what is wrong with it", () => {
  const link = { kind: "link", link: "internet", ports: ["mobile.eth0", "device.wan"] };
  const [first, ...rest] = linkBench().events.bodies;
  assert.ok(first?.kind === "link");
  assert.deepEqual({ ...first, capture: "" }, { ...link, capture: "" });
  assert.match(first.capture, /^\d+\.pcapng$/);
  assert.deepEqual(rest, []);
  assert.deepEqual(linkBench({ loss: 0.25, delayMs: 10 }).events.of("line"), [
    { kind: "line", link: "internet", text: "impaired: loss 0.25, delayMs 10" },
  ]);
});

test("every frame is an event with what was done to it, and a trap's hit is one more, before its frame", () => {
  const { link, mobile, device, events } = linkBench();
  link.trap(drop, nth(2), lcp.code("configure-ack"));
  for (const sequence of [1, 2]) mobile.transmit(pppControlFrame(sequence, Protocol.lcp, CpCode.configureAck));
  device.transmit(numberedFrame(1));
  const rule = "drop number 2 of LCP configure-ack";
  assert.deepEqual(events.bodies.slice(1), [
    { kind: "frame", link: "internet", number: 1, side: 0, length: 60 },
    { kind: "trap", link: "internet", rule, frame: 2, count: 2 },
    { kind: "frame", link: "internet", number: 2, side: 0, length: 60, faults: [`trap: ${rule}`] },
    { kind: "frame", link: "internet", number: 3, side: 1, length: 64 },
  ]);
});

test("whatever changes the line is an event, one for each call", () => {
  const { link, events } = linkBench({ delayMs: 5 });
  link.impair({ loss: 1, seed: 7 }, "mobile");
  link.impair(undefined);
  link.cut();
  link.restore();
  link.heal();
  assert.deepEqual(
    events.of("line").map(({ text }) => text),
    [
      "impaired: delayMs 5",
      "impaired: loss 1, seed 7 for what mobile sends",
      "not impaired",
      "cut: every frame is lost",
      "restored: frames pass again",
      "healed: no traps, no cut, impaired: delayMs 5",
    ],
  );
});

test("a delayed frame that a full port refuses is in the capture already, so the journal says so when it happens", () => {
  const { clock, link, mobile, device, events, comments } = linkBench({ delayMs: 5 });
  device.full = true;
  mobile.transmit(numberedFrame(1));
  clock.advance(5);
  assert.equal(link.dropped, 1);
  assert.deepEqual(comments(), ["delayed by 5 ms"]);
  assert.deepEqual(events.bodies.at(-1), {
    kind: "line",
    link: "internet",
    text: "frame 1 dropped: device.wan is full",
  });
});
