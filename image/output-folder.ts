/** Result folders that appear complete or not at all. */
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Calls `fill` with an empty folder and, when it succeeds, puts that in the place of `folder`. */
export async function fillFolder<T>(folder: string, fill: (partial: string) => Promise<T>): Promise<T> {
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}.new-`);
  try {
    const result = await fill(partial);
    await replace(folder, partial);
    return result;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function replace(folder: string, partial: string): Promise<void> {
  for (;;) {
    await rm(folder, { recursive: true, force: true });
    try {
      await rename(partial, folder);
      return;
    } catch (error) {
      // Another process put its own result there between the two calls.
      if (!(error instanceof Error && "code" in error && error.code === "ENOTEMPTY")) throw error;
    }
  }
}
