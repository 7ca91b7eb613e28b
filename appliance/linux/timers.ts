/** Timers of the event loop. */
import type { Timers } from "../ports.ts";

/** setTimeout fires at once beyond this: longer waits are cut into pieces. */
const LONGEST_MS = 0x7fffffff;

export const loopTimers: Timers = {
  after(delayMs, run) {
    let leftMs = Math.max(0, delayMs);
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const pieceMs = Math.min(leftMs, LONGEST_MS);
      leftMs -= pieceMs;
      timer = setTimeout(() => (leftMs > 0 ? arm() : run()), pieceMs);
    };
    arm();
    return { cancel: () => clearTimeout(timer) };
  },
};
