/** The kernel of an image or guest: its bzImage and the modules taken from its package. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { plainKernel } from "./bzimage.ts";
import { ImageError } from "./failure.ts";
import { inTurn } from "./in-turn.ts";
import {
  type KernelModule,
  type ModuleIndex,
  modprobeTables,
  moduleClosure,
  readModuleIndex,
} from "./kernel-modules.ts";
import type { Machine } from "./machines.ts";
import { fillOnce } from "./output-folder.ts";
import type { Prepared, PreparedPackage } from "./prepare.ts";
import { cacheFolder } from "./project.ts";
import type { Tree } from "./tree.ts";

/** Part of the cached index' name: raise it when readModuleIndex reads more or differently. */
const INDEX_FORMAT = 2;

export class Kernel {
  readonly index: ModuleIndex;
  readonly #folder: string;
  readonly #sha256: string;

  private constructor({ folder, sha256 }: PreparedPackage, index: ModuleIndex) {
    this.#folder = folder;
    this.#sha256 = sha256;
    this.index = index;
  }

  /** The machine's kernel among the prepared packages. */
  static async of(machine: Machine, prepared: Prepared): Promise<Kernel> {
    const kernelPackage = prepared.packages.find((each) => each.name === machine.kernelPackage);
    if (!kernelPackage) throw new ImageError(`${machine.kernelPackage} is not among the prepared packages`);
    const cached = join(cacheFolder, "modules", `${kernelPackage.sha256}-${INDEX_FORMAT}`, "index.json");
    await inTurn(cached, async () => {
      if (existsSync(cached)) return;
      const index = JSON.stringify(readModuleIndex(kernelPackage.folder));
      await fillOnce(dirname(cached), (partial) => writeFile(join(partial, basename(cached)), index));
    });
    return new Kernel(kernelPackage, JSON.parse(await readFile(cached, "utf8")));
  }

  /** What a boot loader starts, as Debian packs it. */
  bootFile(): Buffer {
    const boot = join(this.#folder, "boot");
    const name = readdirSync(boot).find((each) => each.startsWith("vmlinuz-"));
    if (name === undefined) throw new ImageError(`${boot} holds no vmlinuz: the kernel package is not one`);
    return readFileSync(join(boot, name));
  }

  /** The file that QEMU's -kernel takes: the plain kernel, made once per kernel package. */
  async directBootFile(): Promise<string> {
    const file = join(cacheFolder, "kernels", this.#sha256, "vmlinux");
    await inTurn(file, async () => {
      if (existsSync(file)) return;
      const kernel = await plainKernel(this.bootFile());
      await fillOnce(dirname(file), (partial) => writeFile(join(partial, basename(file)), kernel));
    });
    return file;
  }

  /** Adds modules at their usual paths, with the tables that modprobe reads. */
  addModules(tree: Tree, modules: readonly KernelModule[]): void {
    const release = `/usr/lib/modules/${this.index.release}`;
    for (const module of modules) {
      const from = join(this.#folder, "lib/modules", this.index.release, module.path);
      const content = { kind: "file", data: readFileSync(from), from } as const;
      tree.add({ path: `${release}/${module.path}`, mode: 0o644, content });
    }
    const tables = modprobeTables(modules);
    tree.file(`${release}/modules.dep`, tables.dep);
    tree.file(`${release}/modules.alias`, tables.alias);
    tree.file(`${release}/modules.softdep`, tables.softdep);
  }

  /** The drivers among `names` that may load firmware into their hardware. No image has any: Debian keeps it outside `main`. */
  driversWithFirmware(names: readonly string[]): string[] {
    return moduleClosure(this.index, names)
      .filter(({ firmware }) => firmware.length > 0)
      .map(({ name }) => name);
  }

  /** For an init script: one absolute path per line, ready for insmod from top to bottom. */
  loadList(modules: readonly KernelModule[]): string {
    return modules.map((module) => `/usr/lib/modules/${this.index.release}/${module.path}\n`).join("");
  }
}
