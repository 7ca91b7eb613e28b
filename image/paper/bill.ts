/** The bill of materials before any format: what an image holds, where each part comes from, and under which licence. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DebCache } from "../deb-cache.ts";
import { ImageError } from "../failure.ts";
import { PackageFiles } from "../package-files.ts";
import type { PreparedPackage } from "../prepare.ts";
import { projectRoot } from "../project.ts";
import type { Tree } from "../tree.ts";
import { parseCopyright } from "./copyright.ts";
import { expressLicences } from "./licence-expression.ts";
import { type FileOrigin, findOrigins, type MadeFile, originOf } from "./origins.ts";

/** Locked beside a board's packages for their texts: what Debian's copyright files point at, and what GCC's are. */
export const PAPER_PACKAGES: readonly string[] = ["base-files", "gcc-12-base"];

export interface SourcePackage {
  readonly name: string;
  readonly version: string;
}

/** A Debian package of which the image has at least one file, or something that is made of it. */
export interface BilledPackage {
  readonly entry: PreparedPackage;
  readonly source: SourcePackage;
  /** Sources of which parts are compiled in, such as glibc in a static program (Debian policy §7.8). */
  readonly builtUsing: readonly SourcePackage[];
  readonly maintainer: string;
  /** SPDX licence expression: everything that files of the source are under. */
  readonly licence: string;
  /** LicenseRef-... of the expression -> its words. */
  readonly references: ReadonlyMap<string, string>;
  /** Lines of who holds the rights; empty when the copyright file is prose. */
  readonly holders: readonly string[];
  /** Debian's copyright file. */
  readonly copyright: string;
  readonly files: readonly FileOrigin[];
}

/** An npm package that esbuild put into the app. */
export interface BilledModule {
  readonly name: string;
  readonly version: string;
  /** SPDX licence expression, of its package.json. */
  readonly licence: string;
  /** The words of its licence file; empty when it brings none. */
  readonly text: string;
}

export interface Bill {
  readonly board: string;
  readonly version: string;
  readonly commit: string | undefined;
  /** Content hash of all inputs. */
  readonly key: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** Sorted by name. */
  readonly packages: readonly BilledPackage[];
  readonly modules: readonly BilledModule[];
  /** Files that are ours, the app among them. */
  readonly own: readonly FileOrigin[];
  readonly ownLicence: { readonly licence: string; readonly text: string };
  /** Licences that Debian's copyright files point at, by file name, such as `GPL-2`. */
  readonly commonLicences: ReadonlyMap<string, string>;
}

/** All files of the image, sorted by name. */
export function filesOf({ own, packages }: Bill): FileOrigin[] {
  return [...own, ...packages.flatMap(({ files }) => files)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export interface BillRequest {
  readonly board: string;
  readonly version: string;
  readonly commit: string | undefined;
  readonly key: string;
  readonly epoch: number;
  readonly packages: readonly PreparedPackage[];
  /** PAPER_PACKAGES: nothing of them is in the image. */
  readonly paperPackages: readonly PreparedPackage[];
  readonly cache: DebCache;
  /** Tree name -> tree, such as `root` and `initramfs`. */
  readonly trees: Readonly<Record<string, Tree>>;
  /** What lies on the disk outside the trees: the boot loader. Its packages are among `packages`. */
  readonly made: readonly MadeFile[];
  /** Folders of npm packages in the app, absolute. */
  readonly modules: readonly string[];
}

/** Throws an ImageError for a package without a copyright file: an image that cannot name its licences is not made. */
export async function makeBill(request: BillRequest): Promise<Bill> {
  const { board, version, commit, key, epoch } = request;
  const files = new PackageFiles([...request.packages, ...request.paperPackages].map((each) => each.folder));
  const origins = [...findOrigins(request.trees, request.packages), ...request.made.map(originOf)];
  const packages: BilledPackage[] = [];
  for (const entry of request.packages) {
    const own = origins.filter((file) => file.package === entry);
    if (own.length > 0) packages.push(await billPackage(entry, own, files, request.cache));
  }
  packages.sort((a, b) => (a.entry.package < b.entry.package ? -1 : 1));
  return {
    ...{ board, version, commit, key, epoch, packages },
    modules: request.modules.map(billModule),
    own: origins.filter((file) => file.package === undefined),
    ownLicence: { licence: "MIT", text: readFileSync(join(projectRoot, "LICENSE"), "utf8") },
    commonLicences: commonLicences(files, packages),
  };
}

async function billPackage(
  entry: PreparedPackage,
  own: readonly FileOrigin[],
  files: PackageFiles,
  cache: DebCache,
): Promise<BilledPackage> {
  const control = await cache.control(entry);
  const [source] = parseSources(control.get("Source") ?? entry.source);
  const copyright = readText(files, `/usr/share/doc/${entry.package}/copyright`);
  if (copyright === undefined) {
    throw new ImageError(
      `no package of this build has the copyright file of ${entry.package}: add the package that its ` +
        `/usr/share/doc/${entry.package} leads to to PAPER_PACKAGES in image/paper/bill.ts and lock it`,
    );
  }
  const { expressions, holders, texts } = parseCopyright(copyright);
  const scope = source?.name ?? entry.source;
  // Prose has no names: the whole file is the licence.
  const { expression, references } = expressLicences(expressions.length > 0 ? expressions : ["copyright"], scope);
  return {
    entry,
    source: { name: scope, version: source?.version || withoutRebuild(control.get("Version") ?? entry.version) },
    builtUsing: parseSources(control.get("Built-Using") ?? ""),
    maintainer: control.get("Maintainer") ?? "",
    licence: expression,
    references: new Map([...references].map(([id, name]) => [id, texts.get(name) || copyright])),
    holders,
    copyright,
    files: own,
  };
}

/** `busybox (1:1.35.0-4)` and `linux (= 6.1.192-2), glibc (= 2.36-9)`; a version that is not told is empty. */
function parseSources(text: string): SourcePackage[] {
  return [...text.matchAll(/([a-z0-9][a-z0-9.+-]+)(?:\s*\(=?\s*([^)\s]+)\))?/g)].map(([, name = "", version = ""]) => ({
    name,
    version,
  }));
}

/** A binary package that was only built again has its source's version and `+bN` (Debian's binary-only uploads). */
function withoutRebuild(version: string): string {
  return version.replace(/\+b\d+$/, "");
}

function readText(files: PackageFiles, path: string): string | undefined {
  const resolved = files.resolve(path);
  if (resolved === undefined) return undefined;
  const { content } = files.entry(resolved.path);
  return content.kind === "file" ? content.data.toString("utf8") : undefined;
}

function billModule(folder: string): BilledModule {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license", "COPYING"]
    .map((each) => join(folder, each))
    .find((each) => existsSync(each));
  if (typeof license !== "string") throw new ImageError(`${folder}/package.json names no licence: do not bundle it`);
  return { name, version, licence: license, text: file === undefined ? "" : readFileSync(file, "utf8") };
}

function commonLicences(files: PackageFiles, packages: readonly BilledPackage[]): Map<string, string> {
  const named = packages.flatMap(({ copyright }) =>
    [...copyright.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z0-9.-]*[A-Za-z0-9])/g)].map(([, name = ""]) => name),
  );
  const texts = [...new Set(named)].sort().flatMap((name) => {
    const text = readText(files, `/usr/share/common-licenses/${name}`);
    return text === undefined ? [] : [[name, text] as const];
  });
  return new Map(texts);
}
