/** A machine in QEMU whose serial console a test reads and types on. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";

/** Far beyond the seconds that a boot takes without KVM on two busy cores. */
const PATIENCE_MS = 120_000;

export class QemuConsole {
  /** Everything the console has shown. */
  seen = "";
  readonly #qemu: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;
  readonly #patienceMs: number;

  /** `patienceMs`: far beyond what anything takes that is waited for. */
  constructor(program: string, args: readonly string[], patienceMs: number = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
    this.#qemu = spawn(program, ["-nodefaults", "-display", "none", "-serial", "stdio", ...args]);
    this.#exited = once(this.#qemu, "close");
    this.#qemu.stdout.setEncoding("utf8").on("data", (text: string) => (this.seen += text));
    this.#qemu.stderr.setEncoding("utf8").on("data", (text: string) => (this.seen += text));
  }

  /** Waits until the console shows `pattern` behind position `from`; returns the position after it. */
  async expect(pattern: RegExp, from = 0): Promise<number> {
    const signal = AbortSignal.timeout(this.#patienceMs);
    for (;;) {
      const match = pattern.exec(this.seen.slice(from));
      if (match) return from + match.index + match[0].length;
      assert.equal(this.#qemu.exitCode, null, `QEMU ended while ${pattern} was expected:\n${this.seen}`);
      try {
        await Promise.race([once(this.#qemu.stdout, "data", { signal }), this.#exited]);
      } catch (error) {
        throw new Error(`${pattern} did not come:\n${this.seen}`, { cause: error });
      }
    }
  }

  /** Types as it is. */
  write(text: string): void {
    this.#qemu.stdin.write(text);
  }

  type(line: string): void {
    this.write(`${line}\n`);
  }

  /** Has the fixture app evaluate an expression. */
  async evaluate(expression: string): Promise<unknown> {
    const from = this.seen.length;
    this.type(expression);
    const end = await this.expect(/^[=!] .*\r\n/m, from);
    const [, sign, text] = /^([=!]) (.*)$/m.exec(this.seen.slice(from, end)) ?? [];
    assert.equal(sign, "=", `${expression}: ${text}`);
    return JSON.parse(text ?? "");
  }

  async shell(command: string): Promise<unknown> {
    return await this.evaluate(`require("child_process").execSync(${JSON.stringify(command)}).toString().trim()`);
  }

  /** Waits until the machine has stopped by itself; returns QEMU's exit status. */
  async stopped(): Promise<number | null> {
    await this.#exited;
    return this.#qemu.exitCode;
  }

  kill(): void {
    this.#qemu.kill("SIGKILL");
  }
}
