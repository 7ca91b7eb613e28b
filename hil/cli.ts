/** The `culvert` command line: `lab`, `flash`, `image`, `emulate`, `help`. Each command is loaded when it is used. */
import process from "node:process";
import { parseArgs } from "node:util";
import type { Person } from "./bench/person.ts";
import { UsageError } from "./usage-error.ts";

const HELP = `culvert: firmware, image builder and test lab of a PPTP router appliance

  culvert lab list [--json]              suites and what their scenarios claim
  culvert lab run [--suite NAME,...]     boot a lab in QEMU and run its scenarios (suite smoke)
                  [--filter TEXT,...]    only scenarios whose name contains a TEXT, and what they need
                  [--board NAME]         devices of another board: x86_64, arm64, mipsel; NAME:FIRMWARE boots
                                         their flashable disk by bios, uefi, uboot or rom
                  [--bench NODE=FILE,..] another bench for a node: a file, or a name in hil/benches
                  [--peer windows --image FILE]  a real Windows dials: a qcow2 or raw disk with it, which is not
                  [--firmware uefi|bios]         changed; reached by guest agent, else ssh, else serial SAC
                  [--ssh-key FILE] [--windows-user NAME]
                  [--report DIR]         where reports and captures go (.culvert/runs/TIME)
                  [--jobs N|auto]        labs side by side (1), within [--memory MIB]
                  [--shard I/N]          the I-th of N shares, for a CI engine that has N computers;
                  [--durations FILE]     shared out by what an earlier results.ndjson says
                  [--retries N]          again after faults of the lab alone (1)
                  [--repeat N] [--cold]  so many times; without the snapshots of other runs
  culvert lab prepare-windows            the set-up disc that installs Windows for --peer windows, unattended
                  [--output DIR] [--virtio DIR] [--user NAME] [--product-key KEY]
  culvert lab matrix [--set NAME]        the interop matrix: pairwise (every pair of values), full, slice or mutations,
                  [--seed N] [--list]    drawn by N; --list shows the cells and what must come of each; --filter,
                  [--cells N]            --report, --jobs, --shard ... as for run; --cells bounds a slice (8)
                  [--readme RUN[,RUN]]   the table in hil/README.md anew, from the matrix.json of those runs
  culvert lab attach RUN/SCENARIO        the lab as that scenario found it, with you on a console;
                  [--node NODE]          the device's unless you say which
  culvert lab replay RUN [--node NODE]   consoles and steps of a run once more, in their time;
                  [--speed X]            X times as fast (1), or at once with 0
                  [--expect PATTERN]     when a wait for PATTERN would have ended on NODE's console
  culvert lab explain RUN                the first cause of a failed run, in plain words
  culvert lab report RUN... [--output D] make a run's reports anew; of several runs, one index, JUnit file and list
  culvert lab leases                     who uses which bench, since when, and what for
  culvert lab release BENCH              take a bench away from whoever uses it
  culvert lab schema                     the JSON schema of bench files, for editors
  culvert lab record NAME|FILE.yaml      write the bench file of a board by watching it boot
                  [--port PATH,...] [--baud N] [--power "shelly: http://10.0.0.7"]
  culvert doctor [--repair] [--json]     is this computer fit for labs? what is wrong, and what to do;
                                         --repair does it
  culvert console TARGET [--baud RATE]   this terminal on a device's console: /dev/ttyUSB0, tcp:HOST:PORT,
                  [--log FILE]           rfc2217:HOST:PORT, or a bench
  culvert configure FILE --bench B,...   bring devices to a file of \`set\` lines: shows the difference, commits on trial,
                  [--merge] [--dry-run]  reads back, confirms; password in CULVERT_ADMIN_PASSWORD
  culvert emulate [--board NAME]         boot the image with this terminal as its serial console;
                  [--state DIR]          DIR keeps the device's data from one time to the next
                  [--firmware NAME]      boot the flashable disk as a board does, by bios, uefi, uboot or rom
                  [--lan ADDRESS/LENGTH] where SSH is forwarded to (192.168.1.1/24)
                  [--tap]                cables to interfaces of this computer: PPTP too; needs root
  culvert flash FILE.img --disk /dev/sdX an image onto a disk or card, read back: refuses mounted and system disks, asks
                  [--yes] [--fixed-disk] do not ask; a disk that is built in will do
  culvert flash FILE.img --bench B       an image onto a board's medium, over U-Boot on its serial line: TFTP or Y-modem,
                  [--medium "mmc 1"]     each piece read back (virtio 0)
  culvert flash FILE.bundle --device ssh://admin@HOST[:PORT]
                  [--ssh-options A=B,..] update a device that runs, and wait until it has settled
  culvert image ...                      build firmware images; \`culvert image help\` says how
  culvert help                           this text

CULVERT_ACCEL=kvm or =tcg overrides the choice of QEMU's accelerator.
Exit status: 0 all passed, 1 something failed, 2 the command line is wrong.`;

