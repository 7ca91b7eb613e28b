/** Runs the programs that the builder borrows from the host, and says which package brings a missing one. */
import { Readable } from "node:stream";
import { ExecaError, execa } from "execa";
import { ImageError } from "./failure.ts";

/** Program -> Debian package. What is not listed here is not used. */
const PROVIDER = {
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
  "apt-cache": "apt",
  "apt-config": "apt",
  "apt-get": "apt",
  "dpkg-deb": "dpkg",
  flock: "util-linux",
  gcc: "gcc",
  git: "git",
  "mipsel-linux-gnu-gcc": "gcc-mipsel-linux-gnu",
  mksquashfs: "squashfs-tools",
  "x86_64-linux-gnu-gcc": "gcc-x86-64-linux-gnu",
  xz: "xz-utils",
} as const;

export type HostTool = keyof typeof PROVIDER;

/** A program ran and failed. */
export class ToolError extends ImageError {
  /** What it wrote to standard error, or else how it ended. */
  readonly said: string;

  constructor(tool: string, args: readonly string[], said: string, options?: ErrorOptions) {
    super(`${tool} ${args.slice(0, 4).join(" ")}: ${said}`, options);
    this.name = "ToolError";
    this.said = said;
  }
}

export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Iterable<Uint8Array>;
  /** Called for each line of standard output while the program runs. */
  readonly onLine?: (line: string) => void;
}

/** Runs `tool` to its end and returns its standard output. The locale is fixed, so wording and order are too. */
export async function runTool(tool: HostTool, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { onLine } = options;
  try {
    const running = execa(tool, args, { ...settings(options), encoding: "utf8" });
    if (onLine) for await (const line of running) onLine(line);
    return (await running).stdout;
  } catch (error) {
    throw explain(tool, args, error);
  }
}

/** As runTool, for output that is not text: filters `input` through `tool`. */
export async function filterBytes(
  tool: HostTool,
  args: readonly string[],
  input: Iterable<Uint8Array>,
): Promise<Buffer> {
  try {
    const { stdout } = await execa(tool, args, { ...settings({ input }), encoding: "buffer" });
    return Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength);
  } catch (error) {
    throw explain(tool, args, error);
  }
}

/** For execa: a fixed locale, and no terminal to read from. */
export function settings({ cwd, env, input }: ToolOptions) {
  return {
    env: { LC_ALL: "C", ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: "ignore" as const } : { input: Readable.from(input, { objectMode: false }) }),
  };
}

/** The tool's own first line about its version: part of every cache key of what it makes. */
export async function toolVersion(tool: HostTool, flag = "--version"): Promise<string> {
  const [line = ""] = (await runTool(tool, [flag])).split("\n");
  return line.trim();
}

/** What went wrong, in words. */
export function explain(tool: string, args: readonly string[], error: unknown): Error {
  if (!(error instanceof ExecaError)) return new ImageError(`${tool} failed: ${String(error)}`, { cause: error });
  if (error.code === "ENOENT") {
    const provider = Object.entries(PROVIDER).find(([name]) => name === tool)?.[1];
    const remedy = provider === undefined ? "delete .culvert/cache" : `run \`apt-get install ${provider}\` as root`;
    return new ImageError(`${tool} is not installed: ${remedy}`);
  }
  const said = String(error.stderr ?? "").trim() || error.shortMessage;
  return new ToolError(tool, args, said, { cause: error });
}
