/** Step 3 of 4: what lies in the root file system and in the initramfs, as trees in memory. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { emitPortTable, PORT_TABLE_PATH } from "../appliance/update/port-table.ts";
import type { Board } from "./boards/board.ts";
import { addBusybox } from "./busybox.ts";
import { elfClosure } from "./elf-closure.ts";
import { withoutSpareIcuData } from "./icu.ts";
import type { Kernel } from "./kernel.ts";
import { moduleClosure } from "./kernel-modules.ts";
import { PackageFiles } from "./package-files.ts";
import type { Prepared } from "./prepare.ts";
import { projectRoot } from "./project.ts";
import { type Entry, Tree } from "./tree.ts";

/** The files of image/ that go into images as they are. */
export interface ImageFiles {
  /** rootfs/, each file at the same place below the root. */
  readonly root: readonly Entry[];
  /** initramfs/init. */
  readonly init: Buffer;
}

export interface RootParts {
  readonly board: Board;
  readonly prepared: Prepared;
  readonly kernel: Kernel;
  readonly own: ImageFiles;
  readonly app: readonly AppFile[];
}

/** A file of the app, or one that says what was built. */
export interface AppFile {
  /** Where programs look for it: a link to where it lies. */
  readonly path: string;
  readonly data: Buffer | string;
  /** 0644 unless given. */
  readonly mode?: number;
}

export function readImageFiles(): ImageFiles {
  const folder = join(projectRoot, "image/rootfs");
  return {
    root: hostFiles(folder),
    init: readFileSync(join(projectRoot, "image/initramfs/init")),
  };
}

/** The initramfs: busybox, the modules that reach the root, and the script that mounts it. */
export function assembleInitramfs(board: Board, prepared: Prepared, kernel: Kernel, own: ImageFiles): Tree {
  const files = packageFiles(prepared);
  const tree = new Tree();
  tree.addMergedLinks();
  for (const folder of ["/dev", "/proc", "/root", "/sys", "/usr/lib64", "/usr/sbin"]) tree.folder(folder);
  // The kernel opens /dev/console for /init before anything can mount /dev.
  tree.characterDevice("/dev/console", 0o600, 5, 1);
  addBusybox(tree, files);
  const modules = moduleClosure(kernel.index, board.bootModules);
  kernel.addModules(tree, moduleClosure(kernel.index, [...board.bootModules, ...board.storageModules]));
  tree.file("/etc/modules.load", kernel.loadList(modules));
  tree.file("/init", own.init, 0o755);
  return tree;
}

/** Where the app's files lie: a folder of its own, so that it can be appended to a root that was packed before. */
const APP_FOLDER = "/opt/culvert";

/** What changes with the app, and nothing else. */
export function assembleApp(files: readonly AppFile[]): Tree {
  const tree = new Tree();
  for (const { path, data, mode = 0o644 } of files) tree.file(`${APP_FOLDER}/${posix.basename(path)}`, data, mode);
  return tree;
}

/** The root file system without the app. Read-only on the device: what changes lies on /data, /run and /tmp. */
export function assembleRoot({ board, prepared, kernel, own, app }: RootParts): Tree {
  const files = packageFiles(prepared);
  const tree = new Tree();
  tree.addMergedLinks();
  for (const folder of ["/data", "/dev", "/mnt", "/proc", "/root", "/run", "/sys", "/tmp"]) tree.folder(folder);
  tree.link("/var/run", "../run");
  tree.link("/var/tmp", "../tmp");
  tree.link("/etc/mtab", "../proc/self/mounts");
  tree.link("/etc/resolv.conf", "../run/culvert/resolv.conf");
  tree.link("/etc/ppp", "../run/ppp");
  tree.addAll(elfClosure(files, board.executables, board.machine).map(withoutSpareIcuData));
  tree.addAll(board.files.map((path) => files.entry(path)));
  // Node reads this file at start and complains when it is missing. The app trusts no public authority.
  tree.file("/etc/ssl/certs/ca-certificates.crt", "");
  addBusybox(tree, files);
  tree.link("/usr/sbin/init", "../bin/busybox");
  tree.link("/usr/sbin/reboot", "../bin/busybox");
  tree.link("/usr/sbin/modprobe", "../bin/busybox"); // where the kernel looks when it needs a module
  const booted = moduleClosure(kernel.index, board.bootModules);
  const modules = moduleClosure(kernel.index, [...board.bootModules, ...board.systemModules]);
  kernel.addModules(
    tree,
    moduleClosure(kernel.index, [
      ...board.bootModules,
      ...board.storageModules,
      ...board.systemModules,
      ...board.drivers,
      ...board.spareModules,
    ]),
  );
  tree.file("/etc/modules.load", kernel.loadList(modules.filter((module) => !booted.includes(module))));
  tree.addAll(own.root);
  tree.file(PORT_TABLE_PATH, emitPortTable(board.ports));
  for (const { path } of app) tree.link(path, `${APP_FOLDER}/${posix.basename(path)}`);
  return tree;
}

/** The files below a host folder, each at the same place below the root. */
function hostFiles(folder: string): Entry[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .flatMap((name) => {
      const stats = statSync(join(folder, name));
      if (!stats.isFile()) return [];
      const mode = stats.mode & 0o100 ? 0o755 : 0o644;
      return [{ path: `/${name}`, mode, content: { kind: "file", data: readFileSync(join(folder, name)) } } as const];
    });
}

function packageFiles(prepared: Prepared): PackageFiles {
  return new PackageFiles(prepared.packages.map((each) => each.folder));
}
