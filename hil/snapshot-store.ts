/** Saved labs on disk, each in a folder named by its content: a name that is found is as good as one that is made anew. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fillFolder } from "../image/output-folder.ts";

const MARK = "saved.json";
/** Older ones go when a new one is saved and all together take more. A running lab keeps its open files. */
const KEPT_BYTES = 6 * 1024 ** 3;

export interface SavedLab {
  readonly folder: string;
  /** When and by which run it was saved, for the report. */
  readonly savedAt: string;
}

export class SnapshotStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** The lab that was saved under this key, if its folder is whole. */
  async find(key: string): Promise<SavedLab | undefined> {
    const folder = this.#folder(key);
    const mark = join(folder, MARK);
    if (!existsSync(mark)) return undefined;
    const { savedAt }: { savedAt: string } = JSON.parse(await readFile(mark, "utf8"));
    const now = new Date();
    await utimes(folder, now, now); // it was used: others go first
    return { folder, savedAt };
  }

  /** Has `save` fill the folder of this key; what a run leaves half done is never found. */
  async keep(key: string, save: (folder: string) => Promise<void>): Promise<SavedLab> {
    const folder = this.#folder(key);
    const savedAt = new Date().toISOString();
    await fillFolder(folder, async (partial) => {
      await save(partial);
      await writeFile(join(partial, MARK), `${JSON.stringify({ savedAt, key })}\n`);
    });
    await this.#trim(folder);
    return { folder, savedAt };
  }

  /** Forgets a lab that could not be restored. */
  async drop(key: string): Promise<void> {
    await rm(this.#folder(key), { recursive: true, force: true });
  }

  async #trim(newest: string): Promise<void> {
    const folders = await Promise.all(
      (await readdir(this.#root)).map(async (name) => {
        const folder = join(this.#root, name);
        return { folder, usedMs: (await stat(folder)).mtimeMs, bytes: await bytesIn(folder) };
      }),
    );
    let total = 0;
    for (const { folder, bytes } of folders.sort((a, b) => b.usedMs - a.usedMs)) {
      total += bytes;
      if (total > KEPT_BYTES && folder !== newest) await rm(folder, { recursive: true, force: true });
    }
  }

  #folder(key: string): string {
    return join(this.#root, key.slice(0, 24));
  }
}

async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch((): string[] => []); // another run may delete it now
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(folder, name)).catch(() => ({ blocks: 0 }))).blocks * 512),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
