/** `culvert lab leases`, `release`, `schema`, `serve`, `record`: the verbs that are about benches. Each returns its exit status. */
import process from "node:process";
import { systemClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import { openPower } from "../power/open.ts";
import { UsageError } from "../usage-error.ts";
import { heldBy, Lease, listLeases, machineClock, releaseLease } from "./lease.ts";
import { benchNames } from "./load.ts";
import { allowed } from "./nearest.ts";
import type { Person } from "./person.ts";
import { openConsole } from "./reach.ts";
import { benchJsonSchema } from "./schema.ts";
import { serveBench } from "./serve.ts";

/** Runs one of these verbs; undefined when `verb` is none of them. */
export async function runBenchCommand(verb: string | undefined, argv: readonly string[]): Promise<number | undefined> {
  switch (verb) {
    case "leases":
      takesNothing(verb, argv);
      return leases();
    case "release":
      return await release(argv);
    case "schema":
      takesNothing(verb, argv);
      console.log(JSON.stringify(benchJsonSchema(), null, 2));
      return 0;
    case "record": {
      const { record } = await import("./record-command.ts");
      return await record(argv);
    }
    case "serve":
      takesNothing(verb, argv);
      return await serve();
    default:
      return undefined;
  }
}

function takesNothing(verb: string, argv: readonly string[]): void {
  if (argv[0] !== undefined) throw new UsageError(`lab ${verb}: '${argv[0]}' is too much; it takes nothing`);
}

function leases(): number {
  const all = listLeases({ clock: machineClock() });
  if (all.length === 0) console.log("no bench is in use");
  for (const status of all) {
    const { bench } = status.holder;
    console.log(status.state === "held" ? heldBy(status) : `bench ${bench} is free: ${status.because}`);
  }
  return 0;
}

async function release(argv: readonly string[]): Promise<number> {
  const [bench, extra] = argv;
  if (bench === undefined || bench.startsWith("-") || extra !== undefined) {
    throw new UsageError("lab release: it takes the name of one bench; `culvert lab leases` lists those in use");
  }
  const taken = await releaseLease(bench, { clock: machineClock() });
  if (taken === undefined) {
    const known = [...listLeases({ clock: machineClock() }).map((status) => status.holder.bench), ...benchNames()];
    const hint = known.includes(bench) ? "" : `; ${allowed(bench, [...new Set(known)])}`;
    throw new UsageError(`lab release: bench '${bench}' is not in use${hint}`);
  }
  const { user, why } = taken.holder;
  console.log(`bench ${bench} is free; ${user} had it for: ${why}`);
  return 0;
}

/** Standard output belongs to the protocol: nothing else may be printed. */
async function serve(): Promise<number> {
  if (process.stdin.isTTY)
    throw new UsageError("lab serve: ssh starts this on the computer that has a board; it is of no use by hand");
  const clock = systemClock();
  await serveBench(process.stdin, process.stdout, {
    clock,
    takeLease: (bench, why) => Lease.take(bench, why, { clock: machineClock() }),
    openLine: (bench) => openConsole(bench, clock),
    openPower: (bench) =>
      // The person is at the other end, and so is that switch.
      bench.power === undefined || "manual" in bench.power
        ? undefined
        : openPower(bench.power, { node: bench.name, clock, journal: { append: () => {} }, person: NOBODY }),
  });
  return 0;
}

const NOBODY: Person = {
  tell: () => {},
  ask: () => Promise.reject(new Fault("bench", "nobody is at the terminal")),
};
