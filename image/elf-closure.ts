/**
 * Which files a set of programs needs: their interpreter and, through DT_NEEDED, their libraries. Package dependencies
 * would bring perl and debconf into an image; this brings what the dynamic linker will open and nothing else.
 */
import { isElf, parseElf } from "./elf.ts";
import { ImageError } from "./failure.ts";
import type { Machine } from "./machines.ts";
import type { PackageFiles } from "./package-files.ts";
import type { Entry } from "./tree.ts";

/** What the dynamic linker of a machine takes, and where it looks. */
type Linkage = Pick<Machine, "elfMachine" | "libraryFolders">;

/**
 * Entries of `paths` and of everything they need, links included, each once. Throws an ImageError that names the missing
 * file or soname and who needs it, or the file that is for another machine.
 */
export function elfClosure(files: PackageFiles, paths: readonly string[], machine: Linkage): Entry[] {
  const entries = new Map<string, Entry>();
  const waiting = paths.map((path) => ({ path, why: "the board or guest lists it" }));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const resolved = files.resolve(next.path);
    if (!resolved)
      throw new ImageError(`no package of this build has ${next.path} (${next.why}): add the package that has it`);
    for (const link of resolved.links) entries.set(link.path, link);
    if (entries.has(resolved.path)) continue;
    const entry = files.entry(resolved.path);
    entries.set(entry.path, entry);
    if (entry.content.kind !== "file" || !isElf(entry.content.data)) continue;
    const elf = parseElf(entry.content.data, entry.path);
    if (elf.machine !== machine.elfMachine)
      throw new ImageError(`${entry.path} is for ELF machine ${elf.machine}, not ${machine.elfMachine}`);
    const why = `${entry.path} needs it`;
    if (elf.interpreter !== undefined) waiting.push({ path: elf.interpreter, why });
    for (const soname of elf.needed)
      waiting.push({ path: findLibrary(files, soname, machine.libraryFolders, why), why });
  }
  return [...entries.values()];
}

function findLibrary(files: PackageFiles, soname: string, searchFolders: readonly string[], why: string): string {
  const path = searchFolders.map((folder) => `${folder}/${soname}`).find((each) => files.resolve(each) !== undefined);
  if (path === undefined) {
    throw new ImageError(
      `no package of this build has the library ${soname} (${why}): find it with \`apt-file search ${soname}\`, ` +
        "add that package to the list and lock it",
    );
  }
  return path;
}
