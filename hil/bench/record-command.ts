/** The command line of `culvert lab record`: which ports, which switch, which file. */
import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type LabClock, systemClock } from "../clock.ts";
import { openSerial } from "../console/transport/serial.ts";
import { serialPorts } from "../console/transport/serial-ports.ts";
import { Fault } from "../fault.ts";
import { openPower } from "../power/open.ts";
import { UsageError } from "../usage-error.ts";
import { Lease, machineClock } from "./lease.ts";
import { BenchFileError, benchFolder, parseBench } from "./load.ts";
import { type Person, TerminalPerson } from "./person.ts";
import { type RecordMeans, recordBoard } from "./record.ts";
import { recordedFile } from "./recorded-file.ts";
import type { Bench } from "./schema.ts";

interface Wanted {
  readonly name: string;
  readonly file: string;
  readonly ports: readonly string[];
  readonly baud: number | undefined;
  /** As it was given: `shelly: http://10.0.0.7`. */
  readonly power: string | undefined;
  /** A bench with the same name, switch and rate, checked as a file would be. */
  readonly draft: Bench;
}

/** Returns the exit status. */
export async function record(argv: readonly string[]): Promise<number> {
  const wanted = parseWanted(argv);
  const ports = wanted.ports.length > 0 ? wanted.ports : usablePorts();
  const clock = systemClock();
  const person = new TerminalPerson(process.stdin, process.stdout);
  const lease = await Lease.take(wanted.name, "lab record", { clock: machineClock() });
  const means = recordMeans(wanted.draft, ports, wanted.baud, person, clock);
  try {
    const recording = await recordBoard(means);
    writeFileSync(wanted.file, recordedFile(recording, wanted), { flag: "wx" });
    person.tell(`${wanted.file} is written; look at it, and add what the board is connected to`);
    return 0;
  } finally {
    await means.close();
    person.close();
    lease.close();
  }
}

/** How the board is reached and switched: by the bench's driver, or by the person. */
export function recordMeans(
  { name, power: supply }: Bench,
  ports: readonly string[],
  baud: number | undefined,
  person: Person,
  clock: LabClock,
): RecordMeans & { close(): Promise<void> } {
  const tell = (line: string): void => person.tell(line);
  const shared = {
    ...{ clock, ports, rates: baud === undefined ? undefined : [baud], tell },
    openPort: (path: string, rate: number) => openSerial(path, { baud: rate }, clock),
  };
  if (supply === undefined || "manual" in supply) {
    return {
      ...shared,
      knowsPowerOn: false,
      powerOff: async () =>
        void (await person.ask(`Turn the power of ${name} OFF, then press Enter: `, new AbortController().signal)),
      powerOn: () => Promise.resolve(tell(`Now turn the power of ${name} ON.`)),
      close: () => Promise.resolve(),
    };
  }
  const power = openPower(supply, { node: name, clock, journal: { append: () => {} }, person });
  return {
    ...shared,
    knowsPowerOn: true,
    powerOff: () => power.off(),
    powerOn: () => power.on(),
    close: () => power.close(),
  };
}

function usablePorts(): string[] {
  const ports = serialPorts();
  const usable = ports.filter((port) => port.mayOpen);
  if (usable.length > 0) return usable.map(({ path, stablePath }) => stablePath ?? path);
  throw new Fault(
    "bench",
    ports.length === 0
      ? "this computer has no serial port: plug the adapter in, or name one with --port"
      : "this user may open none of the serial ports; `culvert doctor` says what to do",
  );
}

function parseWanted(argv: readonly string[]): Wanted {
  const { target, port, baud, power } = recordOptions(argv);
  const isPath = /[/\\]|\.ya?ml$/.test(target);
  const file = isPath ? target : join(benchFolder, `${target}.yaml`);
  const name = isPath ? basename(target).replace(/\.ya?ml$/, "") : target;
  const ports = port?.split(",").filter((path) => path !== "") ?? [];
  const draft = checkedDraft(name, ports[0] ?? "/dev/ttyS0", baud, power);
  if (existsSync(file)) throw new UsageError(`lab record: ${file} is there already; it is not overwritten`);
  return { name, file, ports, baud: baud === undefined ? undefined : Number(baud), power, draft };
}

/** What was typed, read as the bench file that it will be: the same mistakes get the same words. */
function checkedDraft(name: string, port: string, baud: string | undefined, power: string | undefined): Bench {
  const text = [
    `name: ${JSON.stringify(name)}`,
    `console: { serial: ${JSON.stringify(port)}${baud === undefined ? "" : `, baud: ${baud}`} }`,
    ...(power === undefined ? [] : [`power: { ${power} }`]),
  ];
  try {
    return parseBench(text.join("\n"), "");
  } catch (error) {
    if (!(error instanceof BenchFileError)) throw error;
    const [problem] = error.problems;
    throw new UsageError(`lab record: ${problem?.path === "" ? "" : `${problem?.path}: `}${problem?.text}`);
  }
}

function recordOptions(argv: readonly string[]): {
  readonly target: string;
  readonly port: string | undefined;
  readonly baud: string | undefined;
  readonly power: string | undefined;
} {
  const options = { port: { type: "string" }, baud: { type: "string" }, power: { type: "string" } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
    const [target, extra] = positionals;
    if (target === undefined || extra !== undefined) {
      throw new UsageError("lab record: it takes a name for the bench, or the path of the file to write");
    }
    return { target, port: values.port, baud: values.baud, power: values.power };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const [what = ""] = (error instanceof Error ? error.message : String(error)).split(/[.\n]/);
    throw new UsageError(`lab record: ${what}; it takes --port, --baud, --power`);
  }
}
