/**
 * Builds a board's image: `prepare` (packages) -> `compile` (app, addon) -> `assemble` (trees) -> `pack` (files). Signing
 * and the flashable disk come after these. Equal inputs are found built: the manifest's key says so.
 */
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { version as esbuildVersion } from "esbuild";
import { BUILD_RECORD_PATH, emitBuildRecord } from "../appliance/update/build-record.ts";
import {
  type AppFile,
  assembleApp,
  assembleInitramfs,
  assembleRoot,
  type ImageFiles,
  readImageFiles,
} from "./assemble.ts";
import type { Board } from "./boards/board.ts";
import { boardNamed } from "./boards/boards.ts";
import { APPLIANCE, type AppSources, type CompiledApp, compile } from "./compile.ts";
import { contentKey } from "./content-key.ts";
import { DebCache } from "./deb-cache.ts";
import { toolVersion } from "./host-tool.ts";
import { inTurn } from "./in-turn.ts";
import { Kernel } from "./kernel.ts";
import { LockedTools } from "./locked-tool.ts";
import { describeBytes, type FileFacts, MANIFEST_NAME, type Manifest, readCommit, readManifest } from "./manifest.ts";
import { fillFolder } from "./output-folder.ts";
import { packInitramfs, packSquashfs } from "./pack.ts";
import { type Bill, makeBill, PAPER_PACKAGES } from "./paper/bill.ts";
import { emitLicences, LICENCES_PATH } from "./paper/notices.ts";
import type { MadeFile } from "./paper/origins.ts";
import { emitPapers } from "./paper/papers.ts";
import { type Prepared, type PreparedPackage, prepare } from "./prepare.ts";
import { formatSize, inStep, type Progress } from "./progress.ts";
import { cacheFolder, imageFolder, projectRoot } from "./project.ts";
import { HEADER_PACKAGES, imageCompiler } from "./toolchain.ts";
import { Tree } from "./tree.ts";
import { kernelUImage, ramdiskUImage } from "./uimage.ts";

export interface BuildRequest {
  /** A board's name, such as `x86_64`. */
  readonly board: string;
  /** Fail when the mirror no longer has a locked package version, instead of taking the current one. */
  readonly locked: boolean;
  readonly onProgress: Progress;
  /** Another app than the appliance, for tests of the image itself. */
  readonly app?: AppSources;
  /** Where the files go; `.culvert/images/BOARD` unless given. */
  readonly folder?: string;
}

export interface BuiltImage {
  readonly board: Board;
  /** Path on the host of an ELF kernel for QEMU's -kernel. */
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
  readonly manifest: string;
  /** True when a package is not the locked one. */
  readonly unlocked: boolean;
  /** Content hash of all inputs: equal keys mean equal images. */
  readonly key: string;
  /** False when the image was found built. */
  readonly fresh: boolean;
}

const INITRD_NAME = "initrd.gz";
const ROOT_NAME = "root.sqfs";
const KERNEL_UIMAGE_NAME = "uImage";
const INITRD_UIMAGE_NAME = "uInitrd";

/** Raise it when the builder makes something else of the same inputs. */
const FORMAT = "image-8";

/** Everything an image is made of, read and hashed before the first byte of it is made. */
export interface Inputs {
  readonly board: Board;
  readonly prepared: Prepared;
  /** Packages of which only texts are wanted. */
  readonly paperPackages: readonly PreparedPackage[];
  readonly app: CompiledApp;
  readonly own: ImageFiles;
  readonly lockedTools: LockedTools;
  readonly tools: Readonly<Record<string, string>>;
  /** package.json's. */
  readonly version: string;
  /** What is checked out; undefined outside git. */
  readonly commit: string | undefined;
}

/** Builds an image or finds it built. Throws an ImageError for everything a person can put right. */
export async function buildImage(request: BuildRequest): Promise<BuiltImage> {
  const { onProgress } = request;
  const inputs = await gather(request);
  const folder = request.folder ?? join(imageFolder, inputs.board.name);
  const key = keyOf(inputs);
  const kernel = await Kernel.of(inputs.board.machine, inputs.prepared);
  const fresh = await inTurn(folder, async () => {
    if ((await readManifest(folder))?.key === key) return false;
    const trees = await assemble(inputs, key, kernel, onProgress);
    await inStep(
      onProgress,
      "pack",
      () => fillFolder(folder, (partial) => pack(inputs, key, trees, kernel, partial)),
      ({ files }) =>
        Object.entries(files)
          .map(([name, { size }]) => `${name} ${formatSize(size)}`)
          .join(", "),
    );
    return true;
  });
  return {
    board: inputs.board,
    kernel: await kernel.directBootFile(),
    initrd: join(folder, INITRD_NAME),
    root: join(folder, ROOT_NAME),
    manifest: join(folder, MANIFEST_NAME),
    unlocked: isUnlocked(inputs),
    key,
    fresh,
  };
}

