/** What the running system is: its kernel, its Node.js, and the record that its image carries. */
import { readFileSync } from "node:fs";
import process from "node:process";

/** `recordFile` is undefined in the result when there is none: the program runs outside an image. */
export function runningSystem(recordFile: string): { kernel: string; node: string; record: string | undefined } {
  return {
    kernel: readFileSync("/proc/sys/kernel/osrelease", "latin1").trim(),
    node: process.version,
    record: readText(recordFile),
  };
}

/** Undefined when there is no such file. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
