/**
 * Builds a board's flashable disk: `prepare` -> `compile` -> `assemble` as for the image that QEMU boots directly, then the slot's
 * squashfs (`slot.ts`), the boot loader (`grub.ts`) and the disk around them (`disk.ts`).
 */
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ANCHOR_BYTES } from "../appliance/update/image-format.ts";
import type { Board, RootCompression } from "./boards/board.ts";
import {
  assemble,
  type BuildRequest,
  gather,
  type Inputs,
  isUnlocked,
  joined,
  keyOf,
  type Trees,
  writeLegacyImages,
  writeManifest,
  writePapers,
} from "./build.ts";
import { contentKey } from "./content-key.ts";
import { emitCpio } from "./cpio.ts";
import { type DiskContents, hashDisk, makeDisk, writeDisk } from "./disk.ts";
import { BIOS_BOOT_SECTOR } from "./disk-layout.ts";
import { ImageError } from "./failure.ts";
import { makeGrub } from "./grub.ts";
import { inTurn } from "./in-turn.ts";
import { Kernel } from "./kernel.ts";
import { type FileFacts, MANIFEST_NAME, readManifest } from "./manifest.ts";
import { fillFolder } from "./output-folder.ts";
import { PackageFiles } from "./package-files.ts";
import { filesOf } from "./paper/bill.ts";
import type { MadeFile } from "./paper/origins.ts";
import { type Prepared, type PreparedPackage, prepare } from "./prepare.ts";
import { formatSize, inStep, type Progress } from "./progress.ts";
import { flashableFolder, projectRoot } from "./project.ts";
import { developmentKey, ROLLBACK_INDEX, type SignedSlot, type SigningKey, signSlot, writeBundle } from "./sign.ts";
import { checkBudget, emitSizes, readSizes, SIZES_NAME, sizeLines, tabulateSizes } from "./size-table.ts";
import { packSlot } from "./slot.ts";
import { Tree } from "./tree.ts";

export interface FlashableRequest extends BuildRequest {
  /** Signs the slot; this checkout's development key unless given. */
  readonly signingKey?: SigningKey;
  /** Packs the slot in seconds and larger; for development. */
  readonly quick?: boolean;
}

/** GRUB reads gzip, too. */
const QUICK_COMPRESSION: RootCompression = { name: "gzip", blockSize: "256K", options: ["-Xcompression-level", "1"] };

export interface BuiltFlashable {
  readonly board: Board;
  /** The disk, to be written to a medium as it is. */
  readonly disk: string;
  /** The same slot as an update of devices that run already. */
  readonly bundle: string;
  readonly manifest: string;
  readonly unlocked: boolean;
  /** Content hash of all inputs: equal keys mean equal disks. */
  readonly key: string;
  readonly fresh: boolean;
}

/** Raise it when the builder makes another disk of the same inputs. */
const FORMAT = "flashable-4";
const SLOT_NAME = "slot.sqfs";

