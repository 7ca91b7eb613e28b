/** The kernel of an image or guest: its bzImage and the modules taken from its package. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "./boards/board.ts";
import { ImageError } from "./failure.ts";
import { type KernelModule, type ModuleIndex, modprobeTables, readModuleIndex } from "./kernel-modules.ts";
import type { Prepared } from "./prepare.ts";
import { cacheFolder } from "./project.ts";
import type { Tree } from "./tree.ts";

/** Part of the cached index' name: raise it when readModuleIndex reads more or differently. */
const INDEX_FORMAT = 1;

export class Kernel {
  readonly index: ModuleIndex;
  readonly #folder: string;

  private constructor(folder: string, index: ModuleIndex) {
    this.#folder = folder;
    this.index = index;
  }

  /** The machine's kernel among the prepared packages. */
  static async of(machine: Machine, prepared: Prepared): Promise<Kernel> {
    const kernelPackage = prepared.packages.find((each) => each.name === machine.kernelPackage);
    if (!kernelPackage) throw new ImageError(`${machine.kernelPackage} is not among the prepared packages`);
    const cached = join(cacheFolder, "modules", `${kernelPackage.sha256}-${INDEX_FORMAT}.json`);
    if (existsSync(cached)) return new Kernel(kernelPackage.folder, JSON.parse(await readFile(cached, "utf8")));
    const index = readModuleIndex(kernelPackage.folder);
    await mkdir(join(cacheFolder, "modules"), { recursive: true });
    await writeFile(`${cached}.new`, JSON.stringify(index));
    await rename(`${cached}.new`, cached);
    return new Kernel(kernelPackage.folder, index);
  }

  /** The compressed kernel as QEMU and GRUB load it. */
  image(): Buffer {
    const boot = join(this.#folder, "boot");
    const name = readdirSync(boot).find((each) => each.startsWith("vmlinuz-"));
    if (name === undefined) throw new ImageError(`${boot} holds no vmlinuz: the kernel package is not one`);
    return readFileSync(join(boot, name));
  }

  /** Adds modules at their usual paths, with the tables that modprobe reads. */
  addModules(tree: Tree, modules: readonly KernelModule[]): void {
    const release = `/usr/lib/modules/${this.index.release}`;
    for (const module of modules) {
      tree.file(
        `${release}/${module.path}`,
        readFileSync(join(this.#folder, "lib/modules", this.index.release, module.path)),
      );
    }
    const tables = modprobeTables(modules);
    tree.file(`${release}/modules.dep`, tables.dep);
    tree.file(`${release}/modules.alias`, tables.alias);
    tree.file(`${release}/modules.softdep`, tables.softdep);
  }

  /** For an init script: one absolute path per line, ready for insmod from top to bottom. */
  loadList(modules: readonly KernelModule[]): string {
    return modules.map((module) => `/usr/lib/modules/${this.index.release}/${module.path}\n`).join("");
  }
}
