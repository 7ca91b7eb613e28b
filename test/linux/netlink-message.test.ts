import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitMessage, parseAttributes, parseMessages, readU16, u32 } from "../../appliance/linux/netlink-message.ts";

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((b) => Buffer.from(b));
const attributes = fc.uniqueArray(fc.record({ type: fc.integer({ min: 1, max: 0x3fff }), value: bytes(20) }), {
  maxLength: 6,
  selector: ({ type }) => type,
});

test("what emitMessage writes, the parsers read back, whatever lengths the attributes have", () =>
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.nat(0xffff),
      fc.nat(),
      bytes(20),
      attributes,
      (type, flags, sequence, fixed, all) => {
        const message = emitMessage(type, flags, sequence, fixed, all);
        assert.equal(message.length % 4, 0);
        const [one, ...more] = parseMessages(Buffer.concat([message, message]));
        assert.deepEqual({ ...one, body: undefined }, { type, flags, sequence, body: undefined });
        assert.deepEqual(one?.body.subarray(0, fixed.length), fixed);
        assert.deepEqual(
          [...parseAttributes(one?.body ?? Buffer.alloc(0), fixed.length)],
          all.map(({ type: kind, value }) => [kind, value]),
        );
        assert.equal(more.length, 1);
      },
    ),
  ));

test("numbers are in the machine's own order", () => {
  const here = new Uint16Array([0x1234]);
  assert.equal(readU16(Buffer.from(here.buffer), 0), 0x1234);
  assert.deepEqual(u32(0xfffffffe), Buffer.from(new Uint32Array([0xfffffffe]).buffer));
});

test("flags in the type of an attribute do not hide it", () => {
  const body = emitMessage(0, 0, 0, Buffer.alloc(0), [{ type: 0x8003, value: Buffer.from("x") }]).subarray(16);
  assert.deepEqual(parseAttributes(body, 0).get(3), Buffer.from("x"));
});

test("damaged messages end the list and never throw", () => {
  const good = emitMessage(16, 0, 1, Buffer.alloc(16), [{ type: 3, value: Buffer.from("eth0\0") }]);
  for (let length = 0; length < good.length; length++) assert.deepEqual(parseMessages(good.subarray(0, length)), []);
  fc.assert(
    fc.property(bytes(100), (any) => {
      for (const message of parseMessages(any)) parseAttributes(message.body, 8);
      parseAttributes(any, 12);
    }),
  );
});
