/** Runs a suite whose nodes live in this process: nothing is printed, and no time passes but what the suite takes. */
import type { RunReport } from "../../hil/report/run-report.ts";
import { runSuite } from "../../hil/run/lab-run.ts";
import type { Suite } from "../../hil/scenario.ts";
import { ManualClock } from "./fake-line.ts";

export function runHere(suite: Suite, runFolder: string, signal = new AbortController().signal): Promise<RunReport> {
  const clock = new ManualClock();
  const scope = { suite, scenarios: undefined, cold: false, retries: 1, runFolder };
  return runSuite({ ...scope, clock, progress: () => {}, signal, command: ["lab", "run"] });
}
