/** contents.json beside an image: every file with its size, its hash, and the package it is of. For comparisons and the size table. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageError } from "./failure.ts";
import type { FileOrigin } from "./paper/origins.ts";

export const CONTENTS_NAME = "contents.json";

export interface ContentsFile {
  /** `TREE/path`, such as `root/usr/bin/node`. */
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  /** Debian package; undefined for our own files. */
  readonly package: string | undefined;
}

/** One file a line, so that a text comparison reads well. */
export function emitContents(files: readonly FileOrigin[]): string {
  const lines = files.map(({ name, size, sha256, package: origin }) =>
    JSON.stringify({ name, size, sha256, package: origin?.package }),
  );
  return `[\n${lines.join(",\n")}\n]\n`;
}

/** Throws an ImageError for a folder that holds no built image. */
export async function readContents(folder: string): Promise<ContentsFile[]> {
  const file = join(folder, CONTENTS_NAME);
  if (!existsSync(file)) throw new ImageError(`${folder} holds no image with ${CONTENTS_NAME}: build it again`);
  return JSON.parse(await readFile(file, "utf8"));
}
