/** Is it still the same process? A number alone does not say: numbers are used again. */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** Another one after each start of the computer. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** Process numbers are unique within it. */
export function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return ""; // a kernel without them
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; undefined when the process is gone or hidden. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The program's name is in parentheses and may hold anything; the fields after it are numbered from 3.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[22 - 3];
  } catch {
    return undefined;
  }
}

/** Whether the process that started then still runs. A process that is hidden from this user counts as running. */
export function isAlive(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = startTime(pid);
  return now === undefined || started === "" || now === started;
}
