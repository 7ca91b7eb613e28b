/**
 * Lab guests: a kernel and ONE initramfs that holds busybox, modules, chosen programs with their libraries, files and an
 * init script. No disk, so a guest boots the same way each time and leaves nothing behind.
 *
 * The walk: prepare (packages) -> key of all inputs -> already built? reuse -> tree -> cpio -> gzip.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addBusybox } from "./busybox.ts";
import { contentKey } from "./content-key.ts";
import { elfClosure } from "./elf-closure.ts";
import { ImageError } from "./failure.ts";
import { withoutSpareIcuData } from "./icu.ts";
import { inTurn } from "./in-turn.ts";
import { Kernel } from "./kernel.ts";
import { moduleClosure } from "./kernel-modules.ts";
import { AMD64, type Machine } from "./machines.ts";
import { fillOnce, keepNewest } from "./output-folder.ts";
import { packInitramfs } from "./pack.ts";
import { PackageFiles } from "./package-files.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { formatSize, inStep, type Progress } from "./progress.ts";
import { guestFolder } from "./project.ts";
import { Tree } from "./tree.ts";

export interface GuestSpec {
  /** Names the output folder: letters, digits and `-`. */
  readonly name: string;
  /** Debian packages besides the kernel and busybox-static; each must be in the lock. */
  readonly packages: readonly string[];
  /** Absolute paths of programs or scripts inside those packages; libraries follow by themselves. */
  readonly executables: readonly string[];
  /** Files that are opened at run time only; `*` stands for any part of one name. */
  readonly libraries?: readonly string[];
  /**
   * Kernel modules; what they depend on follows by itself. They lie where modprobe finds them, and /etc/modules.load has
   * those of `modules` in load order, for `while read m; do insmod $m; done`.
   */
  readonly modules: readonly string[];
  /** Modules that modprobe can load but /etc/modules.load does not list. */
  readonly spareModules?: readonly string[];
  readonly files: readonly GuestFile[];
  /**
   * The text of /init, run by the kernel as process 1; start it with `#!/bin/sh`. The applets of busybox are in /bin, and
   * its shell prefers them to other programs of the same name: call those by their paths, such as `/sbin/mke2fs`.
   */
  readonly init: string;
}

export interface GuestFile {
  readonly path: string;
  readonly mode: number;
  readonly data: Buffer | string;
}

export interface BuiltGuest {
  /** Path on the host of an ELF kernel for QEMU's -kernel. */
  readonly kernel: string;
  readonly initrd: string;
  /** Content hash of everything that went in: equal keys boot equal guests, so a snapshot may be reused. */
  readonly key: string;
  /** True when a package is not the locked one. */
  readonly unlocked: boolean;
}

/** Raise it when the same inputs would give another guest. */
const FORMAT = "guest-4";

/** Each change of a spec makes another folder; older ones may still be booting in another run. */
const KEPT_VERSIONS = 8;

/** Builds a guest or finds it built. Throws an ImageError for a name, file, library or module that does not exist. */
export async function buildGuest(spec: GuestSpec, progress: Progress, machine: Machine = AMD64): Promise<BuiltGuest> {
  if (!/^[a-z0-9-]+$/.test(spec.name)) {
    throw new ImageError(`guest name "${spec.name}": use small letters, digits and -`);
  }
  const names = [...new Set([machine.kernelPackage, "busybox-static", ...spec.packages])];
  const prepared = await prepare({ architecture: machine.architecture, names, locked: false }, progress);
  const key = keyOf(spec, machine, prepared);
  const folder = join(guestFolder, `${spec.name}-${key.slice(0, 16)}`);
  const kernel = await Kernel.of(machine, prepared);
  const guest = {
    kernel: await kernel.directBootFile(),
    initrd: join(folder, "initrd.gz"),
    key,
    unlocked: prepared.unlocked,
  };
  await inTurn(folder, async () => {
    if (existsSync(folder)) return;
    await inStep(
      progress,
      `guest ${spec.name}`,
      async () => {
        const initrd = packInitramfs(guestTree(spec, machine, prepared, kernel), prepared.epoch);
        await fillOnce(folder, (partial) => writeFile(join(partial, "initrd.gz"), initrd));
        return initrd.length;
      },
      (size) => `initrd ${formatSize(size)}`,
    );
    await keepNewest(guestFolder, new RegExp(`^${spec.name}-[0-9a-f]{16}$`), KEPT_VERSIONS);
  });
  return guest;
}

function guestTree(spec: GuestSpec, machine: Machine, prepared: Prepared, kernel: Kernel): Tree {
  const files = new PackageFiles(prepared.packages.map((each) => each.folder));
  const libraries = (spec.libraries ?? []).flatMap((pattern) => {
    const found = files.expand(pattern);
    if (found.length === 0) throw new ImageError(`guest ${spec.name}: no package has ${pattern}`);
    return found;
  });
  const tree = new Tree();
  tree.addMergedLinks();
  for (const folder of ["/dev", "/etc", "/proc", "/root", "/run", "/sys", "/usr/lib64", "/usr/sbin", "/var"]) {
    tree.folder(folder);
  }
  tree.folder("/tmp", 0o1777);
  // The kernel opens /dev/console for /init before anything can mount /dev.
  tree.characterDevice("/dev/console", 0o600, 5, 1);
  tree.characterDevice("/dev/null", 0o666, 1, 3);
  tree.addAll(elfClosure(files, [...spec.executables, ...libraries], machine).map(withoutSpareIcuData));
  addBusybox(tree, files);
  const loaded = moduleClosure(kernel.index, spec.modules);
  kernel.addModules(tree, moduleClosure(kernel.index, [...spec.modules, ...(spec.spareModules ?? [])]));
  tree.file("/etc/modules.load", kernel.loadList(loaded));
  for (const { path, data, mode } of spec.files) tree.file(path, data, mode);
  tree.file("/init", spec.init, 0o755);
  return tree;
}

function keyOf(spec: GuestSpec, machine: Machine, prepared: Prepared): string {
  const { files, ...plain } = spec;
  return contentKey([
    FORMAT,
    JSON.stringify([plain, machine, prepared.epoch, prepared.packages.map((each) => [each.name, each.sha256])]),
    ...files.flatMap((file) => [file.path, String(file.mode), file.data]),
  ]);
}
