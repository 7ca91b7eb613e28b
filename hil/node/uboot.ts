/** What can be done at U-Boot's command line: environment, memory, loading, starting a system. */
import type { CommandResult } from "../console/frame.ts";
import { Fault } from "../fault.ts";
import type { UBootLine } from "./uboot-line.ts";
import { quoteForHush } from "./uboot-line.ts";

/** A command of U-Boot that had to succeed did not. Class `device`, unless the lab has to do with it. */
export class UBootError extends Fault {
  readonly result: CommandResult;
  constructor(node: string, command: string, result: CommandResult, faultClass: "device" | "bench" = "device") {
    const said = result.output.trim() === "" ? "it said nothing" : result.output.trim();
    super(faultClass, `${node}: U-Boot's \`${command}\` ended with status ${result.status}:\n${said}`, { node });
    this.name = "UBootError";
    this.result = result;
  }
}

/** Kernels print nothing before their own console runs; these are U-Boot's last words, or the kernel's EFI stub's first. */
const HANDED_OVER = ["Starting kernel ...", "EFI stub: ", "Linux version "];
const START_WITHIN_MS = 60_000;
const TRANSFER_WITHIN_MS = 300_000;

/** Whoever must know that U-Boot is no longer there. */
export type Left = (to: "kernel" | "started", because: string) => void;

export class UBoot {
  readonly #line: UBootLine;
  readonly #left: Left;

  constructor(line: UBootLine, left: Left) {
    this.#line = line;
    this.#left = left;
  }

  get node(): string {
    return this.#line.console.name;
  }

  /** Runs one line, such as `true && echo yes`, whatever its status. */
  async try(command: string, withinMs?: number): Promise<CommandResult> {
    return await this.#line.try(command, withinMs);
  }

  /** Runs one line and returns what it printed; throws a `UBootError` unless its status is 0. */
  async run(command: string, withinMs?: number): Promise<string> {
    const result = await this.#line.try(command, withinMs);
    if (result.status !== 0) throw new UBootError(this.node, command, result);
    return result.output;
  }

  async version(): Promise<string> {
    return (await this.run("version")).split("\n").find((line) => line.startsWith("U-Boot")) ?? "";
  }

  /** A variable of the environment; undefined if it is not set. */
  async env(name: string): Promise<string | undefined> {
    return await this.#line.variable(name);
  }

