import assert from "node:assert/strict";
import { test } from "node:test";
import { CallIds, LocalCallId } from "../../appliance/pptp/call-id.ts";
import { SeededRandom } from "../support/seeded-random.ts";

test("ids are distinct, and never 0", () => {
  const ids = new CallIds(new SeededRandom(1));
  const seen = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    const id = ids.allocate();
    assert.ok(id !== undefined && id > 0 && id <= 0xffff);
    assert.ok(!seen.has(id));
    seen.add(id);
  }
});
test("ids come from the random source, not in order", () => {
  const ids = new CallIds(new SeededRandom(2));
  const first = ids.allocate() ?? 0;
  const second = ids.allocate() ?? 0;
  assert.ok(Math.abs(first - second) > 1);
  assert.equal(new CallIds(new SeededRandom(2)).allocate(), first);
});
test("all taken: none is given; one is given again only after it has rested", () => {
  const ids = new CallIds(new SeededRandom(3));
  for (let i = 0; i < 0xffff; i++) assert.notEqual(ids.allocate(), undefined);
  assert.equal(ids.allocate(), undefined);
  for (let id = 1; id <= 1024; id++) ids.release(LocalCallId(id));
  assert.equal(ids.allocate(), undefined, "a released id rests");
  ids.release(LocalCallId(2000));
  assert.equal(ids.allocate(), 1, "the one that rested longest comes first");
});
test("an id released twice is still only one id", () => {
  const ids = new CallIds(new SeededRandom(4));
  for (let i = 0; i < 0xffff; i++) ids.allocate();
  ids.release(LocalCallId(7));
  ids.release(LocalCallId(7));
  for (let id = 1000; id < 1000 + 1023; id++) ids.release(LocalCallId(id));
  assert.equal(ids.allocate(), undefined);
  ids.release(LocalCallId(3000));
  assert.equal(ids.allocate(), 7);
  ids.release(LocalCallId(3001));
  assert.notEqual(ids.allocate(), 7, "7 is in use");
});
