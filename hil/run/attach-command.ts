/** `culvert lab attach RUN/SCENARIO [--node NODE]`: the lab as that scenario found it, with a person on one of its consoles. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { workFolder } from "../../image/project.ts";
import { systemClock } from "../clock.ts";
import { attach } from "../console/attach.ts";
import { Journal } from "../journal/journal.ts";
import { LabHost } from "../lab-host.ts";
import { ProgressPrinter } from "../report/progress.ts";
import { JOURNAL_FILE, readReport } from "../report/run-fold.ts";
import { Paint } from "../report/terminal.ts";
import { BOOTED, type Suite } from "../scenario.ts";
import { Scope } from "../scope.ts";
import { SnapshotStore } from "../snapshot-store.ts";
import { Stages } from "../stages.ts";
import { UsageError } from "../usage-error.ts";
import { suiteNamed } from "./command.ts";

/** Returns when the person leaves. The lab is gone afterwards; the run that it was restored for is not touched. */
export async function attachLab(place: string | undefined, node: string | undefined): Promise<number> {
  const { suite, from } = placeOf(place);
  const nodes = Object.entries(suite.lab.nodes);
  const wanted = node ?? nodes.find(([, { role }]) => role === "device")?.[0] ?? nodes[0]?.[0] ?? "";
  if (!nodes.some(([name]) => name === wanted)) {
    throw new UsageError(`--node ${wanted}: suite ${suite.name} has ${nodes.map(([name]) => name).join(", ")}`);
  }
  const scope = new Scope();
  const clock = systemClock();
  try {
    const printer = scope.own("progress", new ProgressPrinter(process.stdout, clock, new Paint(process.stdout.isTTY)));
    const runFolder = await mkdtemp(join(tmpdir(), "culvert-attach-"));
    scope.defer(runFolder, () => rm(runFolder, { recursive: true, force: true }));
    const journal = new Journal(clock);
    const host = new LabHost(suite.lab, { runFolder, clock, journal, progress: (event) => printer.print(event) });
    scope.defer("lab", () => host.down());
    const stages = new Stages({
      ...{ suite, host, journal },
      store: new SnapshotStore(join(workFolder, "snapshots")),
      report: async ({ claim }, _attempt, work) => {
        printer.print({ kind: "note", text: claim });
        await work(async (_name, step) => await step());
      },
    });
    await stages.reach(from);
    printer.close();
    const machine = host.machines.get(wanted);
    if (machine === undefined)
      throw new UsageError(`--node ${wanted} is no machine of this computer: it has no console here`);
    const others = nodes.map(([name]) => name).filter((name) => name !== wanted);
    process.stdout.write(
      `culvert: the lab is at stage ${from}; this is the console of ${wanted} (also there: ${others.join(", ")}); Ctrl-] ends it\r\n`,
    );
    machine.console.write("\r");
    await attach(machine.console);
    process.stdout.write("\r\nculvert: the lab has ended\r\n");
    return 0;
  } finally {
    await scope.close();
  }
}

/** RUN/SCENARIO, or SUITE/SCENARIO, or either without a scenario: the stage that it starts from. */
function placeOf(place: string | undefined): { suite: Suite; from: string } {
  if (place === undefined)
    throw new UsageError("lab attach needs RUN/SCENARIO, as a failed run prints it, or SUITE/SCENARIO");
  const isRun = (folder: string): boolean => existsSync(join(folder, JOURNAL_FILE));
  const folder = [resolve(place), dirname(resolve(place))].find(isRun);
  const [first = "", second] = place.split("/");
  const suite = suiteNamed(folder === undefined ? first : readReport(folder).suite);
  const scenario = folder === undefined ? second : folder === resolve(place) ? undefined : basename(place);
  if (scenario === undefined || scenario === "") return { suite, from: BOOTED };
  if (suite.stages.some(({ name }) => name === scenario) || scenario === BOOTED) return { suite, from: scenario };
  const found = suite.scenarios.find(({ name }) => name === scenario);
  if (found !== undefined) return { suite, from: found.from ?? BOOTED };
  const names = suite.scenarios.map(({ name }) => name).join(", ");
  throw new UsageError(`suite ${suite.name} has no scenario '${scenario}'; there are ${names}`);
}