/** Runs one command line and returns its exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`culvert: ${error.message}`);
      return 2;
    }
    console.error(`culvert: ${error instanceof Error ? explain(error) : String(error)}`);
    return 1;
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case undefined:
    case "help":
    case "--help":
    case "-h":
      console.log(HELP);
      return 0;
    case "lab":
      return await lab(rest);
    case "emulate": {
      const chosen = options(["emulate"], rest, ["state", "board", "firmware", "lan"], ["tap"]);
      const { emulate } = await import("./emulate.ts");
      return await emulate(chosen);
    }
    case "console": {
      const { target, baud, log } = options(["console"], rest, ["baud", "log"], [], "target");
      const { openConsole } = await import("./console-command.ts");
      return await withPerson((person) => openConsole({ target, baud, log }, person));
    }
    case "configure": {
      const { file, bench, ...flags } = options(["configure"], rest, ["bench"], ["merge", "dry-run"], "file");
      const { configure } = await import("./configure.ts");
      const mode = flags.merge === true ? "merge" : "replace";
      const benches = bench?.split(",") ?? [];
      return await withPerson((person) =>
        configure({ file, benches, mode, isDryRun: flags["dry-run"] === true }, person),
      );
    }
    case "flash": {
      const given = options(["flash"], rest, FLASH_OPTIONS, ["yes", "fixed-disk"], "file");
      const { file, disk, device, bench, medium, "ssh-options": sshOptions } = given;
      const { flashCommand } = await import("./flash/command.ts");
      const flags = { yes: given.yes === true, fixedDisk: given["fixed-disk"] === true };
      return await withPerson((person) =>
        flashCommand({ file, disk, device, bench, medium, sshOptions, ...flags }, person),
      );
    }
    case "doctor": {
      const { runDoctor } = await import("./doctor.ts");
      return await runDoctor(rest);
    }
    case "image": {
      const { runImageCommand } = await import("../image/command.ts");
      return await runImageCommand(rest);
    }
    default:
      throw new UsageError(
        `'${command}' is not a command; there are lab, console, configure, flash, doctor, emulate, image, help`,
      );
  }
}

async function lab(argv: readonly string[]): Promise<number> {
  const [verb, ...rest] = argv;
  switch (verb) {
    case "list": {
      const { json } = options(["lab", "list"], rest, [], ["json"]);
      const { listSuites } = await import("./run/command.ts");
      return listSuites(json === true);
    }
    case "run": {
      const { cold, ...given } = options(["lab", "run"], rest, RUN_OPTIONS, ["cold"]);
      const { runLab } = await import("./run/command.ts");
      return await runLab({ ...given, cold: cold === true });
    }
    case "matrix": {
      const { cold, list, ...given } = options(["lab", "matrix"], rest, MATRIX_OPTIONS, ["cold", "list"]);
      const { runMatrix } = await import("./matrix/command.ts");
      return await runMatrix({ ...given, cold: cold === true, list: list === true });
    }
    case "attach": {
      const { place, node } = options(["lab", "attach"], rest, ["node"], [], "place");
      const { attachLab } = await import("./run/attach-command.ts");
      return await attachLab(place, node);
    }
    case "prepare-windows": {
      const given = options(["lab", "prepare-windows"], rest, ["output", "virtio", "user", "product-key"]);
      const { prepareWindows } = await import("./peers/windows/prepare.ts");
      return await prepareWindows(given);
    }
    case "replay": {
      const { place, node, speed, expect } = options(["lab", "replay"], rest, ["node", "speed", "expect"], [], "place");
      const { replayRun } = await import("./run/replay.ts");
      return await replayRun({ place, node, speed, expect });
    }
    case "explain": {
      const { explainRun } = await import("./report/command.ts");
      return explainRun(rest);
    }
    case "report": {
      const { reportRuns } = await import("./report/command.ts");
      return await reportRuns(rest);
    }
    default: {
      const { runBenchCommand } = await import("./bench/command.ts");
      const status = await runBenchCommand(verb, rest);
      if (status !== undefined) return status;
      throw new UsageError(
        `'lab ${verb ?? ""}' is not a command; there are lab list, run, matrix, prepare-windows, attach, replay, explain, report, leases, release, schema, record`,
      );
    }
  }
}

async function withPerson(work: (person: Person) => Promise<number>): Promise<number> {
  const { TerminalPerson } = await import("./bench/person.ts");
  const person = new TerminalPerson(process.stdin, process.stdout);
  try {
    return await work(person);
  } finally {
    person.close();
  }
}

const FLASH_OPTIONS = [...(["disk", "device", "bench", "medium", "ssh-options"] as const)];
const MATRIX_OPTIONS = [
  ...([
    "set",
    "seed",
    "cells",
    "readme",
    "filter",
    "report",
    "jobs",
    "memory",
    "shard",
    "durations",
    "retries",
  ] as const),
];

const RUN_OPTIONS = [
  ...([
    "suite",
    "filter",
    "report",
    "bench",
    "board",
    "jobs",
    "memory",
    "shard",
    "durations",
    "repeat",
    "retries",
    "peer",
    "image",
    "firmware",
    "ssh-key",
    "windows-user",
  ] as const),
];

/** Reads `--name VALUE` options, `--flag` ones, and one word if it has a name; anything else is a mistake of the user's. */
function options<const N extends string, const F extends string = never, const P extends string = never>(
  command: readonly string[],
  argv: readonly string[],
  names: readonly N[],
  flags: readonly F[] = [],
  word?: P,
): Partial<Record<N | P, string>> & Partial<Record<F, boolean>> {
  const known = Object.fromEntries([
    ...names.map((name) => [name, { type: "string" as const }] as const),
    ...flags.map((name) => [name, { type: "boolean" as const }] as const),
  ]);
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: known,
      strict: true,
      allowPositionals: word !== undefined,
    });
    const [first, second] = positionals;
    if (second !== undefined) throw new Error(`'${second}' is one word too many`);
    return { ...values, ...(word !== undefined && first !== undefined && { [word]: first }) } as Partial<
      Record<N | P, string>
    > &
      Partial<Record<F, boolean>>;
  } catch (error) {
    // parseArgs says what is wrong in its first sentence and how to escape dashes in the others.
    const [what = ""] = (error instanceof Error ? error.message : String(error)).split(/[.\n]/);
    const offer =
      names.length + flags.length === 0
        ? "it takes no options"
        : `it takes ${[...names, ...flags].map((name) => `--${name}`).join(", ")}`;
    throw new UsageError(`${command.join(" ")}: ${what}; ${offer}`);
  }
}

/** People's mistakes and the machine's troubles are told in one line; a bug shows its place. */
function explain(error: Error): string {
  const bug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return bug ? (error.stack ?? error.message) : error.message;
}

/** `node dist/hil/cli.js ...` works too. */
if (process.argv[1]?.endsWith("/dist/hil/cli.js") === true) process.exitCode = await main(process.argv.slice(2));