export async function gather({
  board: name,
  locked,
  onProgress,
  app: sources = APPLIANCE,
}: BuildRequest): Promise<Inputs> {
  const board = boardNamed(name);
  const { architecture, kernelPackage, hasSecurityUpdates } = board.machine;
  if (!hasSecurityUpdates) {
    const text = `Debian makes no security updates for ${architecture}: what is known to be vulnerable stays so`;
    onProgress({ kind: "note", text });
  }
  const names = [kernelPackage, ...board.packages, ...HEADER_PACKAGES, ...PAPER_PACKAGES];
  const all = await prepare({ architecture, names, locked }, onProgress);
  const compiler = await imageCompiler(board.machine, all.packages);
  const isPaper = ({ name }: PreparedPackage): boolean => PAPER_PACKAGES.includes(name);
  const isInImage = (each: PreparedPackage): boolean =>
    !isPaper(each) && !HEADER_PACKAGES.some((name) => name === each.name);
  const prepared = { ...all, packages: all.packages.filter(isInImage) };
  const paperPackages = all.packages.filter(isPaper);
  const [app, gcc, commit] = await Promise.all([
    inStep(
      onProgress,
      "compile",
      () => compile(sources, compiler),
      ({ bundle, addon }) => `app ${formatSize(bundle.length)}, addon ${formatSize(addon?.length ?? 0)}`,
    ),
    toolVersion(compiler.program),
    readCommit(projectRoot),
  ]);
  const lockedTools = await LockedTools.open(locked, onProgress);
  const tools = {
    mksquashfs: lockedTools.versions["squashfs-tools"] ?? "",
    gcc,
    esbuild: esbuildVersion,
    node: process.version,
  };
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  return { board, prepared, paperPackages, app, own: readImageFiles(), lockedTools, tools, version, commit };
}

export function keyOf(inputs: Inputs): string {
  const { board, prepared, paperPackages, app, own, lockedTools, tools, version, commit } = inputs;
  const packages = [...prepared.packages, ...paperPackages].map((each) => [each.name, each.sha256]);
  return contentKey([
    FORMAT,
    JSON.stringify([board, packages, prepared.epoch, lockedTools.identity, tools, version, commit]),
    ...appFiles(app).flat(),
    own.init,
    ...own.root.flatMap(({ path, mode, content }) => [path, String(mode), content.kind === "file" ? content.data : ""]),
  ]);
}

export interface Trees {
  /** The root without the app. */
  readonly base: Tree;
  readonly app: Tree;
  readonly initramfs: Tree;
  readonly bill: Bill;
}

/** What a flashable disk has beside its slots. */
export interface DiskFiles {
  /** Of which `made` is made. */
  readonly packages: readonly PreparedPackage[];
  readonly made: readonly MadeFile[];
}

/** `disk` belongs to the papers, of which the root has the licence texts. */
export async function assemble(
  inputs: Inputs,
  key: string,
  kernel: Kernel,
  progress: Progress,
  disk: DiskFiles = { packages: [], made: [] },
): Promise<Trees> {
  const { board, prepared, app, own, version, commit } = inputs;
  const { epoch } = prepared;
  const wanting = kernel.driversWithFirmware(board.drivers).join(", ");
  const text = `without firmware, which Debian keeps outside main: ${wanting}; a device that misses a file names it at login`;
  progress({ kind: "note", text });
  const files: AppFile[] = [
    ...appFiles(app).map(([name, data]) => ({ path: `/usr/lib/culvert/${name}`, data, mode: modeOf(name) })),
    { path: BUILD_RECORD_PATH, data: buildRecord(inputs, key, kernel.index.release) },
    { path: "/etc/os-release", data: releaseText(version, key) },
  ];
  return await inStep(
    progress,
    "assemble",
    async () => {
      const trees = {
        base: assembleRoot({ board, prepared, kernel, own, app: files }),
        app: assembleApp(files),
        initramfs: assembleInitramfs(board, prepared, kernel, own),
      };
      const billed = { root: joined(trees), initramfs: trees.initramfs };
      const packages = [...prepared.packages, ...disk.packages];
      // GRUB's packages leave their copyright file to the one that has grub-mkimage.
      const paperPackages = [...inputs.paperPackages, ...inputs.lockedTools.packages];
      const cache = new DebCache(cacheFolder);
      const parts = { packages, paperPackages, cache, trees: billed, made: disk.made, modules: app.modules };
      const bill = await makeBill({ board: board.name, version, commit, key, epoch, ...parts });
      trees.base.file(LICENCES_PATH, emitLicences(bill));
      return { ...trees, bill };
    },
    (trees) => `${trees.base.entries().length} entries, ${formatSize(trees.base.size() + trees.app.size())}`,
  );
}

/** Scripts for Node are given to it; everything else is a program. */
function modeOf(name: string): number {
  return name.endsWith(".cjs") ? 0o644 : 0o755;
}

