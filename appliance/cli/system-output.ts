/** `show system` and `show crash` as lines of text. */
import type { CrashReport } from "../service/crash-reports.ts";
import type { SystemView } from "../service/supervision.ts";
import { bytes, duration, wrap } from "./output.ts";

const LABEL_WIDTH = 10;

export function systemLines(name: string, view: SystemView): readonly string[] {
  const { machineUpMs, appUpMs, restarts, lastEnd, lastBoot, watchdog, memory, reports } = view;
  const fact = (label: string, text: string): readonly string[] => {
    const [first = "", ...more] = wrap(text, "".padEnd(LABEL_WIDTH));
    return [label.padEnd(LABEL_WIDTH) + first.trimStart(), ...more];
  };
  const again = restarts === 0 ? "" : `, started again ${restarts === 1 ? "once" : `${restarts} times`}`;
  const before = lastEnd === undefined ? "" : `; before, it ${lastEnd}`;
  const stop = lastBoot === undefined ? "" : `; before, it ${lastBoot}`;
  const [newest] = reports;
  return [
    ...fact("name", name),
    ...fact("machine", `up ${duration(machineUpMs)}${stop}`),
    ...fact("app", `up ${duration(appUpMs)}${again}${before}`),
    ...fact("watchdog", watchdog === undefined ? "none" : `${watchdog.name}, resets after ${watchdog.timeoutS} s`),
    ...fact("memory", `${bytes(memory.availableBytes)} of ${bytes(memory.totalBytes)} to be had`),
    ...(newest === undefined ? [] : fact("crashes", `${reports.length} kept, the newest: ${newest.lines[0] ?? ""}`)),
  ];
}

/** `back`: 0 is the newest. */
export function crashLines(reports: readonly CrashReport[], back: number): readonly string[] {
  const report = reports[back];
  if (report !== undefined) return report.lines;
  return [reports.length === 0 ? "The app never ended because of an error of its own." : "No report is that old."];
}
