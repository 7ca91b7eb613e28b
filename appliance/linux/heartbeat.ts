/** The app's signs of life: a number in a file that changes as long as the event loop turns. feed-watchdog reads it. */
import { writeFileSync } from "node:fs";
import type { Timers } from "../ports.ts";

const EVERY_MS = 5000;

/** The call returns at once; the file changes as long as the process lives and does its work. */
export function startHeartbeat(file: string, timers: Timers): void {
  let beats = 0;
  const beat = (): void => {
    // One system call; a reader that finds it empty in between sees another change.
    writeFileSync(file, String(++beats));
    timers.after(EVERY_MS, beat);
  };
  beat();
}
