/** What the doctor looks at. Each check is quick, changes nothing, and says what to do. */
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { env } from "node:process";
import { execa } from "execa";
import { projectRoot, workFolder } from "../../image/project.ts";
import { heldBy, listLeases, machineClock, releaseLease } from "../bench/lease.ts";
import { type SerialPort, serialPorts } from "../console/transport/serial-ports.ts";
import { type Choice, chooseAccelerator } from "../node/qemu/accelerator.ts";
import type { Finding } from "./finding.ts";

/** The race of accelerators, or its remembered result. */
export async function checkAccelerator(): Promise<Finding[]> {
  let choice: Choice;
  try {
    choice = await chooseAccelerator();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return [{ state: "problem", about: "accelerator", what, why: "no machine can be started" }];
  }
  return [accelerator(choice, kvm(), env["CULVERT_ACCEL"] ?? "")];
}

/** What the choice means, given what /dev/kvm is and whether the user insists. */
export function accelerator(choice: Choice, device: "absent" | "closed" | "opens", wanted: string): Finding {
  const about = "accelerator";
  const what = `${choice.accelerator}: ${choice.because}`;
  if (wanted !== "") return { state: "note", about, what, repair: { command: "unset CULVERT_ACCEL" } };
  if (choice.accelerator === "kvm") return { state: "fine", about, what };
  if (device === "closed") {
    const repair = { command: 'sudo usermod -aG kvm "$USER" (and log in again)' };
    return { state: "note", about, what: `${what}; machines would be some ten times as fast with it`, repair };
  }
  if (device === "opens") {
    const note = "/dev/kvm opens, but a guest does not run on it, or slower (a virtual machine inside another)";
    return { state: "note", about, what: `${what}; ${note}` };
  }
  return { state: "fine", about, what };
}

function kvm(): "absent" | "closed" | "opens" {
  if (!existsSync("/dev/kvm")) return "absent";
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return "opens";
  } catch {
    return "closed";
  }
}

/** QEMU's version, and the one feature that a lab cannot do without. */
export async function checkQemu(): Promise<Finding[]> {
  const qemu = "qemu-system-x86_64";
  const [version, netdevs] = await Promise.all([
    execa(qemu, ["--version"], { reject: false }),
    execa(qemu, ["-machine", "none", "-netdev", "help"], { reject: false }),
  ]);
  if (version.failed) return []; // the check of programs tells
  return [qemuFinding(version.stdout, netdevs.stdout)];
}

/** From what `--version` and `-netdev help` print. */
export function qemuFinding(version: string, netdevs: string): Finding {
  const number = /version (\d+(?:\.\d+)+)/.exec(version)?.[1] ?? "of an unknown version";
  if (netdevs.split("\n").includes("stream")) return { state: "fine", about: "QEMU", what: number };
  return {
    state: "problem",
    about: "QEMU",
    what: `QEMU ${number} has no \`-netdev stream\`; it came with 7.2`,
    why: "the network of a lab is made of it",
    repair: { command: "install QEMU 7.2 or later: Debian 12 and Ubuntu 23.04 have it" },
  };
}

/** setup.mjs is plain JavaScript: it runs before the compiler exists. */
interface Setup {
  missingPackages(withTests: boolean): string[];
  setUp(options: { withTests: boolean }): Promise<number>;
}

/** Programs that setup would install. */
export async function checkPrograms(): Promise<Finding[]> {
  const setup: Setup = await import(join(projectRoot, "hil/setup.mjs"));
  return programs(setup.missingPackages(false), setup.missingPackages(true), (withTests) => setup.setUp({ withTests }));
}

/** From the packages that are missing to run labs, and to run the tests too. */
export function programs(
  toRun: readonly string[],
  toTest: readonly string[],
  setUp: (withTests: boolean) => Promise<number>,
): Finding[] {
  const about = "programs";
  if (toTest.length === 0) return [{ state: "fine", about, what: "all there" }];
  const withTests = toRun.length === 0;
  const missing = withTests ? toTest : toRun;
  const repair = {
    command: `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(" ")}`,
    run: async () => {
      if ((await setUp(withTests)) !== 0) throw new Error("setup could not install them");
    },
  };
  const what = `Debian packages are missing: ${missing.join(" ")}`;
  if (withTests)
    return [{ state: "note", about, what: `${what} (labs run without them; the project's own tests do not)`, repair }];
  return [{ state: "problem", about, what, why: "images are built and machines are run with them", repair }];
}

