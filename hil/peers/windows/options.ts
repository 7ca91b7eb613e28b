/** The command line's words about a real Windows: `--peer windows --image FILE ...`, checked before anything starts. */
import { closeSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import type { RealWindowsChoice } from "../../scenario.ts";
import { UsageError } from "../../usage-error.ts";
import type { WindowsImage } from "./machine.ts";

export interface WindowsOptions {
  readonly peer?: string;
  readonly image?: string;
  readonly firmware?: string;
  readonly "ssh-key"?: string;
  readonly "windows-user"?: string;
}

/** The account that prepare-windows makes. */
export const DEFAULT_USER = "lab";

/** Undefined without `--peer`. The password for SAC comes from CULVERT_WINDOWS_PASSWORD, so that no process list shows it. */
export function windowsChoice(options: WindowsOptions, env = process.env): RealWindowsChoice | undefined {
  const { peer, image, firmware = "uefi", "ssh-key": keyFile, "windows-user": user = DEFAULT_USER } = options;
  if (peer === undefined) {
    const alone = (["image", "firmware", "ssh-key", "windows-user"] as const).find(
      (name) => options[name] !== undefined,
    );
    if (alone !== undefined) throw new UsageError(`--${alone} is for --peer windows`);
    return undefined;
  }
  if (peer !== "windows") throw new UsageError(`--peer ${peer}: the one peer to choose is windows`);
  if (image === undefined)
    throw new UsageError(
      "--peer windows: give --image FILE, a disk with Windows on it; `culvert lab prepare-windows` helps to make one",
    );
  if (firmware !== "uefi" && firmware !== "bios") throw new UsageError(`--firmware ${firmware}: give uefi or bios`);
  const { CULVERT_WINDOWS_PASSWORD: password } = env;
  return {
    image: { path: resolve(image), format: diskFormat(image), firmware },
    credentials: {
      ssh: keyFile === undefined ? undefined : { user, keyFile: resolve(keyFile) },
      sac: password === undefined || password === "" ? undefined : { user, password },
    },
  };
}

/** By its first bytes; throws a UsageError for what is no disk. */
function diskFormat(path: string): WindowsImage["format"] {
  const start = Buffer.alloc(512);
  try {
    const file = openSync(path, "r");
    try {
      readSync(file, start, 0, start.length, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UsageError(`--image ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  if (start.toString("latin1", 0, 4) === "QFI\xfb") return "qcow2";
  if (start.readUInt16LE(510) === 0xaa55) return "raw";
  throw new UsageError(`--image ${path}: neither a qcow2 image nor a disk with a boot record`);
}
