/** A real board's bench, ready to be used: leased, its console open, its power at hand; here, or on the computer that has it. */
import type { Duplex } from "node:stream";
import type { LabClock } from "../clock.ts";
import { openTransport } from "../console/transport/open.ts";
import type { Transport } from "../console/transport/transport.ts";
import { Fault } from "../fault.ts";
import type { EventSink } from "../journal/journal.ts";
import { openPower } from "../power/open.ts";
import type { Power } from "../power/power.ts";
import { Scope } from "../scope.ts";
import { Lease, machineClock } from "./lease.ts";
import type { Person } from "./person.ts";
import { RemoteBench } from "./remote.ts";
import type { Bench } from "./schema.ts";

export interface ReachedBench {
  readonly line: Duplex;
  /** undefined: this bench has no switch. */
  readonly power: Power | undefined;
  /** Aborted with a bench Fault when somebody takes the bench away, or the connection to it breaks. */
  readonly lost: AbortSignal;
  /** Leaves the power as it is, and gives the bench back. */
  close(): Promise<void>;
}

export interface ReachPlace {
  readonly node: string;
  /** What the bench is used for: shown to others who want it. */
  readonly why: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  readonly person: Person;
  readonly sshOptions?: readonly string[] | undefined;
}

/** Throws a bench Fault when the bench is in use, in quarantine, or something of it cannot be opened. */
export async function reachBench(bench: Bench, place: ReachPlace): Promise<ReachedBench> {
  if (bench.board !== undefined) throw new Fault("harness", `bench ${bench.name} is a machine in QEMU, not a board`);
  checkQuarantine(bench, new Date());
  const scope = new Scope();
  try {
    const { lost, line, power } =
      bench.host === undefined ? await here(bench, place, scope) : await there(bench, place, scope);
    return { line, power, lost, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

/** The console of a real board. */
export async function openConsole(bench: Bench, clock: LabClock): Promise<Transport> {
  const { console } = bench;
  if ("qemu" in console) throw new Fault("harness", `bench ${bench.name}: a machine's console comes with the machine`);
  return await openTransport(console, clock);
}

/** Throws a bench Fault until the last day of a quarantine is over. */
export function checkQuarantine(bench: Bench, today: Date): void {
  const { quarantine } = bench;
  if (quarantine === undefined || today.toISOString().slice(0, 10) > quarantine.until) return;
  throw new Fault("bench", `bench ${bench.name} is in quarantine until ${quarantine.until}: ${quarantine.reason}`);
}

async function here(bench: Bench, place: ReachPlace, scope: Scope): Promise<Omit<ReachedBench, "close">> {
  const lease = scope.own("lease", await Lease.take(bench.name, place.why, { clock: machineClock() }));
  const line = await openConsole(bench, place.clock);
  scope.defer("console", () => closed(line));
  const power = bench.power === undefined ? undefined : scope.own("power", openPower(bench.power, place));
  lease.lost.addEventListener("abort", () => void line.destroy(lease.lost.reason as Fault));
  return { line, lost: lease.lost, power };
}

async function there(bench: Bench, place: ReachPlace, scope: Scope): Promise<Omit<ReachedBench, "close">> {
  const remote = scope.own("connection", await RemoteBench.open(bench, place.why, place));
  const { power: supply } = bench;
  // The person who switches is the one at this terminal.
  const isManual = supply !== undefined && "manual" in supply;
  const power = isManual ? scope.own("power", openPower(supply, place)) : remote.power;
  return { line: remote.line, lost: remote.lost, power: supply === undefined ? undefined : power };
}

/** Others can open a serial port only after its close is done. */
async function closed(line: Duplex): Promise<void> {
  if (line.closed) return;
  await new Promise<void>((resolve) => {
    line.once("close", resolve);
    line.destroy();
  });
}