  /** Sets a variable until the next reset; undefined deletes it. */
  async setEnv(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) await this.run(`setenv ${name}`);
    else await this.#line.assign(name, value);
  }

  /** Keeps the environment over resets. */
  async saveEnv(): Promise<void> {
    await this.run("saveenv", TRANSFER_WITHIN_MS);
  }

  /** The address in a variable such as `kernel_addr_r`. Throws a Fault when it is not set. */
  async address(variable: string): Promise<number> {
    const value = await this.env(variable);
    const address = value === undefined ? Number.NaN : Number.parseInt(value, 16);
    if (!Number.isFinite(address)) {
      throw new Fault("device", `${this.node}: ${variable} is no address: ${JSON.stringify(value)}`, {
        node: this.node,
      });
    }
    return address;
  }

  /** CRC-32 (IEEE 802.3) of `length` bytes of memory. */
  async crc32(address: number, length: number): Promise<number> {
    if (length === 0) return 0; // U-Boot takes a length of 0 for the whole memory
    const command = `crc32 ${hex(address)} ${hex(length)}`;
    const output = await this.run(command);
    const sum = /==> ([0-9a-f]{8})\s*$/.exec(output)?.[1];
    if (sum === undefined) throw this.#unreadable(command, output);
    return Number.parseInt(sum, 16);
  }

  /** Reads memory with `md.b`: for hundreds of bytes, not for megabytes. */
  async readMemory(address: number, length: number): Promise<Buffer> {
    const command = `md.b ${hex(address)} ${hex(length)}`;
    const output = length === 0 ? "" : await this.run(command);
    const bytes: number[] = [];
    for (const line of output.split("\n")) {
      const [, at, row] = /^([0-9a-f]{8,16}): ((?:[0-9a-f]{2} ){1,16})/.exec(line) ?? [];
      if (at === undefined || row === undefined) continue;
      if (Number.parseInt(at, 16) !== address + bytes.length) throw this.#unreadable(command, output);
      for (const byte of row.trim().split(" ")) bytes.push(Number.parseInt(byte, 16));
    }
    if (bytes.length !== length) throw this.#unreadable(command, output);
    return Buffer.from(bytes);
  }

  /** Writes memory with `mw`: for hundreds of bytes. U-Boot's own order of bytes does not matter, as each is written alone. */
  async writeMemory(address: number, bytes: Buffer): Promise<void> {
    const PER_LINE = 6;
    for (let at = 0; at < bytes.length; at += PER_LINE) {
      const writes = [...bytes.subarray(at, at + PER_LINE)].map(
        (byte, index) => `mw.b ${hex(address + at + index)} ${hex(byte)}`,
      );
      await this.run(writes.join(";"));
    }
  }

  /** Loads a file by TFTP and returns its length. `ipaddr` and `serverip` must be set. A server that fails is the bench's fault. */
  async tftpBoot(address: number, file: string, withinMs = TRANSFER_WITHIN_MS): Promise<number> {
    const command = `tftpboot ${hex(address)} ${quoteForHush(file)}`;
    const result = await this.#line.try(command, withinMs);
    const length = /Bytes transferred = (\d+) /.exec(result.output)?.[1];
    if (result.status !== 0 || length === undefined) throw new UBootError(this.node, command, result, "bench");
    return Number(length);
  }

  /** Loads by Y-modem over the console: `send` plays the sender once U-Boot waits for it. Returns the number of bytes it says it has. */
  async loadY(address: number, send: () => Promise<void>, withinMs = TRANSFER_WITHIN_MS): Promise<number> {
    const command = `loady ${hex(address)}`;
    await this.#line.begin(command, "(ymodem) download to", 10_000);
    await send();
    const result = await this.#line.finish(command, withinMs);
    const length = /## Total Size {0,8}= 0x[0-9a-f]{1,16} = (\d{1,20}) Bytes/.exec(result.output)?.[1];
    if (result.status !== 0 || length === undefined) throw new UBootError(this.node, command, result, "bench");
    this.#line.console.note(`=> ${command}\n${length} bytes by Y-modem`);
    return Number(length);
  }

  /** Loads a file from a file system: `load virtio 0:1 ADDRESS /boot/Image`. Returns its length. */
  async load(device: string, address: number, path: string): Promise<number> {
    const command = `load ${device} ${hex(address)} ${quoteForHush(path)}`;
    const output = await this.run(command, TRANSFER_WITHIN_MS);
    const length = /^(\d+) bytes read/m.exec(output)?.[1];
    if (length === undefined) throw this.#unreadable(command, output);
    return Number(length);
  }

  /** Starts an arm64 or RISC-V `Image`. Leaves this state. `fdt` is the device tree: `$fdtcontroladdr` for U-Boot's own. */
  async bootI(kernel: number, initrd: { address: number; length: number } | undefined, fdt: string): Promise<void> {
    const initrdWord = initrd === undefined ? "-" : `${hex(initrd.address)}:${hex(initrd.length)}`;
    await this.#start(`booti ${hex(kernel)} ${initrdWord} ${fdt}`);
  }

  /** Starts a uImage or FIT. Leaves this state. */
  async bootM(address: number, more = ""): Promise<void> {
    await this.#start(`bootm ${hex(address)}${more === "" ? "" : ` ${more}`}`);
  }

  /** Starts an EFI program. Leaves this state. */
  async bootEfi(address: number, fdt: string): Promise<void> {
    await this.#start(`bootefi ${hex(address)} ${fdt}`);
  }

  /** What `bootcmd` does. Leaves this state. */
  async boot(): Promise<void> {
    await this.#start("boot");
  }

  /** Resets the board. Leaves this state: the ladder then stands at `started`. */
  async reset(): Promise<void> {
    await this.#line.leave("reset", ["resetting ..."], START_WITHIN_MS);
    this.#left("started", "reset");
  }

  async #start(command: string): Promise<void> {
    await this.#line.leave(command, HANDED_OVER, START_WITHIN_MS);
    this.#left("kernel", `\`${command}\``);
  }

  #unreadable(command: string, output: string): Fault {
    const text = `${this.node}: the answer to \`${command}\` is not understood:\n${output.trim()}`;
    return new Fault("device", text, { node: this.node });
  }
}

/** U-Boot reads numbers as hexadecimal, with or without 0x. */
export function hex(value: number): string {
  return value.toString(16);
}