/** Writes the image's files into `folder`. */
async function pack(inputs: Inputs, key: string, trees: Trees, kernel: Kernel, folder: string): Promise<Manifest> {
  const { board, prepared } = inputs;
  await writeFile(join(folder, INITRD_NAME), packInitramfs(trees.initramfs, prepared.epoch));
  await packSquashfs(joined(trees), prepared.epoch, board.compression, inputs.lockedTools, join(folder, ROOT_NAME));
  const beside = [...(await writeLegacyImages(inputs, trees, kernel, folder)), ...(await writePapers(trees, folder))];
  return await writeManifest(inputs, key, [INITRD_NAME, ROOT_NAME, ...beside], folder);
}

/** Writes U-Boot's legacy images of kernel and initramfs into `folder`, if the board is for them; returns the files' names. */
export async function writeLegacyImages(
  { board, prepared, version }: Inputs,
  trees: Trees,
  kernel: Kernel,
  folder: string,
): Promise<string[]> {
  if (!board.legacyImages) return [];
  const { architecture } = board.machine;
  const [name, { epoch }] = [`Culvert ${version}`, prepared];
  const elf = await readFile(await kernel.directBootFile());
  const initramfs = packInitramfs(trees.initramfs, epoch);
  await writeFile(join(folder, KERNEL_UIMAGE_NAME), kernelUImage(elf, architecture, name, epoch));
  await writeFile(join(folder, INITRD_UIMAGE_NAME), ramdiskUImage(initramfs, architecture, name, epoch));
  return [KERNEL_UIMAGE_NAME, INITRD_UIMAGE_NAME];
}

/** The root as one tree. */
export function joined({ base, app }: Pick<Trees, "base" | "app">): Tree {
  const root = new Tree();
  root.addAll([...base.entries(), ...app.entries()]);
  return root;
}

/** Writes bills of materials, licences and sources into `folder`; returns the files' names. */
export async function writePapers({ bill }: Trees, folder: string): Promise<string[]> {
  const papers = Object.entries(emitPapers(bill));
  for (const [name, text] of papers) await writeFile(join(folder, name), text);
  return papers.map(([name]) => name);
}

/** What the manifest of a flashable disk has more than another one's. */
export interface DiskFacts {
  readonly packages: readonly PreparedPackage[];
  readonly unlocked: boolean;
  /** File name -> what was found out while it was made; the others are read. */
  readonly known: Readonly<Record<string, FileFacts>>;
}

/** Writes manifest.json for the named files of `folder`. */
export async function writeManifest(
  inputs: Inputs,
  key: string,
  names: readonly string[],
  folder: string,
  disk: DiskFacts = { packages: [], unlocked: false, known: {} },
): Promise<Manifest> {
  const { board, prepared, app, tools, version, commit } = inputs;
  const files = await Promise.all(
    names.map(async (name) => [name, disk.known[name] ?? describeBytes(await readFile(join(folder, name)))] as const),
  );
  const manifest: Manifest = {
    format: 1,
    board: board.name,
    version,
    key,
    commit,
    unlocked: isUnlocked(inputs) || disk.unlocked,
    epoch: prepared.epoch,
    tools,
    packages: [...prepared.packages, ...disk.packages].map(({ folder: _, ...entry }) => entry),
    app: Object.fromEntries(appFiles(app).map(([name, data]) => [name, describeBytes(data)])),
    files: Object.fromEntries(files),
  };
  await writeFile(join(folder, MANIFEST_NAME), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}

/** What the device tells about itself. The manifest beside the image says the same and more; this travels in it. */
function buildRecord(inputs: Inputs, key: string, kernel: string): string {
  const { board, prepared, app, tools, version, commit } = inputs;
  const packages = prepared.packages.map((each) => [
    `${each.package}_${each.version}_${each.architecture}`,
    each.sha256,
  ]);
  return emitBuildRecord({
    format: 1,
    board: board.name,
    version,
    commit,
    inputs: key,
    unlocked: isUnlocked(inputs),
    epoch: prepared.epoch,
    kernel,
    tools,
    sha256: Object.fromEntries([
      ...appFiles(app).map(([name, data]) => [name, describeBytes(data).sha256]),
      ...packages,
    ]),
  });
}

export function isUnlocked({ prepared, lockedTools }: Inputs): boolean {
  return prepared.unlocked || lockedTools.unlocked;
}

function appFiles({ bundle, extendData, addon, programs }: CompiledApp): [name: string, data: Buffer][] {
  return [
    ["culvert.cjs", bundle],
    ["extend-data.cjs", extendData],
    ...(addon ? [["culvert.node", addon] as [string, Buffer]] : []),
    ...programs.map(({ name, data }): [string, Buffer] => [name, data]),
  ];
}

/** os-release(5). BUILD_ID leads to the manifest, which knows the commit. */
function releaseText(version: string, key: string): string {
  return `NAME=Culvert\nID=culvert\nVERSION_ID=${version}\nBUILD_ID=${key.slice(0, 12)}\n`;
}
