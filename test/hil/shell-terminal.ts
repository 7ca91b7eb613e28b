/** A terminal with a real POSIX shell behind it: lines that were typed, whole or not, are run by `sh`, one after the other. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FramedShell } from "../../hil/console/frame.ts";
import { fakeConsole } from "./fake-line.ts";

/** It leaves a mark each time it runs: `timesRun`. */
export const COUNT = "echo ran >>count; echo done";

export class ShellTerminal {
  readonly folder = mkdtempSync(join(tmpdir(), "culvert-frame-"));
  #open = "";

  /** What the shell prints for the lines that `typed` ends. */
  type(typed: string): string {
    const lines = (this.#open + typed).split("\n");
    this.#open = lines.pop() ?? "";
    return lines.map((line) => this.#run(line)).join("");
  }

  /** As if nothing had ever been run: fake clocks give every session the same name. */
  forget(): void {
    rmSync(join(this.folder, ".frame.id"), { force: true });
  }

  /** How often `COUNT` has run since this was asked last. */
  timesRun(): number {
    const path = join(this.folder, "count");
    if (!existsSync(path)) return 0;
    const times = readFileSync(path, "utf8").length / "ran\n".length;
    rmSync(path);
    return times;
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }

  #run(line: string): string {
    if (line === "") return "";
    const said = spawnSync("sh", { input: Buffer.from(line, "latin1"), cwd: this.folder, timeout: 20_000 });
    return said.stdout.toString("latin1") + said.stderr.toString("latin1");
  }
}

/** A framed shell whose far end is `answer`: what is printed for what is typed. */
export function shellWith(folder: string, answer: (typed: string, nth: number) => string) {
  const { line, clock, console, lines } = fakeConsole("guest");
  const typed: string[] = [];
  line.typed = (text) => {
    typed.push(text);
    const said = answer(text, typed.length - 1);
    if (said !== "") line.say(said.replaceAll("\n", "\r\n"));
  };
  const shell = new FramedShell(console, "guest-frame", folder);
  return { shell, line, clock, typed, lines: () => lines().map((each) => each.text) };
}
