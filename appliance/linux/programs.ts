/** Programs of the system by node:child_process: lines of their output, and how they ended. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { type Programs, SystemError } from "../ports.ts";
import { toSystemError } from "./system-call.ts";

/** For programs that run to their end while everything else waits. */
const LONGEST_RUN_MS = 20_000;
/** For the output of a program that has ended. */
const LAST_WORDS_MS = 500;
const LONGEST_OUTPUT_BYTES = 1024 * 1024;

export const systemPrograms: Programs = {
  run({ program, arguments: words }, input = "") {
    const done = spawnSync(program, words, {
      input,
      encoding: "utf8",
      timeout: LONGEST_RUN_MS,
      maxBuffer: LONGEST_OUTPUT_BYTES,
    });
    if (done.error !== undefined) throw toSystemError(done.error, program) ?? done.error;
    if (done.status === 0) return done.stdout;
    const [said = ""] = `${done.stderr}${done.stdout}`.trim().split("\n");
    throw new SystemError(program, `${ending(done.status, done.signal)}${said === "" ? "" : `, ${said}`}`);
  },

  start({ program, arguments: words }, events) {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    let failure: string | undefined;
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", events.line);
    child.on("error", (error) => {
      const known = toSystemError(error, program)?.errno ?? error.message;
      // Without a process there is no `close`.
      if (child.pid === undefined) events.ended(known);
      else failure = known;
    });
    if (child.pid !== undefined) endOf(child, (how) => events.ended(how === undefined ? undefined : (failure ?? how)));
    return { stop: (signal) => void child.kill(signal) };
  },
};

/** Once its output is read to the end, or soon after it: children that it leaves behind may keep the pipes open. */
function endOf(child: ChildProcess, ended: (how: string | undefined) => void): void {
  let patience: NodeJS.Timeout | undefined;
  let isTold = false;
  const tell = (status: number | null, signal: NodeJS.Signals | null): void => {
    clearTimeout(patience);
    if (isTold) return;
    isTold = true;
    ended(status === 0 ? undefined : ending(status, signal));
  };
  child.once("exit", (status, signal) => {
    patience = setTimeout(() => tell(status, signal), LAST_WORDS_MS);
  });
  child.once("close", tell);
}

function ending(status: number | null, signal: NodeJS.Signals | null): string {
  return status === null ? `signal ${signal}` : `status ${status}`;
}
