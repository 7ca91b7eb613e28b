/** Slots and updates as lines of text. */
import type { Outcome, SlotView, UpdateView } from "../service/updates.ts";
import { table, wrap } from "./output.ts";

const READING = "The slots are still being read: `update` shows them.";

/** Of the slot that runs, where it is not simply the committed one; `culvert flash` reads these words. */
const STATE: Partial<Record<UpdateView["situation"], string>> = {
  trial: "on trial",
  "fallen-back": "in place of the other",
  leaving: "taken back",
};

/** Both slots, and below them what is going on and what became of the last update. */
export function updateLines(view: UpdateView | undefined, isReading: boolean): readonly string[] {
  if (isReading) return [READING];
  if (view === undefined) return ["This system was not started out of a slot: it takes no updates."];
  const { running, spare, situation, rollbackIndex } = view;
  const state = STATE[situation] ?? "committed";
  const rows = [
    [running.name, `runs, ${state}`, running.version ?? "unknown", signatureText(running)],
    [spare.name, view.waiting ? "at the next start" : "spare", spare.version ?? "empty", signatureText(spare)],
  ].sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  return [
    ...table(["Slot", "State", "Version", "Signed"], rows),
    `Firmware below rollback index ${rollbackIndex} is refused.`,
    ...trialLines(view),
    ...progressLines(view),
    ...takenBackLines(view),
  ];
}

/** What somebody who logs in should know; nothing on a system without slots. */
export function greetingLines(view: UpdateView | undefined, isReading: boolean): readonly string[] {
  if (isReading) return [READING];
  if (view === undefined) return [];
  const { running, spare, waiting } = view;
  const next = waiting
    ? `; version ${spare.version ?? "unknown"} in slot ${spare.name} is tried at the next start`
    : "";
  return [
    ...wrap(`Slot ${running.name} runs version ${running.version ?? "unknown"}${next}.`, ""),
    ...(running.signedBy === "development"
      ? ["It is signed with a development key: whoever has that key can replace it."]
      : []),
    ...trialLines(view),
    ...takenBackLines(view),
  ];
}

export function signatureText({ version, signedBy }: SlotView): string {
  if (version === undefined) return "-";
  switch (signedBy) {
    case "release":
      return "with a release key";
    case "development":
      return "with a development key";
    case "unknown":
      return "by nobody this firmware trusts";
  }
}

/** Why the last update is not what runs; nothing when it does. */
export function takenBackLines({ lastReason, situation, running, spare }: UpdateView): readonly string[] {
  const fallen =
    situation === "fallen-back"
      ? wrap(`Slot ${spare.name} is the active one and did not start: slot ${running.name} runs in its place.`, "")
      : [];
  return lastReason === "" ? fallen : [...fallen, ...wrap(`The last update was taken back: ${lastReason}.`, "")];
}

export function outcomeLines(outcome: Outcome): readonly string[] {
  return outcome.ok ? [outcome.said] : [...wrap(`% ${outcome.problem}`, ""), ...wrap(outcome.hint, "  ")];
}

function trialLines({ trial, running, spare }: UpdateView): readonly string[] {
  if (trial === undefined) return [];
  const { secondsLeft, complaints } = trial;
  const missing = complaints.length === 0 ? "not checked yet" : complaints.join("; ");
  return wrap(
    `Slot ${running.name} commits itself once it is healthy; in ${secondsLeft} s slot ${spare.name} is started again. So far: ${missing}.`,
    "",
  );
}

function progressLines({ progress }: UpdateView): readonly string[] {
  if (progress === undefined) return [];
  const { step, bytes, ofBytes } = progress;
  return [`An update is coming in: ${step}, ${Math.floor((bytes / ofBytes) * 100)} %.`];
}
