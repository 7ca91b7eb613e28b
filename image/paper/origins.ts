/** Which package each file of an image comes from, found by looking: the same path in an unpacked package, the same bytes or not. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { sha256Of } from "../digest.ts";
import { PackageFiles } from "../package-files.ts";
import type { PreparedPackage } from "../prepare.ts";
import type { Tree } from "../tree.ts";

export interface FileOrigin {
  /** Where it is in the image: `TREE/path`, such as `root/usr/bin/node`; `bios-boot` and `BOOT` are partitions. */
  readonly name: string;
  readonly size: number;
  readonly sha1: string;
  readonly sha256: string;
  /** Undefined for our own files. */
  readonly package: PreparedPackage | undefined;
  /** True when the builder changed the package's file, such as the ICU data, or made another one of it, such as GRUB's core. */
  readonly modified: boolean;
}

/** A file that lies in no tree and in no package: the boot loader, made of a package's modules, and its configuration. */
export interface MadeFile {
  /** As `FileOrigin.name`. */
  readonly name: string;
  readonly data: Buffer;
  /** Whose files it is made of; undefined for our own. */
  readonly package: PreparedPackage | undefined;
}

export function originOf({ name, data, package: from }: MadeFile): FileOrigin {
  return { name, ...describe(data), package: from, modified: from !== undefined };
}

function describe(data: Buffer): Pick<FileOrigin, "size" | "sha1" | "sha256"> {
  return { size: data.length, sha1: createHash("sha1").update(data).digest("hex"), sha256: sha256Of(data) };
}

/** The files of the named trees, sorted by name. */
export function findOrigins(
  trees: Readonly<Record<string, Tree>>,
  packages: readonly PreparedPackage[],
): readonly FileOrigin[] {
  const files: FileOrigin[] = [];
  const packageFiles = new PackageFiles(packages.map(({ folder }) => folder));
  for (const [tree, { path, data, from }] of Object.entries(trees).flatMap(([name, each]) =>
    regularFiles(each).map((file) => [name, file] as const),
  )) {
    const found = hostPath(packageFiles, path);
    files.push({
      name: `${tree}${path}`,
      ...describe(data),
      package: found === undefined ? undefined : packages.find(({ folder }) => found.startsWith(`${folder}/`)),
      modified: found !== undefined && found !== from && !readFileSync(found).equals(data),
    });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function regularFiles(tree: Tree): { path: string; data: Buffer; from?: string }[] {
  return tree.entries().flatMap(({ path, content }) => (content.kind === "file" ? [{ path, ...content }] : []));
}

/** A package's kernel has its release behind the name. */
function hostPath(files: PackageFiles, path: string): string | undefined {
  if (path !== "/boot/vmlinuz") return files.hostPath(path);
  const [kernel] = files.expand("/boot/vmlinu*");
  return kernel === undefined ? undefined : files.hostPath(kernel);
}
