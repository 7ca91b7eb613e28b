/** Firmwares for update campaigns: the board's real slot, also with a new beginning of the app that makes it ill, signed by keys of
 * the campaign's own. */
import { readFileSync, writeFileSync } from "node:fs";
import { cp, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { TRAILER_BYTES } from "../../appliance/update/image-format.ts";
import type { SignedSlot } from "../../image/sign.ts";
import { type SigningKey, type SlotFacts, signSlot } from "../../image/sign.ts";

/** What is put before the app's first statement. */
export const ILLNESS = {
  /** A kernel panic as soon as the app starts. */
  panics: 'require("fs").writeFileSync("/proc/sysrq-trigger","c");',
  /** The app never gets as far as a sign of life. */
  hangs: "for(;;);",
  /** It ends at once, over and over. */
  dies: 'throw new Error("this firmware is ill");',
  /** Everything runs but the PPTP service, which says that it listens and does not. */
  deaf: `{const{Server}=require("net"),{listen}=Server.prototype;Server.prototype.listen=function(...a){
const o=a[0];const port=typeof o==="object"&&o!==null?o.port:o;return port===1723?this:listen.apply(this,a)};}`,
} as const;
export type Illness = keyof typeof ILLNESS;

/** squashfs superblock: `bytes_used`, 64 bits, little endian. */
const SQUASHFS_BYTES_USED = 40;
/** A file system never gives its last blocks to a file. */
const SPARE_BLOCKS = 4;

const APP = "opt/culvert/culvert.cjs";

/** Packs the slot anew in `folder`; returns the squashfs. */
export async function repackSlot(squashfs: string, folder: string, illness: Illness): Promise<Buffer> {
  const healthy = join(folder, "root");
  await mkdir(folder, { recursive: true });
  await execa("unsquashfs", ["-n", "-q", "-f", "-d", healthy, squashfs]).catch((error: unknown) => {
    // Only root may make the device nodes, of which a slot has none that matter.
    if (!String(error).includes("could not create")) throw error;
  });
  const app = join(healthy, APP);
  const text = readFileSync(app, "utf8");
  const strict = '"use strict";';
  writeFileSync(app, `${text.startsWith(strict) ? strict : ""}${ILLNESS[illness]}\n${text}`);
  const file = join(folder, `${illness}.sqfs`);
  const packing = [
    "-comp",
    "gzip",
    "-Xcompression-level",
    "6",
    "-b",
    "256K",
    "-all-root",
    "-noappend",
    "-no-xattrs",
    "-quiet",
  ];
  await execa("mksquashfs", [healthy, file, ...packing, "-no-progress"]);
  await rm(healthy, { recursive: true, force: true });
  return readFileSync(file);
}

export async function firmware(squashfs: Buffer, key: SigningKey, facts: Partial<SlotFacts>): Promise<SignedSlot> {
  const all = { board: "x86_64", version: "0.1.0", rollbackIndex: 1, commit: "", key: "00", ...facts };
  return await signSlot(squashfs, all, key);
}

/** Puts a slot into a copy of a flashable disk, in the place of the one that it was built with. */
export async function diskWith(
  disk: string,
  copy: string,
  slot: SignedSlot,
  { offset, size }: { readonly offset: number; readonly size: number },
): Promise<void> {
  await cp(disk, copy);
  const handle = await open(copy, "r+");
  try {
    await handle.write(slot.payload, 0, slot.payload.length, offset);
    await handle.write(slot.trailer, 0, TRAILER_BYTES, offset + size - TRAILER_BYTES);
  } finally {
    await handle.close();
  }
}

/** The same slot, with nothing behind it until it is so long. */
export function extended(squashfs: Buffer, bytes: number): Buffer {
  const longer = Buffer.alloc(bytes);
  squashfs.copy(longer);
  longer.writeBigUInt64LE(BigInt(bytes), SQUASHFS_BYTES_USED);
  return longer;
}

/**
 * Fills the ext4 file system that begins at byte `offset` of a disk which nobody uses, but for a few blocks, with a file whose content
 * is made in `scratch`. Returns how many blocks are left.
 */
export async function fillFileSystem(disk: string, offset: number, scratch: string): Promise<number> {
  const device = `${disk}?offset=${offset}`;
  const facts = async (): Promise<{ readonly free: number; readonly blockBytes: number }> => {
    const { stdout } = await execa("debugfs", ["-R", "show_super_stats -h", device]);
    const value = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)$`, "m").exec(stdout)?.[1]);
    return { free: value("Free blocks"), blockBytes: value("Block size") };
  };
  const { free, blockBytes } = await facts();
  writeFileSync(scratch, Buffer.alloc((free - SPARE_BLOCKS) * blockBytes, 1));
  await execa("debugfs", ["-w", "-R", `write ${scratch} filler`, device]);
  await rm(scratch);
  return (await facts()).free;
}
