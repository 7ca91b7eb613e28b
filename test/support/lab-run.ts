/** Running `culvert` as a user does, and looking for what it leaves running. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { projectRoot } from "../../image/project.ts";

export interface CulvertRun {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** A folder that goes away with the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "culvert-lab-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function startCulvert(args: readonly string[], input: "ignore" | "pipe" = "ignore"): CulvertRun {
  const child = spawn(process.execPath, [join(projectRoot, "dist/hil/cli.js"), ...args], {
    stdio: [input, "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  return { process: child, output: () => output, ended };
}

/** The process ids of every QEMU whose command line has `word`. */
export function qemuWith(word: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return command.startsWith("qemu-system") && command.includes(word);
      } catch {
        return false; // it ended while we looked
      }
    })
    .map(Number);
}

/** Looks every 50 ms until it is so; fails with the words of `otherwise` when it takes too long. */
export async function until(isSo: () => boolean, withinMs: number, otherwise: () => string): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(otherwise());
    await delay(50);
  }
}
