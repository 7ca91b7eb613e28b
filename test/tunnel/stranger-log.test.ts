import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { StrangerLog } from "../../appliance/tunnel/stranger-log.ts";

test("strangers get thirty lines a minute, and what was kept back is counted when the next minute begins", () => {
  const log = new StrangerLog();
  const first = Array.from({ length: 100 }, (_, n) => log.admit(Millis(n)));
  assert.equal(first.filter(({ admitted }) => admitted).length, 30);
  assert.ok(first.every(({ suppressed }) => suppressed === 0));
  assert.deepEqual(log.admit(Millis(59_999)), { admitted: false, suppressed: 0 });
  assert.deepEqual(log.admit(Millis(60_000)), { admitted: true, suppressed: 71 });
  assert.deepEqual(log.admit(Millis(60_001)), { admitted: true, suppressed: 0 });
});
