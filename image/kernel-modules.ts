/** Which kernel modules an image needs and in which order they load, from the modules' own .modinfo sections. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseElf } from "./elf.ts";
import { ImageError } from "./failure.ts";

export interface KernelModule {
  /** As `lsmod` prints it: `_`, never `-`. */
  readonly name: string;
  /** Below `/usr/lib/modules/VERSION/`, such as `kernel/fs/squashfs/squashfs.ko`. */
  readonly path: string;
  /** Modules that must be loaded before: symbols of theirs are used. */
  readonly depends: readonly string[];
  /** `softdep pre:` modules or aliases: wanted before, but not an error when they refuse (a CPU without AES, say). */
  readonly wants: readonly string[];
  /** Patterns that the kernel asks for, such as `crypto-sha1` or `virtio:d00000001v*`. */
  readonly aliases: readonly string[];
  /** Files that the driver may load into its hardware, below /lib/firmware. */
  readonly firmware: readonly string[];
}

/** All modules of one kernel: plain data, so that reading four thousand files is done once per kernel. */
export interface ModuleIndex {
  /** The kernel's release, as `uname -r` prints it. */
  readonly release: string;
  readonly modules: readonly KernelModule[];
  /** Names that are part of the kernel itself. */
  readonly builtin: readonly string[];
}

/** Reads every module of an unpacked kernel package. */
export function readModuleIndex(packageFolder: string): ModuleIndex {
  const base = join(packageFolder, "lib/modules");
  const [release, ...others] = readdirSync(base);
  if (release === undefined || others.length > 0)
    throw new ImageError(`${base} must hold the modules of exactly one kernel`);
  const root = join(base, release);
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ko"))
    .sort();
  const builtin = readFileSync(join(root, "modules.builtin"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return {
    release,
    modules: paths.map((path) => parseModule(path, readFileSync(join(root, path)))),
    builtin: builtin.map(moduleName),
  };
}

/** `path` is where the module lies below the release folder. */
export function parseModule(path: string, bytes: Buffer): KernelModule {
  const section = parseElf(bytes, path).sections.get(".modinfo");
  if (!section) throw new ImageError(`${path} has no .modinfo section: it is not a kernel module`);
  const fields = bytes.toString("latin1", section.offset, section.offset + section.size).split("\0");
  const values = (key: string): string[] =>
    fields.flatMap((field) => (field.startsWith(`${key}=`) ? [field.slice(key.length + 1)] : []));
  return {
    name: moduleName(path),
    path,
    depends: values("depends").flatMap((list) =>
      list
        .split(",")
        .filter((name) => name !== "")
        .map(underscored),
    ),
    wants: values("softdep").flatMap(softDependencies),
    aliases: values("alias"),
    firmware: values("firmware"),
  };
}

/**
 * `wanted` modules with all they depend on, in an order in which each finds its dependencies loaded. Names of built-in
 * modules are accepted and add nothing. Throws an ImageError that lists the names this kernel does not have.
 */
export function moduleClosure(index: ModuleIndex, wanted: readonly string[]): KernelModule[] {
  const byName = new Map(index.modules.map((module) => [module.name, module]));
  const builtin = new Set(index.builtin);
  const missing = wanted.filter((name) => !byName.has(underscored(name)) && !builtin.has(underscored(name)));
  if (missing.length > 0) throw new ImageError(`kernel ${index.release} has no module ${missing.join(", ")}`);

  const order = new Set<KernelModule>();
  const entered = new Set<KernelModule>();
  const visit = (module: KernelModule): void => {
    if (entered.has(module)) return;
    entered.add(module);
    for (const name of module.wants) for (const each of providers(name)) visit(each);
    for (const name of module.depends) {
      const dependency = byName.get(name);
      if (!dependency && !builtin.has(name))
        throw new ImageError(`module ${module.name} depends on ${name}, which this kernel lacks`);
      if (dependency) visit(dependency);
    }
    order.add(module);
  };
  const providers = (name: string): KernelModule[] => {
    const own = byName.get(underscored(name));
    if (own) return [own];
    return builtin.has(underscored(name)) ? [] : index.modules.filter((module) => module.aliases.includes(name));
  };
  for (const name of wanted) {
    const module = byName.get(underscored(name));
    if (module) visit(module);
  }
  return [...order];
}

/** The texts of modules.dep, modules.alias and modules.softdep for busybox' modprobe. */
export function modprobeTables(modules: readonly KernelModule[]): { dep: string; alias: string; softdep: string } {
  const byName = new Map(modules.map((module) => [module.name, module]));
  // Everything below a module, those that must be loaded first at the end: modprobe follows no second line.
  const below = (module: KernelModule, found: Set<KernelModule> = new Set()): Set<KernelModule> => {
    for (const name of module.depends) {
      const dependency = byName.get(name);
      if (dependency === undefined || found.has(dependency)) continue;
      below(dependency, found);
      found.add(dependency);
    }
    return found;
  };
  const lines = (each: (module: KernelModule) => string[]): string =>
    modules
      .flatMap(each)
      .map((line) => `${line}\n`)
      .join("");
  return {
    dep: lines((module) => {
      const needed = [...below(module)].reverse().map(({ path }) => path);
      return [[`${module.path}:`, ...needed].join(" ")];
    }),
    alias: lines((module) => module.aliases.map((alias) => `alias ${alias} ${module.name}`)),
    softdep: lines((module) =>
      module.wants.length > 0 ? [`softdep ${module.name} pre: ${module.wants.join(" ")}`] : [],
    ),
  };
}

/** `pre: a b post: c` -> `a b`. What should come after is never needed for the module itself. */
function softDependencies(text: string): string[] {
  const wanted: string[] = [];
  let before = false;
  for (const word of text.split(/\s+/)) {
    if (word.endsWith(":")) before = word === "pre:";
    else if (before && word !== "") wanted.push(word);
  }
  return wanted;
}

function moduleName(path: string): string {
  return underscored(basename(path, ".ko"));
}

function underscored(name: string): string {
  return name.replaceAll("-", "_");
}
