/** GRUB as files of the boot partition and code before it, made by the locked grub-mkimage from locked modules. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SECTOR_BYTES } from "../appliance/update/partition-table.ts";
import { contentKey } from "./content-key.ts";
import { ImageError } from "./failure.ts";
import { inTurn } from "./in-turn.ts";
import type { LockedTools } from "./locked-tool.ts";
import { fillOnce } from "./output-folder.ts";
import type { PackageFiles } from "./package-files.ts";
import { cacheFolder } from "./project.ts";

/** One way in which firmware starts GRUB. */
export interface GrubPlatform {
  /** GRUB's name of it. */
  readonly name: "i386-pc" | "x86_64-efi" | "arm64-efi";
  /** The Debian package that has its modules. */
  readonly package: string;
}

/** UEFI's names of what it starts from a removable medium: UEFI 2.10 §3.5.1.1. */
const EFI_NAME = { "x86_64-efi": "BOOTX64.EFI", "arm64-efi": "BOOTAA64.EFI" } as const;

const MODULES = [
  ...["part_gpt", "fat", "squash4", "xzio", "gzio", "normal", "configfile", "linux", "loadenv", "test", "echo"],
  ...["regexp", "terminal", "reboot", "sleep", "minicmd"],
];
const OWN_MODULES: Readonly<Record<GrubPlatform["name"], readonly string[]>> = {
  "i386-pc": ["biosdisk", "serial"],
  "x86_64-efi": ["efi_gop", "all_video", "serial"],
  "arm64-efi": ["efi_gop", "all_video"],
};

const IMAGE_NAME = "image";

export interface Grub {
  /** Below EFI/BOOT of the boot partition. */
  readonly efi: readonly { readonly name: string; readonly data: Buffer; readonly package: string }[];
  /** For BIOS: the code of the first sector, and what it loads, for the beginning of the BIOS boot partition. */
  readonly bios: { readonly boot: Buffer; readonly core: Buffer; readonly package: string } | undefined;
}

/** `files` has the platforms' packages; `biosBootSector` is where the BIOS boot partition begins. */
export async function makeGrub(
  platforms: readonly GrubPlatform[],
  files: PackageFiles,
  tools: LockedTools,
  biosBootSector: number,
): Promise<Grub> {
  const made = await Promise.all(platforms.map((platform) => forPlatform(platform, files, tools, biosBootSector)));
  return { efi: made.flatMap(({ efi }) => efi ?? []), bios: made.find(({ bios }) => bios)?.bios };
}

interface MadeForPlatform {
  readonly efi?: Grub["efi"][number];
  readonly bios?: Grub["bios"];
}

async function forPlatform(
  { name, package: from }: GrubPlatform,
  files: PackageFiles,
  tools: LockedTools,
  biosBootSector: number,
): Promise<MadeForPlatform> {
  // Without a disk in the prefix it is the one that the firmware loaded this from.
  if (name !== "i386-pc")
    return { efi: { name: EFI_NAME[name], data: await mkimage(name, "/grub", files, tools), package: from } };
  const core = await mkimage(name, "(,gpt2)/grub", files, tools);
  const { content } = files.entry(`/usr/lib/grub/${name}/boot.img`);
  const image = content.kind === "file" ? content.data : Buffer.alloc(0);
  return { bios: { ...embed(image, core, biosBootSector), package: from } };
}

/** What grub-mkimage makes of the modules is kept: packages are unpacked into folders that are named by their content. */
async function mkimage(
  platform: GrubPlatform["name"],
  prefix: string,
  files: PackageFiles,
  tools: LockedTools,
): Promise<Buffer> {
  const modules = files.hostFolder(`/usr/lib/grub/${platform}`);
  if (modules === undefined) throw new ImageError(`no package of this build has GRUB's modules for ${platform}`);
  const line = ["-O", platform, "-d", modules, "-p", prefix, ...MODULES, ...OWN_MODULES[platform]];
  const folder = join(cacheFolder, "grub", contentKey([...line, JSON.stringify(tools.identity)]));
  await inTurn(folder, async () => {
    if (existsSync(folder)) return;
    await fillOnce(folder, (partial) => tools.run("/usr/bin/grub-mkimage", ["-o", join(partial, IMAGE_NAME), ...line]));
  });
  return await readFile(join(folder, IMAGE_NAME));
}

/** Where boot.img keeps the sector to load, and the jump that ignores the drive which the BIOS names: boot.S. */
const BOOT = { kernelSector: 0x5c, driveCheck: 0x66, codeBytes: 440 } as const;
/** The last list of sectors in the first sector of core.img, and the segment that they are loaded to: diskboot.S. */
const CORE = { blockList: SECTOR_BYTES - 12, segment: 0x820 } as const;

/** What grub-bios-setup does: tells the first sector where the core is, and the core how long it is. */
export function embed(bootImage: Buffer, core: Buffer, firstSector: number): { boot: Buffer; core: Buffer } {
  if (bootImage.length !== SECTOR_BYTES || bootImage.readUInt16LE(510) !== 0xaa55) {
    throw new ImageError("GRUB's boot.img is no boot sector: its package is not the one that this builder knows");
  }
  const boot = Buffer.from(bootImage.subarray(0, BOOT.codeBytes));
  boot.writeBigUInt64LE(BigInt(firstSector), BOOT.kernelSector);
  // Without these two no-ops the drive number is checked, which some BIOSes get wrong for hard disks.
  boot.writeUInt16LE(0x9090, BOOT.driveCheck);
  const sectors = Math.ceil(core.length / SECTOR_BYTES);
  const placed = Buffer.alloc(sectors * SECTOR_BYTES);
  core.copy(placed);
  placed.writeBigUInt64LE(BigInt(firstSector + 1), CORE.blockList);
  placed.writeUInt16LE(sectors - 1, CORE.blockList + 8);
  placed.writeUInt16LE(CORE.segment, CORE.blockList + 10);
  return { boot, core: placed };
}
