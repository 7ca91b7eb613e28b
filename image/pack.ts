/** Step 4 of 4: trees become files that a kernel can mount or unpack. The same tree gives the same bytes. */
import { gzipSync } from "node:zlib";
import type { RootCompression } from "./boards/board.ts";
import { emitCpio } from "./cpio.ts";
import type { LockedTools } from "./locked-tool.ts";
import { emitTar } from "./tar.ts";
import type { Tree } from "./tree.ts";

/** An initramfs: gzip, because the kernel unpacks it four times faster than xz and it is small either way. */
export function packInitramfs(tree: Tree, epoch: number): Buffer {
  return gzipSync(emitCpio(tree, epoch), { level: 9 });
}

/** Writes the tree as squashfs to `file`. `epoch`, in seconds since 1970, is the date of every file in it. */
export async function packSquashfs(
  tree: Tree,
  epoch: number,
  compression: RootCompression,
  tools: Pick<LockedTools, "run">,
  file: string,
): Promise<void> {
  const { name, blockSize, options } = compression;
  // -all-root, not -root-uid: that leaves the id of who builds in the table.
  const root = ["-root-mode", "755", "-all-root", "-no-xattrs"];
  // Not sqfstar: that of squashfs-tools 4.5 refuses the compressors' own options.
  const args = [
    "-",
    file,
    "-tar",
    "-noappend",
    "-quiet",
    "-no-progress",
    "-comp",
    name,
    "-b",
    blockSize,
    ...options,
    ...root,
  ];
  const env = { SOURCE_DATE_EPOCH: String(epoch) };
  await tools.run("/usr/bin/mksquashfs", args, { input: emitTar(tree, epoch), env });
}
