/** Result folders that appear complete or not at all. */
import { mkdir, rename, rm } from "node:fs/promises";
import process from "node:process";

/** Calls `fill` with an empty folder and, when it succeeds, puts that in the place of `folder`. */
export async function fillFolder<T>(folder: string, fill: (partial: string) => Promise<T>): Promise<T> {
  const partial = `${folder}.new-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    const result = await fill(partial);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}
