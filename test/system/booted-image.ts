/** An image with the fixture app in QEMU, its kernel started directly, and its serial console. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { after } from "node:test";
import type { BuiltImage } from "../../image/build.ts";

/** Far beyond the 12 s that a boot takes without KVM on two busy cores. */
const PATIENCE_MS = 120_000;
export const UP = /fixture app is up, the addon says 42\r?\n/;

const anywhere = (): string => "";
const EMULATION = {
  amd64: { program: "qemu-system-x86_64", words: ["-cpu", "max", "-M", "q35", "-m", "512"], place: anywhere },
  arm64: { program: "qemu-system-aarch64", words: ["-cpu", "cortex-a53", "-M", "virt", "-m", "512"], place: anywhere },
  // Malta has interrupts for the slots 12 to 15 only.
  mipsel: {
    program: "qemu-system-mipsel",
    words: ["-cpu", "34Kf", "-M", "malta", "-m", "256"],
    place: (index: number) => `,addr=${12 + index}`,
  },
} as const;

const running: BootedImage[] = [];
after(() => {
  for (const machine of running) machine.kill();
});

/** A booted image whose serial console is read and typed on. */
export class BootedImage {
  /** Everything the console has shown. */
  seen = "";
  readonly #qemu: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;

  /** `devices` are more words for QEMU, such as `["-device", "e1000e"]`. */
  constructor(image: BuiltImage, dataDisk: string | undefined, devices: readonly string[] = []) {
    const disks = [
      ["culvert-root", image.root, "on"] as const,
      ...(dataDisk ? [["culvert-data", dataDisk, "off"] as const] : []),
    ];
    const { program, words, place } = EMULATION[image.board.machine.architecture];
    this.#qemu = spawn(program, [
      ...["-accel", "tcg", ...words, "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"],
      ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", image.board.commandLine],
      ...disks.flatMap(([serial, file, readOnly], index) => [
        ...["-drive", `if=none,id=${serial},file=${file},format=raw,readonly=${readOnly}`],
        ...["-device", `virtio-blk-pci,drive=${serial},serial=${serial}${place(index)}`],
      ]),
      ...devices,
    ]);
    this.#exited = once(this.#qemu, "exit");
    this.#qemu.stdout.setEncoding("utf8").on("data", (text: string) => (this.seen += text));
    running.push(this);
  }

  /** Waits until the console shows `pattern` behind position `from`; returns the position after it. */
  async expect(pattern: RegExp, from = 0): Promise<number> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const match = pattern.exec(this.seen.slice(from));
      if (match) return from + match.index + match[0].length;
      assert.equal(this.#qemu.exitCode, null, `QEMU ended while ${pattern} was expected:\n${this.seen}`);
      try {
        await once(this.#qemu.stdout, "data", { signal });
      } catch (error) {
        throw new Error(`${pattern} did not come:\n${this.seen}`, { cause: error });
      }
    }
  }

  type(line: string): void {
    this.#qemu.stdin.write(`${line}\n`);
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

  /** Waits until the machine has stopped by itself. */
  async stopped(): Promise<void> {
    await this.#exited;
  }

  kill(): void {
    this.#qemu.kill("SIGKILL");
  }
}
