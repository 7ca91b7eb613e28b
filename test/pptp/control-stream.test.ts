import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ControlStream, type StreamOutput } from "../../appliance/pptp/control-stream.ts";
import { parseControlMessage } from "../../appliance/wire/control-message.ts";
import { octets } from "../support/arbitrary.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { hex } from "../support/hex.ts";
import { mutate } from "../support/mutation.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const MESSAGES = Object.values(WINDOWS_CONTROL);

/** What comes out of a stream that is fed `bytes` cut at `cuts`. */
function feed(bytes: Buffer, cuts: readonly number[]): StreamOutput[] {
  const stream = new ControlStream();
  const outputs: StreamOutput[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut < from || cut > bytes.length) continue;
    outputs.push(...stream.receive(Buffer.from(bytes.subarray(from, cut))));
    from = cut;
  }
  return outputs;
}
/** A length that cannot be is seen before a wrong cookie when only two bytes have come. */
function withoutReason(outputs: readonly StreamOutput[]): unknown[] {
  return outputs.map((output) => (output.type === "message" ? output : output.type));
}
const cuts = fc.array(fc.nat(1200), { maxLength: 40 });

test("any chunking gives the same messages", () =>
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...MESSAGES), { maxLength: 6 }), cuts, (messages, at) => {
      const want = messages.map((bytes) => {
        const parsed = parseControlMessage(bytes);
        assert.ok(parsed.ok);
        return { type: "message", message: parsed.value };
      });
      assert.deepEqual(feed(Buffer.concat(messages), at), want);
    }),
  ));
test("any chunking gives the same outputs for damaged bytes too", () =>
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...MESSAGES), { maxLength: 6 }), fc.integer(), cuts, (messages, seed, at) => {
      const bytes = mutate(new SeededRandom(seed), Buffer.concat(messages));
      assert.deepEqual(withoutReason(feed(bytes, at)), withoutReason(feed(bytes, [])));
    }),
  ));
test("one byte at a time", () => {
  const bytes = Buffer.concat(MESSAGES);
  const outputs = feed(bytes, [...bytes.keys()]);
  assert.equal(outputs.length, MESSAGES.length);
  assert.deepEqual(outputs, feed(bytes, []));
});
test("never throws, and says at most one last thing", () =>
  fc.assert(
    fc.property(octets(400), cuts, (bytes, at) => {
      const outputs = feed(bytes, at);
      assert.ok(outputs.slice(0, -1).every(({ type }) => type !== "lost-synchronization"));
    }),
  ));

for (const [what, wire, fault] of [
  ["a wrong magic cookie", "0010 0001 1a2b3c4e", "bad-magic"],
  ["a length below the header", "000b 0001 1a2b3c4d", "bad-length"],
  ["length 0", "0000 0001 1a2b3c4d", "bad-length"],
  ["a length above every message", "00dd 0001 1a2b3c4d", "bad-length"],
  ["length 65535", "ffff 0001 1a2b3c4d", "bad-length"],
] as const)
  test(`${what} ends the stream for good`, () => {
    const stream = new ControlStream();
    const bytes = Buffer.concat([WINDOWS_CONTROL.linkInfo, hex(wire), WINDOWS_CONTROL.linkInfo]);
    const outputs = [...stream.receive(bytes)];
    assert.deepEqual(
      outputs.map(({ type }) => type),
      ["message", "lost-synchronization"],
    );
    assert.deepEqual(outputs[1], { type: "lost-synchronization", fault });
    assert.deepEqual([...stream.receive(WINDOWS_CONTROL.linkInfo)], []);
  });

test("an unknown message is skipped, and the next one read", () => {
  const unknown = hex("0010 0001 1a2b3c4d 0063 0000 00000000");
  const outputs = feed(Buffer.concat([unknown, WINDOWS_CONTROL.stopRequest]), []);
  assert.deepEqual(outputs[0], { type: "skipped", fault: "bad-value" });
  assert.equal(outputs[1]?.type, "message");
});
test("a consumer that leaves after one message finds the next one later", () => {
  const stream = new ControlStream();
  const seen: string[] = [];
  const take = (bytes: Buffer) => {
    for (const output of stream.receive(bytes)) {
      seen.push(output.type === "message" ? output.message.type : output.type);
      break;
    }
  };
  take(Buffer.concat([WINDOWS_CONTROL.linkInfo, WINDOWS_CONTROL.callClear, WINDOWS_CONTROL.stopRequest]));
  take(Buffer.alloc(0));
  take(Buffer.alloc(0));
  take(Buffer.alloc(0));
  assert.deepEqual(seen, ["set-link-info", "call-clear-request", "stop-control-connection-request"]);
});
test("a consumer that stops the stream sees nothing more, in this chunk or another", () => {
  const stream = new ControlStream();
  let seen = 0;
  for (const _output of stream.receive(Buffer.concat(MESSAGES))) {
    seen++;
    stream.stop();
  }
  assert.equal(seen, 1);
  assert.deepEqual([...stream.receive(WINDOWS_CONTROL.linkInfo)], []);
});
test("what it keeps of a chunk is its own: the caller may reuse the buffer", () => {
  const stream = new ControlStream();
  const chunk = Buffer.concat([WINDOWS_CONTROL.callClear, WINDOWS_CONTROL.stopRequest.subarray(0, 9)]);
  assert.equal([...stream.receive(chunk)].length, 1);
  chunk.fill(0);
  const [output] = stream.receive(WINDOWS_CONTROL.stopRequest.subarray(9));
  assert.equal(output?.type, "message");
});
test("a chunk of many small messages costs no more per message than a few", () => {
  // A copy of the rest per message would move 130 MB here; a pre-authentication peer must not make us do that.
  const chunk = Buffer.concat(Array.from({ length: 4096 }, () => WINDOWS_CONTROL.stopRequest));
  const stream = new ControlStream();
  const before = process.memoryUsage().external + process.memoryUsage().arrayBuffers;
  let messages = 0;
  for (const output of stream.receive(chunk)) if (output.type === "message") messages++;
  const grown = process.memoryUsage().external + process.memoryUsage().arrayBuffers - before;
  assert.equal(messages, 4096);
  assert.ok(grown < 8 * chunk.length, `held ${grown} bytes for a chunk of ${chunk.length}`);
});
