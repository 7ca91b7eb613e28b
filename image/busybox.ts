/** busybox-static: the one binary that gives images and guests their shell and tools. */
import { ImageError } from "./failure.ts";
import type { PackageFiles } from "./package-files.ts";
import type { Tree } from "./tree.ts";

/** Applet names lie in one table of zero-terminated strings, sorted, from `[` on (busybox, include/applet_tables.h). */
const TABLE_START = Buffer.from("[\0[[\0");

/** Adds /usr/bin/busybox and a link for each applet whose path is still free: a package's own program wins. */
export function addBusybox(tree: Tree, files: PackageFiles): void {
  const entry = files.entry("/usr/bin/busybox");
  if (entry.content.kind !== "file") throw new ImageError("/usr/bin/busybox is not a file");
  tree.add(entry);
  for (const applet of appletNames(entry.content.data)) {
    const path = `/usr/bin/${applet}`;
    if (!tree.has(path) && !tree.has(`/usr/sbin/${applet}`)) tree.link(path, "busybox");
  }
}

/** Reads the applet names out of the binary, so that one for a foreign machine works too. */
export function appletNames(binary: Buffer): string[] {
  const start = binary.indexOf(TABLE_START);
  const end = binary.indexOf("\0\0", start);
  if (start < 0 || end < 0) throw new ImageError("busybox holds no table of applets: this version is not known here");
  return binary
    .toString("latin1", start, end)
    .split("\0")
    .filter((name) => name !== "busybox");
}
