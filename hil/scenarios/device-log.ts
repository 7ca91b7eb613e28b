/** What the device's `show log` says of a call that failed: last completed stage, the code Windows shows, what to check. */
import type { LabClock } from "../clock.ts";
import type { DeviceConsole } from "../node/device-console.ts";
import { check } from "../scenario.ts";

/** A line of the log about a failed call. */
export interface FailureLine {
  readonly stage: string;
  /** What Windows shows; undefined when the device names none. */
  readonly code: number | undefined;
  /** What Windows XP shows instead. */
  readonly codeBefore: number | undefined;
  /** The line from `failed after stage` on. */
  readonly text: string;
}

const LOOK_AGAIN_MS = 1000;
const FAILED = /failed after stage ([\w-]+): (.*)$/;
const CODE = /(?:Windows shows|a Windows client would show) error (\d+)(?: \(XP: (\d+)\))?/;

/** The failures in the log, oldest first. */
export function parseFailures(log: string): FailureLine[] {
  return log.split("\n").flatMap((line) => {
    const [text, stage] = FAILED.exec(line.trimEnd()) ?? [];
    if (text === undefined || stage === undefined) return [];
    const [, code, before] = CODE.exec(text) ?? [];
    return [
      {
        stage,
        code: code === undefined ? undefined : Number(code),
        codeBefore: before === undefined ? undefined : Number(before),
        text,
      },
    ];
  });
}

export interface ExpectedFailure {
  readonly stage: string;
  readonly code: number;
  /** What the line says of the cause, and what to check. */
  readonly says: RegExp;
}

/** Looks until the log has such a line; fails with what the log says instead. */
export async function awaitFailure(
  console: DeviceConsole,
  clock: LabClock,
  { stage, code, says }: ExpectedFailure,
  withinMs: number,
): Promise<FailureLine> {
  const endNs = clock.nowNs() + BigInt(withinMs) * 1_000_000n;
  for (;;) {
    const log = await console.run("show log 20");
    const found = parseFailures(log).find((line) => line.stage === stage && line.code === code && says.test(line.text));
    if (found !== undefined) return found;
    check(clock.nowNs() < endNs, `no line of the log has stage ${stage}, code ${code} and ${says}:\n${log}`);
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}
