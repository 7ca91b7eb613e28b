import assert from "node:assert/strict";
import { test } from "node:test";
import { WIDTH } from "../../appliance/cli/output.ts";
import { greetingLines, outcomeLines, updateLines } from "../../appliance/cli/update-output.ts";
import type { UpdateView } from "../../appliance/service/updates.ts";

const VIEW: UpdateView = {
  running: { name: "b", version: "0.2.0", commit: "abc", signedBy: "development" },
  spare: { name: "a", version: "0.1.0", commit: "def", signedBy: "release" },
  situation: "normal",
  waiting: false,
  lastReason: "",
  rollbackIndex: 3,
  trial: undefined,
  progress: undefined,
};

function lines(change: Partial<UpdateView>): readonly string[] {
  const shown = updateLines({ ...VIEW, ...change }, false);
  for (const line of shown) assert.ok(line.length < WIDTH, line);
  return shown;
}

test("both slots, in their order", () => {
  assert.deepEqual(lines({}), [
    "Slot  State            Version  Signed",
    "a     spare            0.1.0    with a release key",
    "b     runs, committed  0.2.0    with a development key",
    "Firmware below rollback index 3 is refused.",
  ]);
  const empty = { ...VIEW.spare, version: undefined, signedBy: "unknown" } as const;
  assert.match(lines({ spare: empty })[1] ?? "", /^a +spare +empty +-$/);
  assert.match(lines({ waiting: true })[1] ?? "", /^a +at the next start/);
});

test("a trial says how long and what is missing; an update that comes in says how far", () => {
  const trial = { secondsLeft: 75, complaints: ["the PPTP service does not answer on port 1723"] };
  const shown = lines({ situation: "trial", trial }).join("\n");
  assert.match(shown, /runs, on trial/);
  assert.match(shown, /in 75 s slot a is started again\. So\s+far: the PPTP service does not answer on port 1723\./);
  const progress = { step: "writing", bytes: 10, ofBytes: 30 } as const;
  assert.equal(lines({ progress }).at(-1), "An update is coming in: writing, 33 %.");
});

test("why the last update was taken back, and that the active slot did not start", () => {
  assert.match(
    lines({ lastReason: "slot a was started 3 times" }).at(-1) ?? "",
    /taken back: slot a was started 3 times\.$/,
  );
  assert.match(lines({ situation: "fallen-back" }).join("\n"), /Slot a is the active one and did not start/);
  assert.deepEqual(updateLines(undefined, false), ["This system was not started out of a slot: it takes no updates."]);
});

test("what was done, or why not and what to do", () => {
  assert.deepEqual(outcomeLines({ ok: true, said: "Done." }), ["Done."]);
  assert.deepEqual(outcomeLines({ ok: false, problem: "no", hint: "do this" }), ["% no", "  do this"]);
});

test("who is quicker than the medium reads so", () => {
  const reading = ["The slots are still being read: `update` shows them."];
  assert.deepEqual(greetingLines(undefined, true), reading);
  assert.deepEqual(updateLines(undefined, true), reading);
});

test("who logs in reads which slot runs, and what is not as it was", () => {
  assert.deepEqual(greetingLines(undefined, false), []);
  assert.deepEqual(greetingLines(VIEW, false), [
    "Slot b runs version 0.2.0.",
    "It is signed with a development key: whoever has that key can replace it.",
  ]);
  const released = { ...VIEW.running, signedBy: "release" } as const;
  const shown = greetingLines({ ...VIEW, running: released, waiting: true, lastReason: "slot b was ill" }, false);
  assert.deepEqual(shown, [
    "Slot b runs version 0.2.0; version 0.1.0 in slot a is tried at the next start.",
    "The last update was taken back: slot b was ill.",
  ]);
});
