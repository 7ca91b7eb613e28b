/**
 * The squashfs of a slot: kernel, initramfs and root in one file that GRUB reads, hence xz. What a change of the app does not touch
 * is packed once and kept; the app is appended to a copy of it. A release is made in the same way, so both are the same bytes.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RootCompression } from "./boards/board.ts";
import { contentKey } from "./content-key.ts";
import { sha256Of } from "./digest.ts";
import { ImageError } from "./failure.ts";
import { inTurn } from "./in-turn.ts";
import type { LockedTools } from "./locked-tool.ts";
import { fillOnce, keepNewest } from "./output-folder.ts";
import { packSquashfs } from "./pack.ts";
import { cacheFolder } from "./project.ts";
import type { Tree } from "./tree.ts";

export interface SlotTrees {
  /** Everything but the app. */
  readonly base: Tree;
  /** Folders of the app, none of which the base has. */
  readonly app: Tree;
}

/** Each change of packages, modules or scripts makes another one of 30 MB. */
const KEPT_BASES = 4;
const BASE_NAME = "base.sqfs";

/** Writes the slot's squashfs to `file`. */
export async function packSlot(
  trees: SlotTrees,
  epoch: number,
  compression: RootCompression,
  tools: LockedTools,
  file: string,
): Promise<void> {
  const parent = join(cacheFolder, "slots");
  const folder = join(parent, baseKey(trees.base, epoch, compression, tools));
  await inTurn(folder, async () => {
    if (existsSync(folder)) return;
    await fillOnce(folder, (partial) => packSquashfs(trees.base, epoch, compression, tools, join(partial, BASE_NAME)));
    await keepNewest(parent, /^[0-9a-f]{64}$/, KEPT_BASES);
  });
  await copyFile(join(folder, BASE_NAME), file);
  await append(trees.app, epoch, tools, file);
}

function baseKey(base: Tree, epoch: number, compression: RootCompression, tools: LockedTools): string {
  const parts: string[] = [JSON.stringify([epoch, compression, tools.identity])];
  for (const { path, mode, content } of base.entries()) {
    const { kind } = content;
    parts.push(path, `${mode} ${kind}`);
    if (kind === "file") parts.push(sha256Of(content.data));
    else if (kind === "link") parts.push(content.target);
    else if (kind === "character-device") parts.push(`${content.major} ${content.minor}`);
  }
  return contentKey(parts);
}

/** mksquashfs appends from folders only, and takes modes and dates from them. */
async function append(tree: Tree, epoch: number, tools: LockedTools, file: string): Promise<void> {
  const staging = await mkdtemp(join(tmpdir(), "culvert-slot-"));
  try {
    for (const { path, mode, content } of tree.entries()) {
      const target = join(staging, path);
      if (content.kind === "folder") await mkdir(target);
      else if (content.kind === "file") await writeFile(target, content.data);
      else throw new ImageError(`${path}: an app has files and folders only`);
      await chmod(target, mode); // whatever the umask
    }
    const args = [staging, file, "-all-root", "-no-xattrs", "-no-recovery", "-quiet", "-no-progress"];
    // The root of the slot gets it too, and mkdtemp's lets nobody in but root.
    await chmod(staging, 0o755);
    // Folders get the date of what was last put into them; the variable turns every date after it into itself.
    await tools.run("/usr/bin/mksquashfs", args, { env: { SOURCE_DATE_EPOCH: String(epoch) } });
  } finally {
    await rm(staging, { recursive: true });
  }
}
