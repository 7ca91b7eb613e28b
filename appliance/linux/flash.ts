/** The medium's partitions as block devices, found in sysfs by their GPT names; what is read comes from the medium. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Flash, type Partition, SystemError } from "../ports.ts";
import { toSystemError } from "./system-call.ts";

const SECTOR_BYTES = 512;

export interface FlashPlaces {
  /** `/sys/class/block`. */
  readonly blockFolder: string;
  /** `/dev`. */
  readonly deviceFolder: string;
  /** The kernel's command line, on which the boot loader says `culvert.slot=`. */
  readonly commandLine: string;
  /** Forgets what of a block device is cached (BLKFLSBUF): what is read next comes from the medium. */
  readonly forget: (device: string) => Promise<void>;
}

export function systemFlashPlaces(): FlashPlaces {
  return {
    blockFolder: "/sys/class/block",
    deviceFolder: "/dev",
    commandLine: readFileSync("/proc/cmdline", "latin1"),
    forget: async (device) => void (await promisify(execFile)("blockdev", ["--flushbufs", device])),
  };
}

export function blockFlash({ blockFolder, deviceFolder, commandLine, forget }: FlashPlaces): Flash {
  const word = /(?:^|\s)culvert\.slot=([ab])(?:\s|$)/.exec(commandLine)?.[1];
  const booted = word === "a" || word === "b" ? word : undefined;
  return {
    booted,
    async open(name) {
      const found = findPartition(blockFolder, name, booted === undefined ? undefined : `slot-${booted}`);
      if (found === undefined) return undefined;
      return await openPartition({ path: join(deviceFolder, found.device), name, sizeBytes: found.bytes, forget });
    },
  };
}

interface Found {
  readonly device: string;
  readonly bytes: number;
  /** Of the whole disk, in sysfs. */
  readonly disk: string;
}

/** A second disk with the same names (a card that is being made, say) is none of ours: it must be the one with the running slot. */
function findPartition(folder: string, name: string, beside: string | undefined): Found | undefined {
  const partitions = readdirSync(folder).flatMap((device) => {
    const event = readText(join(folder, device, "uevent"));
    const label = /^PARTNAME=(.*)$/m.exec(event)?.[1];
    if (label === undefined) return [];
    const disk = dirname(realpathSync(join(folder, device)));
    const bytes = Number(readText(join(folder, device, "size"))) * SECTOR_BYTES;
    return [{ label, device, bytes, disk }];
  });
  const disks = partitions.filter(({ label }) => label === (beside ?? name)).map(({ disk }) => disk);
  return partitions.find(({ label, disk }) => label === name && disks.includes(disk));
}

function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    // A card that was pulled out between two looks.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENODEV")) return "";
    throw error;
  }
}

interface Place extends Pick<FlashPlaces, "forget"> {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
}

async function openPartition({ path, name, sizeBytes, forget }: Place): Promise<Partition> {
  const called = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw toSystemError(error, `${what} partition ${name} (${path})`) ?? error;
    }
  };
  const handle = await called("open", () => open(path, "r+"));
  const inside = (what: string, offset: number, length: number): void => {
    if (offset < 0 || offset + length > sizeBytes)
      throw new SystemError(`${what} partition ${name} (${path})`, "ENOSPC");
  };
  return {
    sizeBytes,
    async read(offset, length) {
      inside("read", offset, length);
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; ) {
        const { bytesRead } = await called("read", () => handle.read(bytes, at, length - at, offset + at));
        if (bytesRead === 0) throw new SystemError(`read partition ${name} (${path})`, "EIO");
        at += bytesRead;
      }
      return bytes;
    },
    async write(offset, bytes) {
      inside("write", offset, bytes.length);
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await called("write", () => handle.write(bytes, at, bytes.length - at, offset + at));
        at += bytesWritten;
      }
    },
    async sync() {
      await called("fsync", () => handle.sync());
      await called("forget", () => forget(path));
    },
    close: () => called("close", () => handle.close()),
  };
}