/** Builds the disk or finds it built. Throws an ImageError for everything a person can put right. */
export async function buildFlashable(request: FlashableRequest): Promise<BuiltFlashable> {
  const { onProgress, signingKey = await developmentKey(), quick = false } = request;
  const inputs = await gather(request);
  const { board } = inputs;
  const loader = await prepareLoader(board, request);
  const imageKey = keyOf(inputs);
  const key = keyOfDisk(imageKey, loader, signingKey, quick);
  const compression = quick ? QUICK_COMPRESSION : board.slotCompression;
  const folder = request.folder ?? join(flashableFolder, board.name);
  const [disk, bundle] = [`culvert-${board.name}.img`, `culvert-${board.name}.bundle`];
  const fresh = await inTurn(folder, async () => {
    if ((await readManifest(folder))?.key === key) return false;
    const kernel = await Kernel.of(board.machine, inputs.prepared);
    const grub = loader === undefined ? undefined : await makeLoader(inputs, loader);
    const loaderPackages = loader?.packages ?? [];
    const made = grub === undefined ? [] : loaderFiles(grub, loaderPackages);
    const trees = await assemble(inputs, imageKey, kernel, onProgress, { packages: loaderPackages, made });
    await fillFolder(folder, async (partial) => {
      const contents = { base: slotBase(inputs, trees, kernel), app: trees.app };
      const slot = await inStep(
        onProgress,
        "slot",
        () => makeSlot(inputs, contents, compression, join(partial, SLOT_NAME)),
        (bytes) => formatSize(bytes.length),
      );
      // A quick build is for trying things, packed in a hurry: its sizes say nothing, and counting them takes a sixth of its time.
      const sizes = quick ? [] : [await tellSizes(inputs, { contents, trees, slot, folder, partial }, onProgress)];
      const facts = { board: board.name, version: inputs.version, rollbackIndex: ROLLBACK_INDEX, key: imageKey };
      const signed = await inStep(
        onProgress,
        "sign",
        () => signSlot(slot, { ...facts, commit: inputs.commit ?? "" }, signingKey),
        () => `with ${signingKey.from}`,
      );
      await writeBundle(signed, join(partial, bundle));
      const written = await inStep(
        onProgress,
        "disk",
        () => fillDisk(inputs, grub, signed, join(partial, disk)),
        ({ sha256_unsigned }) => `without signature and keys ${sha256_unsigned}`,
      );
      const legacy = await writeLegacyImages(inputs, trees, kernel, partial);
      const papers = await writePapers(trees, partial);
      await writeManifest(inputs, key, [disk, bundle, SLOT_NAME, ...sizes, ...legacy, ...papers], partial, {
        packages: loaderPackages,
        unlocked: loader?.unlocked === true,
        known: { [disk]: written },
      });
    });
    return true;
  });
  return {
    board,
    disk: join(folder, disk),
    bundle: join(folder, bundle),
    manifest: join(folder, MANIFEST_NAME),
    unlocked: isUnlocked(inputs) || loader?.unlocked === true,
    key,
    fresh,
  };
}

/** Boot loader packages are for the board's machine and no part of its system. */
async function prepareLoader({ loaders, machine }: Board, request: BuildRequest): Promise<Prepared | undefined> {
  if (loaders.length === 0) return undefined;
  const names = loaders.map((each) => each.package);
  const { architecture } = machine;
  return await prepare({ architecture, names, locked: request.locked, step: "boot loader" }, request.onProgress);
}

function keyOfDisk(imageKey: string, loader: Prepared | undefined, { trusted }: SigningKey, quick: boolean): string {
  const packages = loader?.packages.map(({ name, sha256 }) => [name, sha256]) ?? [];
  return contentKey([
    FORMAT,
    imageKey,
    JSON.stringify([packages, trusted.kind, ROLLBACK_INDEX, quick]),
    trusted.publicKey,
    readFileSync(GRUB_CONFIG),
  ]);
}

interface Packed {
  readonly contents: Pick<Trees, "base" | "app">;
  readonly trees: Trees;
  readonly slot: Buffer;
  /** Where the last build is. */
  readonly folder: string;
  /** Where this one is being made. */
  readonly partial: string;
}

/**
 * Writes the size table beside the image and shows it, with what grew since the last build. Returns the file's name; throws an ImageError
 * when the slot is too large.
 */
async function tellSizes(
  { board }: Inputs,
  { contents, trees, slot, folder, partial }: Packed,
  onProgress: Progress,
): Promise<string> {
  const sizes = tabulateSizes({ root: joined(contents) }, filesOf(trees.bill), slot.length);
  const before = await readSizes(folder);
  for (const text of sizeLines(sizes, before)) onProgress({ kind: "note", text });
  checkBudget(sizes, board.machine.architecture, before);
  await writeFile(join(partial, SIZES_NAME), emitSizes(sizes));
  return SIZES_NAME;
}

