/** Many unpacked packages seen as one root file system, with Debian's merged /usr. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { ImageError } from "./failure.ts";
import { type Entry, mergedPath } from "./tree.ts";

/** Longer chains are a loop. Linux's own limit (MAXSYMLINKS). */
const LINKS_AT_MOST = 40;

export interface Resolved {
  /** Where the file itself is, such as `/usr/lib/x86_64-linux-gnu/libz.so.1.2.13`. */
  readonly path: string;
  /** The symbolic links followed on the way, each an entry of its own. */
  readonly links: readonly Entry[];
}

type Found =
  | { readonly kind: "file"; readonly host: string; readonly executable: boolean }
  | { readonly kind: "folder" }
  | { readonly kind: "link"; readonly target: string };

/** Looks at each path once: the packages must not change meanwhile. */
export class PackageFiles {
  readonly #folders: readonly string[];
  readonly #found = new Map<string, Found | undefined>();
  /** Folder of the image -> host folders that are it. */
  readonly #places = new Map<string, readonly string[]>();

  /** `folders` are the unpacked packages; should two hold one path, the first wins. */
  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** Follows symbolic links, in folders too. Undefined when the path leads nowhere. */
  resolve(path: string): Resolved | undefined {
    const links: Entry[] = [];
    let wanted = mergedPath(posix.normalize(path));
    for (let followed = 0; followed <= LINKS_AT_MOST; followed++) {
      const link = this.#firstLink(wanted);
      if (link === undefined) return this.#find(wanted)?.kind === "file" ? { path: wanted, links } : undefined;
      links.push({ path: link.path, mode: 0o777, content: { kind: "link", target: link.target } });
      wanted = mergedPath(
        posix.join(posix.resolve(posix.dirname(link.path), link.target), wanted.slice(link.path.length)),
      );
    }
    throw new ImageError(`${path} is a loop of symbolic links`);
  }

  /** The entry of a regular file. Modes are 0755 or 0644, so neither the umask nor who unpacked it matters. */
  entry(path: string): Entry {
    const found = this.#find(path);
    if (found?.kind !== "file") throw new ImageError(`no package of this build has the file ${path}`);
    return {
      path,
      mode: found.executable ? 0o755 : 0o644,
      content: { kind: "file", data: readFileSync(found.host), from: found.host },
    };
  }

  /** Where the file that `path` leads to lies on the host. Undefined when it leads nowhere. */
  hostPath(path: string): string | undefined {
    const found = this.#find(this.resolve(path)?.path ?? "");
    return found?.kind === "file" ? found.host : undefined;
  }

  /** Where the folder `path` lies on the host, in the first package that has it. */
  hostFolder(path: string): string | undefined {
    return this.#foldersAt(mergedPath(path))[0];
  }

  /** The paths that match `pattern`, in which `*` stands for any part of one name. Sorted; empty when there are none. */
  expand(pattern: string): string[] {
    let bases = [""];
    for (const part of mergedPath(pattern).split("/").slice(1)) {
      const name = new RegExp(
        `^${part
          .split("*")
          .map((text) => text.replace(/[.+^${}()|[\]\\]/g, "\\$&"))
          .join(".*")}$`,
      );
      bases = bases.flatMap((base) =>
        part.includes("*")
          ? this.#names(base).flatMap((each) => (name.test(each) ? [`${base}/${each}`] : []))
          : [`${base}/${part}`],
      );
    }
    return bases.filter((path) => this.#find(path) !== undefined);
  }

  /** The first folder or file on the way to `path` that is a symbolic link. */
  #firstLink(path: string): { path: string; target: string } | undefined {
    for (let at = path.indexOf("/", 1); ; at = path.indexOf("/", at + 1)) {
      const part = at < 0 ? path : path.slice(0, at);
      const found = this.#find(part);
      if (found?.kind === "link") return { path: part, target: found.target };
      if (at < 0) return undefined;
    }
  }

  #names(folder: string): string[] {
    return [...new Set(this.#foldersAt(folder).flatMap((host) => readdirSync(host)))].sort();
  }

  #find(path: string): Found | undefined {
    if (!this.#found.has(path)) this.#found.set(path, this.#look(path));
    return this.#found.get(path);
  }

  #look(path: string): Found | undefined {
    const name = path.slice(path.lastIndexOf("/"));
    for (const folder of this.#foldersAt(path.slice(0, -name.length))) {
      const host = folder + name;
      const stats = lstatSync(host, { throwIfNoEntry: false });
      if (stats?.isFile()) return { kind: "file", host, executable: (stats.mode & 0o111) !== 0 };
      if (stats?.isSymbolicLink()) return { kind: "link", target: readlinkSync(host) };
      if (stats?.isDirectory()) return { kind: "folder" };
    }
    return undefined;
  }

  /** Where packages have the folder; few of them do, which spares looking for its files in the others. */
  #foldersAt(path: string): readonly string[] {
    const known = this.#places.get(path);
    if (known !== undefined) return known;
    const places = this.#hostPaths(path).filter((host) => lstatSync(host, { throwIfNoEntry: false })?.isDirectory());
    this.#places.set(path, places);
    return places;
  }

  /** A merged path may be spelled without /usr inside a package. */
  #hostPaths(path: string): string[] {
    const spellings = [path];
    if (path.startsWith("/usr/") && mergedPath(path.slice(4)) === path) spellings.push(path.slice(4));
    return this.#folders.flatMap((folder) => spellings.map((each) => folder + each));
  }
}
