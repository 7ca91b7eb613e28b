import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelClock } from "../../appliance/linux/clock.ts";
import { kernelRandom } from "../../appliance/linux/random.ts";
import { loopTimers } from "../../appliance/linux/timers.ts";
import { hostAddon } from "../support/native.ts";

const LONGEST_TIMEOUT_MS = 0x7fffffff;

test("a timer runs once, after its delay by the kernel's clock", async () => {
  const started = kernelClock.now();
  let runs = 0;
  await new Promise<void>((resolve) => {
    loopTimers.after(20, () => {
      runs++;
      resolve();
    });
  });
  // The loop's clock counts whole milliseconds.
  assert.ok(kernelClock.now() - started >= 19, `${kernelClock.now() - started} ms`);
  assert.equal(runs, 1);
});

test("a cancelled timer does not run, nor does one beyond setTimeout's range run at once", async () => {
  const early = (): void => assert.fail("ran too early");
  const cancelled = loopTimers.after(1, early);
  const far = loopTimers.after(LONGEST_TIMEOUT_MS * 3, early);
  cancelled.cancel();
  await new Promise<void>((resolve) => loopTimers.after(10, resolve));
  far.cancel();
});

test("a delay that has passed already runs at the next turn, not now", async () => {
  let ran = false;
  const done = new Promise<void>((resolve) => {
    loopTimers.after(-5, () => {
      ran = true;
      resolve();
    });
  });
  assert.equal(ran, false);
  await done;
});

test("random bytes have the length asked for, and differ", async () => {
  const random = kernelRandom(await hostAddon());
  assert.equal(random.bytes(16).length, 16);
  assert.notDeepEqual(random.bytes(16), random.bytes(16));
  // getrandom(2) gives at most 32 MB - 1 at once.
  assert.ok(
    random
      .bytes(33_554_432 + 16)
      .subarray(-16)
      .some((byte) => byte !== 0),
  );
});
