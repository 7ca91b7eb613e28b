/** Which package each file of an image comes from, found by looking: the same path in an unpacked package, the same bytes or not. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PreparedPackage } from "../prepare.ts";
import { mergedPath, type Tree } from "../tree.ts";

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
  return {
    size: data.length,
    sha1: createHash("sha1").update(data).digest("hex"),
    sha256: createHash("sha256").update(data).digest("hex"),
  };
}

/** The files of the named trees, sorted by name. */
export function findOrigins(
  trees: Readonly<Record<string, Tree>>,
  packages: readonly PreparedPackage[],
): readonly FileOrigin[] {
  const files: FileOrigin[] = [];
  for (const [tree, { path, data }] of Object.entries(trees).flatMap(([name, each]) =>
    regularFiles(each).map((file) => [name, file] as const),
  )) {
    const found = firstWith(packages, path);
    files.push({
      name: `${tree}${path}`,
      ...describe(data),
      package: found?.package,
      modified: found !== undefined && !readFileSync(found.file).equals(data),
    });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function regularFiles(tree: Tree): { path: string; data: Buffer }[] {
  return tree.entries().flatMap(({ path, content }) => (content.kind === "file" ? [{ path, data: content.data }] : []));
}

function firstWith(
  packages: readonly PreparedPackage[],
  path: string,
): { package: PreparedPackage; file: string } | undefined {
  for (const each of packages) {
    for (const place of placesOf(path, each)) {
      const file = join(each.folder, place);
      if (lstatSync(file, { throwIfNoEntry: false })?.isFile()) return { package: each, file };
    }
  }
  return undefined;
}

/** How a package may spell a path of an image: without the merged /usr, and a kernel with its release behind the name. */
function placesOf(path: string, { folder }: PreparedPackage): string[] {
  const places = [path];
  if (path.startsWith("/usr/") && mergedPath(path.slice(4)) === path) places.push(path.slice(4));
  if (path === "/boot/vmlinuz" && lstatSync(join(folder, "boot"), { throwIfNoEntry: false })?.isDirectory()) {
    places.push(
      ...readdirSync(join(folder, "boot"))
        .filter((name) => name.startsWith("vmlinu"))
        .map((name) => `/boot/${name}`),
    );
  }
  return places;
}
