/** `culvert doctor`: is this computer fit for labs? Says what is wrong, why it matters and what to do, and does it if told so. */
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import type { LabClock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import {
  checkAccelerator,
  checkDisk,
  checkLeases,
  checkOptional,
  checkPrograms,
  checkQemu,
  checkSerialPorts,
} from "./doctor/checks.ts";
import type { Finding } from "./doctor/finding.ts";
import { findLeftovers } from "./doctor/leftovers.ts";
import { UsageError } from "./usage-error.ts";

type Check = () => Finding[] | Promise<Finding[]>;

/** In the order in which they are told; they run side by side. */
const CHECKS: Readonly<Record<string, Check>> = {
  accelerator: checkAccelerator,
  QEMU: checkQemu,
  programs: checkPrograms,
  "optional packages": () => checkOptional(),
  "serial ports": () => checkSerialPorts(),
  leases: () => checkLeases(),
  leftovers: () => findLeftovers({ root: "/", temporary: tmpdir(), nowMs: Date.now() }),
  disk: () => checkDisk(tmpdir()),
};

/** A check that takes longer hangs; the others are told all the same. */
const LIMIT_MS = 1800;

/** Runs all checks. One that fails or hangs is a problem itself. */
export async function examine(checks: Readonly<Record<string, Check>>, clock: LabClock): Promise<Finding[]> {
  const found = await Promise.all(
    Object.entries(checks).map(async ([about, check]): Promise<Finding[]> => {
      let cancel = (): void => {};
      const late = new Promise<Finding[]>((resolve) => {
        const what = `this check took longer than ${LIMIT_MS / 1000} s and was left`;
        cancel = clock.after(LIMIT_MS, () =>
          resolve([{ state: "problem", about, what, why: "nothing is known about it" }]),
        );
      });
      try {
        return await Promise.race([Promise.resolve().then(check), late]);
      } catch (error) {
        const what = `this check failed: ${error instanceof Error ? error.message : String(error)}`;
        return [{ state: "problem", about, what, why: "nothing is known about it" }];
      } finally {
        cancel();
      }
    }),
  );
  return found.flat();
}

/** Does what can be done about the problems; a line for each. */
export async function repairAll(findings: readonly Finding[], tell: (line: string) => void): Promise<void> {
  for (const { state, what, repair } of findings) {
    if (state !== "problem" || repair === undefined) continue;
    if (repair.run === undefined) {
      tell(`yours to do: ${repair.command}`);
      continue;
    }
    try {
      await repair.run();
      tell(`done: ${repair.command}`);
    } catch (error) {
      tell(`failed: ${repair.command}: ${error instanceof Error ? error.message : String(error)} (${what})`);
    }
  }
}

/** The findings for people: problems last, where they are seen. */
export function renderFindings(findings: readonly Finding[]): string {
  const marks = { fine: "  ok      ", note: "  note    ", problem: "  PROBLEM " } as const;
  const lines = (["fine", "note", "problem"] as const).flatMap((state) =>
    findings
      .filter((finding) => finding.state === state)
      .flatMap(({ about, what, why, repair }) => [
        `${marks[state]}${about}: ${what}`,
        ...(why === undefined ? [] : [`            why it matters: ${why}`]),
        ...(repair === undefined ? [] : [`            to change it:   ${repair.command}`]),
      ]),
  );
  const count = findings.filter(({ state }) => state === "problem").length;
  const sum = count === 0 ? "this computer is fit for labs" : `${count} problem${count === 1 ? "" : "s"}`;
  return [...lines, sum].join("\n");
}

/** Exit status 0: fine; 1: there are problems, or still are after `--repair`. */
export async function runDoctor(argv: readonly string[]): Promise<number> {
  const { repair, json } = doctorOptions(argv);
  const clock = systemClock();
  let findings = await examine(CHECKS, clock);
  const isRepairable = (): boolean =>
    findings.some((finding) => finding.state === "problem" && finding.repair?.run !== undefined);
  // Twice: what a lost machine has in use is a leftover only once the machine is gone.
  for (let round = 0; repair && round < 2 && isRepairable(); round++) {
    await repairAll(findings, (line) => console.error(`doctor: ${line}`));
    findings = await examine(CHECKS, clock);
  }
  const isFine = findings.every(({ state }) => state !== "problem");
  console.log(json ? JSON.stringify({ fine: isFine, findings }, null, 2) : renderFindings(findings));
  return isFine ? 0 : 1;
}

function doctorOptions(argv: readonly string[]): { repair: boolean; json: boolean } {
  try {
    const options = { repair: { type: "boolean", default: false }, json: { type: "boolean", default: false } } as const;
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [what = ""] = (error instanceof Error ? error.message : String(error)).split(/[.\n]/);
    throw new UsageError(`doctor: ${what}; it takes --repair, --json`);
  }
}