/** npm packages that only some benches need. */
const OPTIONAL = [
  { name: "net-snmp", version: "3.29.2", for: "power strips that speak SNMP" },
  { name: "raw-socket", version: "1.8.1", for: "raw sockets of this computer" },
] as const;

export function checkOptional(resolve: (name: string) => string = createRequire(import.meta.url).resolve): Finding[] {
  const absent = OPTIONAL.filter(({ name }) => {
    try {
      resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  if (absent.length === 0) return [{ state: "fine", about: "optional packages", what: "all there" }];
  return absent.map(({ name, version, for: use }) => ({
    state: "note",
    about: "optional packages",
    what: `${name} is not installed; ${use} need it`,
    repair: { command: `npm install --no-save ${name}@${version}` },
  }));
}

export function checkSerialPorts(ports: readonly SerialPort[] = serialPorts()): Finding[] {
  const about = "serial ports";
  if (ports.length === 0) return [{ state: "fine", about, what: "this computer has none" }];
  const named = (some: readonly SerialPort[]): string =>
    some.map(({ path, stablePath, driver }) => `${path} (${stablePath ?? driver})`).join(", ");
  const open = ports.filter((port) => port.mayOpen);
  const closed = ports.filter((port) => !port.mayOpen);
  const findings: Finding[] = open.length === 0 ? [] : [{ state: "fine", about, what: named(open) }];
  if (closed.length === 0) return findings;
  return [
    ...findings,
    {
      state: "problem",
      about,
      what: `this user may not open ${named(closed)}`,
      why: "boards on them cannot be used",
      repair: { command: 'sudo usermod -aG dialout "$USER" (and log in again)' },
    },
  ];
}

export function checkLeases(folder?: string): Finding[] {
  const place = { clock: machineClock(), folder };
  const about = "leases";
  const all = listLeases(place);
  if (all.length === 0) return [{ state: "fine", about, what: "no bench is in use" }];
  return all.map((status): Finding => {
    if (status.state === "held") return { state: "fine", about, what: heldBy(status) };
    const { bench, user } = status.holder;
    const run = async (): Promise<void> => void (await releaseLease(bench, place));
    return {
      state: "problem",
      about,
      what: `bench ${bench} was left by ${user}: ${status.because}`,
      why: "it looks as if it were in use",
      repair: { command: `culvert lab release ${bench}`, run },
    };
  });
}

const GIB = 2 ** 30;
/** Images, guests, their packages and a few runs with captures take about this much. */
const WORK_NEEDS = 2 * GIB;
const TEMPORARY_NEEDS = GIB / 4;

export function checkDisk(temporary: string): Finding[] {
  return [
    disk("disk", nearest(workFolder), WORK_NEEDS, `du -sh ${workFolder}/*; rm -r ${workFolder}/runs`),
    disk("temporary folder", temporary, TEMPORARY_NEEDS, `du -sh ${temporary}/*`),
  ];
}

function disk(about: string, folder: string, needs: number, command: string): Finding {
  const { bavail, bsize } = statfsSync(folder);
  return space(about, folder, bavail * bsize, needs, command);
}

/** From the bytes that are free. */
export function space(about: string, folder: string, free: number, needs: number, command: string): Finding {
  const what = `${(free / GIB).toFixed(1)} GiB are free at ${folder}`;
  if (free >= needs) return { state: "fine", about, what };
  const why = `images and captures need about ${needs / GIB} GiB; a machine whose disk is full fails in strange ways`;
  return { state: "problem", about, what, why, repair: { command } };
}

/** The folder itself, or what it will be made in. */
function nearest(folder: string): string {
  return existsSync(folder) ? folder : nearest(dirname(folder));
}
