/** After an update a device is asked until it has settled, however long that takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DeviceSlots, untilSettled } from "../../hil/flash/over-ssh.ts";
import { ManualClock } from "./fake-line.ts";

const BEFORE: DeviceSlots = { running: "a", state: "committed", version: "1.0", takenBack: undefined };
const MINUTE_MS = 60_000;
const slot = (name: string, state: string, version: string): string =>
  `${name}     runs, ${state}  ${version}      by us\n`;

/** The device's answer so many milliseconds after its restart; the clock goes on whenever somebody waits. */
async function settle(answerAt: (ms: number) => string | undefined) {
  const clock = new ManualClock();
  const began = clock.nowNs();
  const passedMs = (): number => Number(clock.nowNs() - began) / 1e6;
  const told: string[] = [];
  const committed = await untilSettled({
    before: BEFORE,
    ask: () => Promise.resolve(answerAt(passedMs())),
    tell: (line) => told.push(line),
    clock: {
      nowNs: () => clock.nowNs(),
      after: (delayMs, run) => {
        const cancel = clock.after(delayMs, run);
        clock.advance(delayMs);
        return cancel;
      },
    },
  });
  return { committed, told, passedMs: passedMs() };
}

test("the old slot still answers, the new one comes up on trial, and commits", async () => {
  const { committed, told } = await settle((ms) => {
    if (ms < 5_000) return slot("a", "committed", "1.0");
    if (ms < 40_000) return undefined;
    return slot("b", ms < 50_000 ? "on trial" : "committed", "2.0");
  });
  assert.equal(committed, true);
  assert.deepEqual(told, ["slot b runs version 2.0, on trial", "slot b runs version 2.0, committed"]);
});

test("what was taken back has not committed, though it answers until it has gone down", async () => {
  const reason = "The last update was taken back: no PPTP.\n";
  const { committed, told } = await settle((ms) => {
    if (ms < 60_000) return slot("b", "on trial", "2.0");
    return (ms < 80_000 ? slot("b", "taken back", "2.0") : slot("a", "committed", "1.0")) + reason;
  });
  assert.equal(committed, false);
  assert.equal(told.at(-1), "slot a runs version 1.0, committed: the update was taken back: no PPTP");
});

test("a firmware that hangs three times is waited for: the slot before it says why, and each minute is told", async () => {
  const backAt = 33 * MINUTE_MS;
  const { committed, told } = await settle((ms) =>
    ms < backAt ? undefined : `${slot("a", "committed", "1.0")}The last update was taken back: slot b hung.\n`,
  );
  assert.equal(committed, false);
  assert.equal(told.at(-1), "slot a runs version 1.0, committed: the update was taken back: slot b hung");
  const minutes = told.slice(0, -1);
  assert.ok(minutes.length >= 31 && minutes.length <= 33, `${minutes.length} lines in 33 minutes`);
  assert.match(minutes[0] ?? "", /^1 min after the restart: no answer: /);
});

test("a device that never answers, or whose slots stay unread, is given up after forty minutes", async () => {
  for (const answer of [undefined, "The slots are still being read: `update` shows them.\n"]) {
    const { committed, told, passedMs } = await settle(() => answer);
    assert.equal(committed, false);
    assert.equal(told.at(-1), "the device did not settle within 40 min; last: it did not answer");
    assert.ok(passedMs < 41 * MINUTE_MS);
  }
});
