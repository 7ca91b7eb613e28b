/**
 * `culvert flash FILE`: a disk image onto a disk or card (`--disk`) or onto a board's medium over its boot loader (`--bench`), or an
 * update bundle into a device that runs (`--device ssh://admin@HOST`).
 */
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import process from "node:process";
import {
  HEADER_BYTES,
  parseBundleHeader,
  parseManifest,
  type UpdateManifest,
} from "../../appliance/update/image-format.ts";
import { formatSize } from "../../image/progress.ts";
import type { Person } from "../bench/person.ts";
import { UsageError } from "../usage-error.ts";
import { sshDevice, updateOverSsh } from "./over-ssh.ts";
import { flashBoard } from "./over-uboot.ts";
import { inspectTarget, type TargetDisk } from "./target-disk.ts";
import { TransferLine } from "./transfer-line.ts";
import { writeImage } from "./write-disk.ts";

export interface FlashCommand {
  readonly file: string | undefined;
  readonly disk: string | undefined;
  readonly device: string | undefined;
  /** A bench with a boot loader on a serial line: the image goes onto the board's medium, over TFTP or Y-modem. */
  readonly bench: string | undefined;
  /** The medium as U-Boot names it, `mmc 1`. */
  readonly medium: string | undefined;
  /** ssh_config(5) settings, joined by commas: `IdentityFile=KEY,StrictHostKeyChecking=no`. */
  readonly sshOptions: string | undefined;
  /** Do not ask. */
  readonly yes: boolean;
  /** A built-in disk will do. */
  readonly fixedDisk: boolean;
}

/** Throws a UsageError for a mistake on the command line, an Error of one sentence for what cannot be done. */
export async function flashCommand(given: FlashCommand, person: Person): Promise<number> {
  const { file, disk, device, bench, sshOptions } = given;
  if (file === undefined) throw new UsageError("flash: say which file: culvert flash FILE --disk /dev/sdX");
  if ([disk, device, bench].filter((place) => place !== undefined).length !== 1)
    throw new UsageError("flash: say where to: one of --disk /dev/sdX, --device ssh://admin@HOST, --bench FILE");
  if (!existsSync(file)) throw new UsageError(`flash: there is no file ${file}: \`culvert image build\` makes one`);
  const found = await contentOf(file);
  if (device !== undefined) {
    const address = sshDevice(device);
    if (address === undefined)
      throw new UsageError(`flash: '${device}' is no device: ssh://admin@HOST or ssh://admin@HOST:PORT`);
    if (found.kind !== "bundle")
      throw new UsageError(`flash: ${file} is no update bundle: send the .bundle beside the disk image`);
    return (await updateOverSsh({ file, address, sshOptions: sshOptions?.split(",") ?? [], person })) ? 0 : 1;
  }
  if (found.kind !== "image")
    throw new UsageError(`flash: ${file} is no disk image: write the .img that \`culvert image build\` makes`);
  if (bench !== undefined) return await flashBoard({ file, bench, medium: given.medium, person });
  return await flashDisk(file, inspectTarget(disk ?? ""), given, person);
}

async function flashDisk(
  file: string,
  target: TargetDisk,
  { yes, fixedDisk }: FlashCommand,
  person: Person,
): Promise<number> {
  const size = target.bytes === 0 ? "" : `, ${formatSize(target.bytes)}`;
  person.tell(`${target.path}: ${target.what}${size}`);
  if (target.isFixed && !fixedDisk)
    throw new UsageError(`flash: ${target.path} is built into this computer: --fixed-disk if that is really meant`);
  if (!yes && target.kind === "disk") {
    const answer = await person.ask("Everything on it is lost. Type yes to write: ", new AbortController().signal);
    if (answer.trim() !== "yes") {
      person.tell("Nothing was written.");
      return 1;
    }
  }
  const line = new TransferLine(process.stderr, () => performance.now());
  const sha256 = await writeImage(file, target, (progress) => line.show(progress));
  person.tell(`${target.path} holds ${file}, read back and right (SHA-256 ${sha256})`);
  return 0;
}

type Content = { readonly kind: "bundle"; readonly manifest: UpdateManifest } | { readonly kind: "image" | "other" };

/** UEFI 2.10 §5.3.2: a partition table's header begins so in the second sector. */
const TABLE_SIGNATURE = "EFI PART";

async function contentOf(file: string): Promise<Content> {
  const handle = await open(file, "r");
  try {
    const head = Buffer.alloc(64 * 1024);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    const length = parseBundleHeader(head.subarray(0, bytesRead));
    if (length !== undefined) {
      const manifest = parseManifest(head.subarray(HEADER_BYTES, HEADER_BYTES + length));
      if (manifest !== undefined) return { kind: "bundle", manifest };
    }
    return { kind: head.toString("latin1", 512, 520) === TABLE_SIGNATURE ? "image" : "other" };
  } finally {
    await handle.close();
  }
}
