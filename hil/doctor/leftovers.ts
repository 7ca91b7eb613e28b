/**
 * What killed runs leave: QEMU without its lab, and folders of sockets in the temporary folder. QEMU dies with its lab by itself
 * (setpriv); what is found here was started or re-parented in some other way.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { isAlive, startTime } from "../bench/process-identity.ts";
import type { Finding } from "./finding.ts";

export interface LeftoverPlace {
  /** `/`, or a test's copy of it. */
  readonly root: string;
  /** The folder of temporary folders. */
  readonly temporary: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** The folders that a lab, `culvert emulate` and the race of accelerators make; six letters of mkdtemp. Leases lie in a longer name. */
const RUN_FOLDER = /^culvert-(?:canary-)?[A-Za-z0-9]{6}$/;
/** A lab that is coming up may use its folder for nothing yet. */
const YOUNGEST_MS = 10 * 60_000;

interface QemuProcess {
  readonly pid: number;
  readonly started: string;
  readonly parent: number;
  readonly args: string;
}

export function findLeftovers(place: LeftoverPlace): Finding[] {
  const machines = ourMachines(place);
  const orphans = machines.filter(({ parent }) => !isNode(place.root, parent));
  const lost = orphans.map((orphan) => orphanFinding(orphan));
  const used = [
    ...machines.filter((machine) => !orphans.includes(machine)).map(({ args }) => args),
    boundSockets(place.root),
  ];
  const stale = runFolders(place).filter((folder) => !used.some((text) => text.includes(`${folder}/`)));
  return [...lost, ...(stale.length === 0 ? [] : [folderFinding(stale)])];
}

function orphanFinding({ pid, started, args }: QemuProcess): Finding {
  const name = /-name\0([^\0]*)/.exec(args)?.[1] ?? "a machine";
  return {
    state: "problem",
    about: "orphaned machine",
    what: `QEMU process ${pid} (${name}) runs without the lab that started it`,
    why: "it takes memory and processor time from every other run",
    repair: {
      command: `kill ${pid}`,
      run: () => {
        // The number may be another process's by now.
        if (isAlive(pid, started)) process.kill(pid, "SIGKILL");
        return Promise.resolve();
      },
    },
  };
}

function folderFinding(folders: readonly string[]): Finding {
  return {
    state: "problem",
    about: "leftover folders",
    what: `${folders.length} folder${folders.length === 1 ? "" : "s"} of runs that were killed: ${folders.slice(0, 3).join(", ")}${folders.length > 3 ? ", ..." : ""}`,
    why: "nothing uses them, and they may hold disks of machines",
    repair: {
      command: folders.length > 3 ? "culvert doctor --repair" : `rm -r ${folders.join(" ")}`,
      run: () => {
        for (const folder of folders) rmSync(folder, { recursive: true, force: true });
        return Promise.resolve();
      },
    },
  };
}

/** QEMU processes that hold a socket of a run folder. */
function ourMachines({ root, temporary }: LeftoverPlace): QemuProcess[] {
  return list(join(root, "proc"))
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const args = text(join(root, "proc", name, "cmdline"));
      const [program = ""] = args.split("\0");
      if (!basename(program).startsWith("qemu-system-") || !args.includes(`${temporary}/culvert-`)) return [];
      const stat = text(join(root, "proc", name, "stat"));
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      return [{ pid: Number(name), started: startTime(Number(name)) ?? "", parent, args }];
    });
}

/** A lab is a Node process. One of another user's cannot be seen, and counts. */
function isNode(root: string, pid: number): boolean {
  if (pid <= 1) return false;
  try {
    return basename(readlinkSync(join(root, "proc", String(pid), "exe"))).startsWith("node");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

/** Of this user, and untouched for some minutes. */
function runFolders({ temporary, nowMs }: LeftoverPlace): string[] {
  return list(temporary)
    .filter((name) => RUN_FOLDER.test(name))
    .sort()
    .map((name) => join(temporary, name))
    .filter((folder) => {
      const status = lstatSync(folder, { throwIfNoEntry: false });
      const isMine = status?.isDirectory() === true && status.uid === process.getuid?.();
      return isMine && nowMs - status.mtimeMs > YOUNGEST_MS;
    });
}

/** The kernel's list of unix sockets: a connected one has its path in it even when the file is gone. */
function boundSockets(root: string): string {
  return text(join(root, "proc/net/unix"));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // the process has ended in between
  }
}
