/** `culvert console TARGET`: this terminal on the console of a device, whatever the way to it is. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import process from "node:process";
import type { Duplex } from "node:stream";
import { loadBench } from "./bench/load.ts";
import type { Person } from "./bench/person.ts";
import { reachBench } from "./bench/reach.ts";
import { systemClock } from "./clock.ts";
import { attach } from "./console/attach.ts";
import { Console } from "./console/console.ts";
import { openTransport, type TransportSpec } from "./console/transport/open.ts";
import { Journal } from "./journal/journal.ts";
import { Scope } from "./scope.ts";
import { UsageError } from "./usage-error.ts";

export interface ConsoleOptions {
  readonly target: string | undefined;
  readonly baud: string | undefined;
  /** Everything that the device says goes there too. */
  readonly log: string | undefined;
}

/** A serial port by its path, `tcp:HOST:PORT`, `rfc2217:HOST:PORT`, or undefined for what must be a bench. */
export function targetOf(target: string, baud: number | undefined): TransportSpec | undefined {
  const rate = baud === undefined ? {} : { baud };
  if (target.startsWith("tcp:")) return { tcp: target.slice(4) };
  if (target.startsWith("rfc2217:")) return { rfc2217: target.slice(8), ...rate };
  if (target.startsWith("/dev/")) return { serial: target, ...rate };
  return undefined;
}

/** Returns when the person leaves or the line goes. */
export async function openConsole({ target, baud, log }: ConsoleOptions, person: Person): Promise<number> {
  if (target === undefined)
    throw new UsageError("console needs a target: /dev/ttyUSB0, tcp:HOST:PORT, rfc2217:HOST:PORT, or a bench");
  const rate = baud === undefined ? undefined : Number(baud);
  if (rate !== undefined && !(Number.isInteger(rate) && rate >= 50 && rate <= 4_000_000))
    throw new UsageError(`--baud ${baud}: give a rate such as 115200`);
  const scope = new Scope();
  const clock = systemClock();
  const journal = new Journal(clock);
  try {
    const spec = targetOf(target, rate);
    let line: Duplex;
    if (spec !== undefined) line = scope.own("console", await openTransport(spec, clock));
    else {
      if (rate !== undefined) throw new UsageError("--baud belongs to a serial port; a bench file has its own");
      const bench = loadBench(target);
      const place = { node: bench.name, why: "culvert console", clock, journal, person };
      line = scope.own("bench", await reachBench(bench, place)).line;
    }
    const console = new Console(target, line, { clock, journal, death: [] });
    if (log !== undefined) {
      const file = createWriteStream(log, { flags: "a" });
      await once(file, "open");
      scope.defer(log, () => void file.end());
      scope.defer(
        "log",
        console.tap((text) => void file.write(text, "latin1")),
      );
    }
    process.stdout.write(`culvert: console of ${target}; Ctrl-] leaves\r\n`);
    const left = await attach(console);
    process.stdout.write("\r\n");
    if (left !== "line-ended") return 0;
    process.stdout.write(`culvert: ${target} is gone\r\n`);
    return 1;
  } finally {
    await scope.close();
  }
}
