/** Where the project and its git-ignored working folder are, whether this runs from `dist/` or from the sources. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ImageError } from "./failure.ts";

/** The folder of the `package.json` named `culvert`, at or above `from`. */
export function findProjectRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file)) {
      const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
      if (typeof manifest === "object" && manifest !== null && "name" in manifest && manifest.name === "culvert") {
        return folder;
      }
    }
    if (dirname(folder) === folder) {
      throw new ImageError(`no package.json named "culvert" at or above ${from}: run this from a complete checkout`);
    }
  }
}

export const projectRoot = findProjectRoot(dirname(fileURLToPath(import.meta.url)));

/** Everything we make lies here; deleting it costs time and nothing else. */
export const workFolder = join(projectRoot, ".culvert");
/** Content-addressed inputs and intermediate results, shared by all boards and guests. */
export const cacheFolder = join(workFolder, "cache");
/** Finished images, one folder per board. */
export const imageFolder = join(workFolder, "images");
/** Finished flashable disks, one folder per board. */
export const flashableFolder = join(workFolder, "flashable");
/** Finished lab guests, one folder per guest. */
export const guestFolder = join(workFolder, "guests");
/** The addon compiled for this machine, for tests. */
export const nativeFolder = join(workFolder, "native");
export const lockFile = join(projectRoot, "image", "packages.lock.json");
