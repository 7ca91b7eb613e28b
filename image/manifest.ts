/** manifest.json beside an image: what it is made of. It says where the image came from; it is not part of the image. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256Of } from "./digest.ts";
import { ImageError } from "./failure.ts";
import { runTool } from "./host-tool.ts";
import type { LockedPackage } from "./lock.ts";

export interface FileFacts {
  readonly size: number;
  readonly sha256: string;
  /** Of a file that is signed: without signature and trust anchor, so the same for whoever builds it, with any key. */
  readonly sha256_unsigned?: string;
}

export interface Manifest {
  readonly format: 1;
  readonly board: string;
  /** The project's version. */
  readonly version: string;
  /** Content hash of all inputs. */
  readonly key: string;
  /** What was checked out when the image was built, with `-dirty` when files differed from it. */
  readonly commit: string | undefined;
  readonly unlocked: boolean;
  /** The date of every file in the image, seconds since 1970. */
  readonly epoch: number;
  /** Program -> what it says about its version. */
  readonly tools: Readonly<Record<string, string>>;
  readonly packages: readonly LockedPackage[];
  /** What was compiled. */
  readonly app: Readonly<Record<string, FileFacts>>;
  readonly files: Readonly<Record<string, FileFacts>>;
}

export const MANIFEST_NAME = "manifest.json";

export function describeBytes(bytes: Buffer): FileFacts {
  return { size: bytes.length, sha256: sha256Of(bytes) };
}

/** The manifest of an image folder; undefined when there is none. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = join(folder, MANIFEST_NAME);
  if (!existsSync(file)) return undefined;
  const manifest: Manifest = JSON.parse(await readFile(file, "utf8"));
  if (manifest.format !== 1) throw new ImageError(`${file} is of another version: delete ${folder} and build again`);
  return manifest;
}

/** The commit checked out in `folder`; undefined outside a git checkout. */
export async function readCommit(folder: string): Promise<string | undefined> {
  if (!existsSync(join(folder, ".git"))) return undefined;
  return (
    await runTool("git", ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], { cwd: folder })
  ).trim();
}
