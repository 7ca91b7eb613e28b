/** Writes an image onto a disk and reads it back from the medium: nothing is believed that the disk only has in a cache. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { execa } from "execa";
import type { TargetDisk } from "./target-disk.ts";

const PIECE_BYTES = 4 << 20;
/** A backup of an older partition table stands in a disk's last sectors: UEFI 2.10 §5.3.2. */
const TABLE_BYTES = 34 * 512;

export interface WriteProgress {
  readonly step: "writing" | "reading back";
  readonly bytes: number;
  readonly ofBytes: number;
}

/**
 * Returns the SHA-256 of what was written and read back. Throws an Error of one sentence when the disk is too small, is taken by
 * somebody else meanwhile, fails, or does not hold what was written.
 */
export async function writeImage(
  image: string,
  target: TargetDisk,
  onProgress: (progress: WriteProgress) => void,
): Promise<string> {
  const source = await open(image, "r");
  try {
    const { size } = await source.stat();
    if (target.kind === "disk" && target.bytes < size)
      throw new Error(`${target.path} has ${target.bytes} bytes, and the image has ${size}`);
    const wanted = await withTarget(target, true, async (disk) => {
      const hash = await copy(source, disk, size, onProgress);
      // A larger disk's own table would be found where the image's ends.
      if (target.bytes > size + TABLE_BYTES)
        await writeAll(disk, Buffer.alloc(TABLE_BYTES), target.bytes - TABLE_BYTES, target.path);
      if (target.kind === "file") await disk.truncate(size);
      await named(target.path, "not everything reached the medium", () => disk.sync());
      return hash;
    });
    if (target.kind === "disk") await execa("blockdev", ["--flushbufs", target.path]);
    const read = await withTarget(target, false, (disk) => hashBack(disk, size, target.path, onProgress));
    if (read !== wanted)
      throw new Error(
        `${target.path} does not hold what was written (SHA-256 ${read} in place of ${wanted}): it is broken, or not what it claims to be`,
      );
    if (target.kind === "disk") await execa("blockdev", ["--rereadpt", target.path], { reject: false });
    return wanted;
  } finally {
    await source.close();
  }
}

async function withTarget<T>(
  { path, kind }: TargetDisk,
  toWrite: boolean,
  use: (disk: FileHandle) => Promise<T>,
): Promise<T> {
  // On a block device O_EXCL means that nobody has mounted it, and that nobody can while it is open.
  const exclusive = kind === "disk" ? constants.O_EXCL : constants.O_CREAT;
  const flags = toWrite ? constants.O_RDWR | exclusive : constants.O_RDONLY;
  let disk: FileHandle;
  try {
    disk = await open(path, flags, 0o644);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EBUSY") throw new Error(`${path} is in use: it was mounted meanwhile, or another program has it`);
    if (code === "EACCES" || code === "EPERM")
      throw new Error(`${path} may be written to by root only: run this with sudo`);
    throw error;
  }
  try {
    return await use(disk);
  } finally {
    await disk.close();
  }
}

async function copy(
  source: FileHandle,
  disk: FileHandle,
  size: number,
  onProgress: (progress: WriteProgress) => void,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(PIECE_BYTES);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(PIECE_BYTES, size - at), at);
    if (bytesRead === 0) throw new Error("the image became shorter while it was read");
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await writeAll(disk, piece, at, "the disk");
    at += bytesRead;
    // Without it everything is in memory at once, and the wait comes at the end without a word.
    await named("the disk", "it failed while it was written", () => disk.datasync());
    onProgress({ step: "writing", bytes: at, ofBytes: size });
  }
  return hash.digest("hex");
}

async function writeAll(disk: FileHandle, bytes: Buffer, at: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await named(path, `it failed at byte ${at + done}`, () =>
      disk.write(bytes, done, bytes.length - done, at + done),
    );
    done += bytesWritten;
  }
}

async function hashBack(
  disk: FileHandle,
  size: number,
  path: string,
  onProgress: (progress: WriteProgress) => void,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(PIECE_BYTES);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await named(path, `it cannot be read at byte ${at}`, () =>
      disk.read(buffer, 0, Math.min(PIECE_BYTES, size - at), at),
    );
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
    onProgress({ step: "reading back", bytes: at, ofBytes: size });
  }
  return hash.digest("hex");
}

async function named<T>(path: string, what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new Error(`${path}: ${what}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
