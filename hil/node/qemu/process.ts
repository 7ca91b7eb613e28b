/** Starting QEMU so that it cannot outlive this process. */
import { execa } from "execa";

const QEMU = "qemu-system-x86_64";

export interface QemuEnd {
  readonly exitCode: number | undefined;
  /** What QEMU printed, or why it could not be started. */
  readonly said: string;
}

export interface QemuProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly ended: Promise<QemuEnd>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** QEMU under `setpriv --pdeathsig KILL`: the kernel ends it when this process dies, by whatever signal. */
export function spawnQemu(args: readonly string[], program: string = QEMU): QemuProcess {
  const child = execa("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], {
    reject: false,
    stdin: "ignore",
    all: true,
    forceKillAfterDelay: 3000,
  });
  return {
    pid: child.pid, // setpriv becomes QEMU and keeps its number
    ended: child.then((result) => ({
      exitCode: result.exitCode,
      said: result.all?.trim() || describeEnd(result),
    })),
    kill: (signal) => void child.kill(signal),
  };
}

interface End {
  readonly signal?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly originalMessage?: string | undefined;
}

function describeEnd(result: End): string {
  if (result.signal !== undefined) return `it was ended by ${result.signal}`;
  if (result.exitCode !== undefined) return `exit status ${result.exitCode} without a word`;
  return result.originalMessage ?? "it could not be started";
}

/** The first line of `qemu-system-x86_64 --version`. */
export async function qemuVersion(): Promise<string> {
  const { stdout } = await execa(QEMU, ["--version"]);
  return stdout.split("\n")[0] ?? "";
}
