/** What the server says of its callers, as effects: the known in full, strangers no faster than `StrangerLog` lets them. */
import type { Millis } from "../ports.ts";
import { diagnose, isOrderly, type SessionFailure } from "./diagnosis.ts";
import type { Effect } from "./effect.ts";
import type { Stage } from "./status.ts";
import { StrangerLog } from "./stranger-log.ts";
import { windowsErrorText } from "./windows-error.ts";

type Level = "debug" | "info" | "warning";

export class ServerLog {
  readonly #strangers = new StrangerLog();
  readonly #put: (effect: Effect) => void;

  constructor(put: (effect: Effect) => void) {
    this.#put = put;
  }

  write(level: Level, text: string): void {
    this.#put({ type: "log", level, text });
  }

  /** A line that a caller without an account can cause. */
  stranger(level: Level, text: string, now: Millis): void {
    const { admitted, suppressed } = this.#strangers.admit(now);
    if (suppressed > 0) this.write("info", `${suppressed} more lines about callers without an account were left out`);
    if (admitted) this.write(level, text);
  }

  /** Why a session or a connection ended. `known`: this one had proved who he is. */
  report(who: string, failure: SessionFailure, stage: Stage, known: boolean, now: Millis): void {
    const log = (level: "info" | "warning", text: string): void =>
      known ? this.write(level, text) : this.stranger(level, text, now);
    const { what, windowsError, advice } = diagnose(failure, stage, "server");
    if (isOrderly(failure, stage)) {
      log("info", `${who}: ${what}`);
      return;
    }
    const code = windowsError === undefined ? "" : `; Windows shows ${windowsErrorText(windowsError)}`;
    const hint = advice === "" ? "" : `; ${advice}`;
    log("warning", `${who}: failed after stage ${stage}: ${what}${code}${hint}`);
  }
}
