import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader, Writer } from "../../appliance/wire/cursor.ts";
import { hex } from "../support/hex.ts";

test("fields are read left to right, big-endian", () => {
  const r = new Reader(hex("01 0203 04050607 0809 0a"));
  assert.deepEqual([r.u8(), r.u16(), r.u32(), r.view(2), r.remaining], [1, 0x203, 0x4050607, hex("0809"), 1]);
  assert.deepEqual(r.rest(), hex("0a"));
  assert.deepEqual(r.result("all"), { ok: true, value: "all" });
});
test("past the end it reads zeros and stays short, even for what would still fit", () => {
  const r = new Reader(hex("0102"));
  assert.equal(r.u32(), 0);
  assert.equal(r.u8(), 0);
  assert.deepEqual(r.view(1), hex(""));
  assert.deepEqual(r.result("some"), { ok: false, fault: "short" });
});
test("a view is a loan of the same bytes", () => {
  const bytes = hex("0102");
  const view = new Reader(bytes).view(2);
  bytes[0] = 9;
  assert.deepEqual(view, hex("0902"));
});
test("the writer cuts values to their width and pads", () => {
  const w = new Writer(12).u8(0x1ff).u16(0x12345).u32(-1).fixed(hex("aabb"), 3).fixed(hex("ccddee"), 2);
  assert.deepEqual(w.bytes, hex("ff 2345 ffffffff aabb00 ccdd"));
});
