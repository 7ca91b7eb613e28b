/** GRUB as files of the boot partition and code before it, made by the locked grub-mkimage from locked modules. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECTOR_BYTES } from "../appliance/update/partition-table.ts";
import { ImageError } from "./failure.ts";
import type { LockedTools } from "./locked-tool.ts";
import type { PackageFiles } from "./package-files.ts";

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
  const efi: Grub["efi"][number][] = [];
  let bios: Grub["bios"];
  for (const { name, package: from } of platforms) {
    if (name === "i386-pc") {
      const [core, boot] = [
        await mkimage(name, "(,gpt2)/grub", files, tools),
        files.entry(`/usr/lib/grub/${name}/boot.img`),
      ];
      const image = boot.content.kind === "file" ? boot.content.data : Buffer.alloc(0);
      bios = { ...embed(image, core, biosBootSector), package: from };
    } else {
      // Without a disk in the prefix it is the one that the firmware loaded this from.
      efi.push({ name: EFI_NAME[name], data: await mkimage(name, "/grub", files, tools), package: from });
    }
  }
  return { efi, bios };
}

async function mkimage(
  platform: GrubPlatform["name"],
  prefix: string,
  files: PackageFiles,
  tools: LockedTools,
): Promise<Buffer> {
  const modules = files.hostFolder(`/usr/lib/grub/${platform}`);
  if (modules === undefined) throw new ImageError(`no package of this build has GRUB's modules for ${platform}`);
  const folder = await mkdtemp(join(tmpdir(), "culvert-grub-"));
  try {
    const output = join(folder, "grub");
    const line = ["-O", platform, "-d", modules, "-p", prefix, "-o", output, ...MODULES, ...OWN_MODULES[platform]];
    await tools.run("/usr/bin/grub-mkimage", line);
    return await readFile(output);
  } finally {
    await rm(folder, { recursive: true });
  }
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