/** The root without the app, with what the boot loader reads out of it. */
function slotBase({ board, prepared }: Inputs, trees: Trees, kernel: Kernel): Tree {
  const base = new Tree();
  base.addAll(trees.base.entries());
  base.file("/boot/vmlinuz", kernel.bootFile());
  // Not packed by itself: squashfs packs it better, and the boot loader unpacks that in any case.
  base.file("/boot/initrd.img", emitCpio(trees.initramfs, prepared.epoch));
  // For a boot ROM; GRUB has them in its own configuration.
  base.file("/boot/command-line", `${board.commandLine}\n`);
  return base;
}

async function makeSlot(
  { prepared, lockedTools }: Inputs,
  contents: Pick<Trees, "base" | "app">,
  compression: RootCompression,
  file: string,
): Promise<Buffer> {
  await packSlot(contents, prepared.epoch, compression, lockedTools, file);
  return await readFile(file);
}

type Loader = NonNullable<DiskContents["grub"]>;

async function makeLoader({ board, lockedTools }: Inputs, { packages }: Prepared): Promise<Loader> {
  const files = new PackageFiles(packages.map((each) => each.folder));
  return { ...(await makeGrub(board.loaders, files, lockedTools, BIOS_BOOT_SECTOR)), config: grubConfig(board) };
}

/** For the papers: what GRUB puts on the disk, and of which package it is. Names are the partition's and the file's in it. */
export function loaderFiles({ efi, bios, config }: Loader, packages: readonly PreparedPackage[]): MadeFile[] {
  const named = (name: string): PreparedPackage | undefined => packages.find((each) => each.name === name);
  const inBiosBoot = ({ boot, core, package: from }: NonNullable<Loader["bios"]>): MadeFile[] => [
    { name: "bios-boot/boot.img", data: boot, package: named(from) },
    { name: "bios-boot/core.img", data: core, package: named(from) },
  ];
  return [
    ...(bios === undefined ? [] : inBiosBoot(bios)),
    ...efi.map(({ name, data, package: from }) => ({ name: `BOOT/EFI/BOOT/${name}`, data, package: named(from) })),
    { name: "BOOT/grub/grub.cfg", data: Buffer.from(config), package: undefined },
  ];
}

/** Writes the disk. Its SHA-256 without signature and trust anchor is the same for everybody who builds it. */
async function fillDisk(
  inputs: Inputs,
  grub: Loader | undefined,
  slot: SignedSlot,
  file: string,
): Promise<Required<FileFacts>> {
  const { board, prepared } = inputs;
  const contents = { board: board.name, epoch: prepared.epoch, grub, rollbackIndex: ROLLBACK_INDEX };
  const disk = makeDisk({ ...contents, slot });
  await writeDisk(disk, file);
  const unsigned = makeDisk({ ...contents, slot: withoutTrust(slot) });
  return { size: disk.size, sha256: hashDisk(disk), sha256_unsigned: hashDisk(unsigned) };
}

function withoutTrust({ payload, trailer }: SignedSlot): DiskContents["slot"] {
  const bare = Buffer.from(payload);
  bare.fill(0, bare.length - ANCHOR_BYTES);
  return { payload: bare, trailer: Buffer.alloc(trailer.length) };
}

const GRUB_CONFIG = join(projectRoot, "image/boot/grub.cfg");

/** On arm64 the serial port is the firmware's, and GRUB reaches it through it. */
function grubConfig({ commandLine, machine }: Board): string {
  if (commandLine.includes("'")) throw new ImageError(`the kernel's command line ${commandLine} has a quote in it`);
  const hasSerial = machine.architecture === "amd64" ? "yes" : "no";
  return `command_line='${commandLine}'\nhas_serial=${hasSerial}\n\n${readFileSync(GRUB_CONFIG, "utf8")}`;
}
