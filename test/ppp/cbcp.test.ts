import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { Cbcp, type CbcpOutput } from "../../appliance/ppp/cbcp.ts";
import { hex } from "../support/hex.ts";
import { packet, packetOf } from "../support/link-end.ts";

const NONE = hex("0102");
/** Packets as `code identifier data`, other outputs by name. */
function words(outputs: readonly CbcpOutput[]): string[] {
  return outputs.map((output) => {
    if (output.type !== "send") return output.type;
    const { code, identifier, data } = packetOf(output.payload);
    return `${code} ${identifier} ${data.toString("hex")}`;
  });
}

test("the called side asks for no callback, the caller answers, the called side acknowledges", () => {
  const asks = new Cbcp("asks");
  const answers = new Cbcp("answers");
  assert.deepEqual(answers.start(Millis(0)), []);
  assert.deepEqual(words(asks.start(Millis(0))), ["1 1 0102"]);
  assert.deepEqual(words(answers.handle(packet(1, 1, NONE))), ["2 1 0102"]);
  assert.deepEqual(words(asks.handle(packet(2, 1, NONE))), ["3 1 0102", "agreed"]);
  assert.deepEqual(words(answers.handle(packet(3, 1, NONE))), ["agreed"]);
  assert.deepEqual([asks.deadline, answers.deadline], [undefined, undefined]);
});
test("no callback is picked from among others; where it is not offered there is no agreement", () => {
  const answers = new Cbcp("answers");
  answers.start(Millis(0));
  assert.deepEqual(words(answers.handle(packet(1, 7, hex("0204000a 0102")))), ["2 7 0102"]);
  assert.deepEqual(answers.handle(packet(1, 8, hex("0204000a"))), []);
  const asks = new Cbcp("asks");
  asks.start(Millis(0));
  assert.deepEqual(asks.handle(packet(2, 1, hex("0204000a"))), []);
  assert.deepEqual(asks.handle(packet(2, 1, hex(""))), []);
});
test("a Response with another identifier, or in the wrong direction, is ignored", () => {
  const asks = new Cbcp("asks");
  asks.start(Millis(0));
  assert.deepEqual(asks.handle(packet(2, 2, NONE)), []);
  assert.deepEqual(asks.handle(packet(1, 1, NONE)), []);
  assert.deepEqual(asks.handle(packet(3, 1, NONE)), []);
});
test("a Response repeated because the Acknowledgment was lost gets another, and agrees once", () => {
  const asks = new Cbcp("asks");
  asks.start(Millis(0));
  asks.handle(packet(2, 1, NONE));
  assert.deepEqual(words(asks.handle(packet(2, 1, NONE))), ["3 1 0102"]);
});
test("ten requests two seconds apart, each with a new identifier, then it has failed; the caller waits as long", () => {
  const asks = new Cbcp("asks");
  const sent = words(asks.start(Millis(0)));
  for (let now = 2000; now < 20_000; now += 2000) sent.push(...words(asks.tick(Millis(now))));
  assert.deepEqual(
    sent,
    Array.from({ length: 10 }, (_, i) => `1 ${i + 1} 0102`),
  );
  assert.deepEqual(words(asks.tick(Millis(20_000))), ["failed"]);
  const answers = new Cbcp("answers");
  answers.start(Millis(0));
  assert.deepEqual(answers.tick(Millis(19_999)), []);
  assert.deepEqual(words(answers.tick(Millis(20_000))), ["failed"]);
});
