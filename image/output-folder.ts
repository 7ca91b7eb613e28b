/** Result folders that appear complete or not at all. */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Calls `fill` with an empty folder and, when it succeeds, puts that in the place of `folder`. */
export async function fillFolder<T>(folder: string, fill: (partial: string) => Promise<T>): Promise<T> {
  return await filled(folder, fill, replace);
}

/**
 * The same for a folder that is named by its content: one that another process put there meanwhile is as good as ours, and somebody may
 * be reading it.
 */
export async function fillOnce(folder: string, fill: (partial: string) => Promise<unknown>): Promise<void> {
  await filled(folder, fill, putUnlessThere);
}

async function filled<T>(
  folder: string,
  fill: (partial: string) => Promise<T>,
  put: (folder: string, partial: string) => Promise<void>,
): Promise<T> {
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}.new-`);
  try {
    const result = await fill(partial);
    await put(folder, partial);
    return result;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Deletes all but the `keep` newest folders in `parent` whose names match `pattern`. */
export async function keepNewest(parent: string, pattern: RegExp, keep: number): Promise<void> {
  const names = (await readdir(parent)).filter((name) => pattern.test(name));
  const aged = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(parent, name))).mtimeMs })));
  for (const { name } of aged.sort((a, b) => b.at - a.at).slice(keep)) {
    await rm(join(parent, name), { recursive: true, force: true });
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
      if (!isTaken(error)) throw error;
    }
  }
}

async function putUnlessThere(folder: string, partial: string): Promise<void> {
  await rename(partial, folder).catch((error: unknown) => {
    if (!isTaken(error)) throw error;
  });
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST");
}
