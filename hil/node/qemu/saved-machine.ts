/**
 * A machine as files: its memory, the state of everything else, and the disks that it writes to. Memory is kept apart so that
 * a restored machine can map it instead of reading it.
 */
import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { Fault } from "../../fault.ts";
import { shellWord } from "../../shell-word.ts";
import type { GuestMemory, MachineSpec } from "./args.ts";
import type { Qmp } from "./qmp.ts";

/** The files of one machine in a folder that may hold several. */
export class SavedMachine {
  readonly folder: string;
  readonly name: string;

  constructor(folder: string, name: string) {
    this.folder = folder;
    this.name = name;
  }

  get memory(): string {
    return join(this.folder, `${this.name}.ram`);
  }
  get state(): string {
    return join(this.folder, `${this.name}.state`);
  }
  disk(serial: string): string {
    return join(this.folder, `${this.name}.${serial}.disk`);
  }

  /** Bytes that the files take on the disk. */
  async size(): Promise<number> {
    const names = (await readdir(this.folder)).filter((name) => name.startsWith(`${this.name}.`));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(this.folder, name))).blocks * 512));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Saves a stopped machine. `pid` is QEMU's process. */
  async take(spec: MachineSpec, memory: GuestMemory, monitor: Qmp, pid: number): Promise<void> {
    if (memory.kind === "borrowed") {
      throw new Fault("harness", `${spec.name}: it was restored to be run, not to be saved again`, { node: spec.name });
    }
    await this.#saveState(monitor);
    await copySparse(memory.kind === "copy" ? memory.file : await memoryOf(pid), this.memory);
    for (const disk of writtenDisks(spec)) await copySparse(disk.path, this.disk(disk.serial));
  }

  /** Gives the disks back to where `spec` has them. */
  async putDisks(spec: MachineSpec): Promise<void> {
    for (const disk of writtenDisks(spec)) await copySparse(this.disk(disk.serial), disk.path);
  }

  /** Fills a machine that waits with `-incoming defer`. */
  async load(monitor: Qmp): Promise<void> {
    await monitor.execute("migrate-set-capabilities", { capabilities: CAPABILITIES });
    const ended = migrationEnd(monitor, "restoring");
    await monitor.execute("migrate-incoming", { uri: `exec:cat ${shellWord(this.state)}` });
    await ended;
  }

  async #saveState(monitor: Qmp): Promise<void> {
    await monitor.execute("migrate-set-capabilities", { capabilities: CAPABILITIES });
    const ended = migrationEnd(monitor, "saving");
    await monitor.execute("migrate", { uri: `exec:cat >${shellWord(this.state)}` });
    await ended;
  }
}

/** The memory is in a file that the other side opens by itself; the stream has only what is small. */
const CAPABILITIES = [
  { capability: "x-ignore-shared", state: true },
  { capability: "events", state: true },
];

async function migrationEnd(monitor: Qmp, what: string): Promise<void> {
  const status = await monitor.until(what, ({ name, data }) => {
    const { status: now } = (data ?? {}) as { status?: unknown };
    return name === "MIGRATION" && (now === "completed" || now === "failed") ? now : undefined;
  });
  if (status === "failed") throw new Fault("host", `QEMU failed while ${what} a machine's state`);
}

function writtenDisks(spec: MachineSpec) {
  return spec.disks.filter((disk) => !disk.readOnly);
}

/** The anonymous file behind memory-backend-memfd, as the process sees it. */
async function memoryOf(pid: number): Promise<string> {
  const folder = `/proc/${pid}/fd`;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const target = await readlink(path).catch(() => "");
    if (target.startsWith("/memfd:memory-backend-memfd")) return path;
  }
  throw new Fault("host", `QEMU's memory was not found in ${folder}: is this a QEMU without memory-backend-memfd?`);
}

/** Most of a guest's memory was never written: holes stay holes. */
export async function copySparse(from: string, to: string): Promise<void> {
  const { exitCode, stderr } = await execa("cp", ["--sparse=always", "--reflink=auto", "-L", from, to], {
    reject: false,
  });
  if (exitCode !== 0) throw new Fault("host", `a machine's state could not be copied: ${stderr}`);
}
