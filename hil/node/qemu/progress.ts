/**
 * Whether a guest's processor gets anywhere, seen from QEMU's monitor. A silent console proves nothing under emulation; a
 * processor whose registers never change does.
 */
import type { LabClock } from "../../clock.ts";
import { Fault } from "../../fault.ts";

/** The processor as the monitor shows it. */
export interface ProcessorState {
  /** Every register as text: equal texts, nothing has run. */
  readonly registers: string;
  readonly takesInterrupts: boolean;
}

/** Where a processor's flags are in QEMU's words, and whether it takes interrupts with them. */
const FLAGS: readonly (readonly [pattern: RegExp, takesInterrupts: (flags: number) => boolean])[] = [
  [/\b[ER]FL=([0-9a-f]+)/i, (flags) => (flags & 0x200) !== 0], // x86: IF
  [/\bPSTATE=([0-9a-f]+)/i, (flags) => (flags & 0x80) === 0], // arm64: I masks them
  [/\bCP0 Status +0x([0-9a-f]+)/i, (flags) => (flags & 7) === 1], // MIPS: IE without EXL and ERL
];

/** Reads QEMU's `info registers` of an x86, arm64 or MIPS processor. */
export function parseRegisters(text: string): ProcessorState {
  for (const [pattern, takesInterrupts] of FLAGS) {
    const flags = pattern.exec(text)?.[1];
    if (flags !== undefined) return { registers: text, takesInterrupts: takesInterrupts(Number.parseInt(flags, 16)) };
  }
  // Without flags nothing can be said, and nothing is.
  return { registers: text, takesInterrupts: true };
}

export interface Watched {
  readonly name: string;
  /** Whether its console has said anything since it was started. */
  readonly hasSpoken: boolean;
  processor(): Promise<ProcessorState>;
}

/** A guest that has not executed anything between five looks never will. */
const LOOKS = 5;
const LOOK_EVERY_MS = 5_000;

/** QEMU says that the guest runs, and it does not: a matter of this computer. */
export class NeverRan extends Fault {
  constructor(node: string) {
    const what = "the guest never ran: no byte on its console, and its processor does not move";
    super("host", `${node}: ${what}`, { node });
    this.name = "NeverRan";
  }
}

/**
 * Returns once the guest, just let go, is seen to run, or when `signal` is aborted. Throws `NeverRan` when it does not in
 * 20 s: QEMU says `running` for such a guest, so nobody else notices before the time limit of the boot.
 */
export async function untilItRuns(machine: Watched, clock: LabClock, signal: AbortSignal): Promise<void> {
  let before: string | undefined;
  for (let look = 1; look <= LOOKS; look++) {
    if (machine.hasSpoken || signal.aborted) return;
    const { registers } = await machine.processor();
    if (before !== undefined && registers !== before) return;
    before = registers;
    if (look < LOOKS) await pause(LOOK_EVERY_MS, clock, signal);
  }
  if (machine.hasSpoken || signal.aborted) return;
  throw new NeverRan(machine.name);
}

function pause(ms: number, clock: LabClock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener(
      "abort",
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
