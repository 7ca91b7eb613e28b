/**
 * The disk or card that an image goes onto, looked at before a byte is written: what it is, and why it must not be written to. A
 * regular file will do too, for images that go elsewhere from here.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const SECTOR_BYTES = 512;

export interface TargetDisk {
  readonly path: string;
  readonly kind: "disk" | "file";
  /** Of a file that is not there yet: 0. */
  readonly bytes: number;
  /** For people: `SanDisk Ultra, serial 4C53, USB`. */
  readonly what: string;
  /** A disk that is built in, as far as the kernel knows. */
  readonly isFixed: boolean;
}

/** Where the kernel tells about itself; another root for tests. */
export interface KernelPlaces {
  /** `/sys`. */
  readonly sys: string;
  /** `/proc`. */
  readonly proc: string;
}

export const KERNEL_PLACES: KernelPlaces = { sys: "/sys", proc: "/proc" };

/** `major:minor`, as the kernel writes it. */
type DeviceNumber = string;

/** Throws an Error of one sentence when this is nothing that an image may be written to. */
export function inspectTarget(path: string, places: KernelPlaces = KERNEL_PLACES): TargetDisk {
  if (!existsSync(path)) {
    if (path.startsWith("/dev/")) throw new Error(`there is no ${path}: lsblk shows the disks of this computer`);
    if (!existsSync(dirname(path))) throw new Error(`there is no folder ${dirname(path)}`);
    return { path, kind: "file", bytes: 0, what: "a new file", isFixed: false };
  }
  const stats = statSync(path);
  if (stats.isFile()) return { path, kind: "file", bytes: stats.size, what: "a file", isFixed: false };
  if (!stats.isBlockDevice())
    throw new Error(`${path} is neither a disk nor a file: an image goes onto a whole disk, such as /dev/sdX`);
  return inspectDisk(path, `${major(stats.rdev)}:${minor(stats.rdev)}`, places);
}

/** As `inspectTarget`, for a block device by its number. */
export function inspectDisk(path: string, number: DeviceNumber, { sys, proc }: KernelPlaces): TargetDisk {
  const folder = realpathSync(join(sys, "dev/block", number));
  if (existsSync(join(folder, "partition")))
    throw new Error(`${path} is a partition: an image goes onto the whole disk, /dev/${basename(dirname(folder))}`);
  if (text(join(folder, "ro")) === "1") throw new Error(`${path} is write-protected`);
  const uses = usesOf(folder, { sys, proc });
  if (uses.length > 0)
    throw new Error(
      `${path} is in use (${uses.join("; ")}): ${uses.some(isSystem) ? "it is not the disk you mean" : "unmount it first"}`,
    );
  const bytes = Number(text(join(folder, "size"))) * SECTOR_BYTES;
  if (bytes === 0) throw new Error(`${path} has no medium in it`);
  return { path, kind: "disk", bytes, ...describe(folder) };
}

function describe(folder: string): Pick<TargetDisk, "what" | "isFixed"> {
  const loop = text(join(folder, "loop/backing_file"));
  const device = join(folder, "device");
  const names = ["vendor", "model", "name"].map((each) => text(join(device, each))).filter((each) => each !== "");
  const serial = text(join(device, "serial")) || text(join(folder, "serial"));
  const bus = /\/usb\d/.test(folder) ? "USB" : /\/mmc_host\//.test(folder) ? "card" : "";
  const words = [
    loop === "" ? names.join(" ") || "a disk without a name" : `loop device on ${loop}`,
    serial === "" ? "" : `serial ${serial}`,
    bus,
  ];
  return {
    what: words.filter((each) => each !== "").join(", "),
    isFixed: loop === "" && bus === "" && text(join(folder, "removable")) !== "1",
  };
}

/** What of a disk, its partitions, and what is built on them is in use. */
function usesOf(folder: string, places: KernelPlaces): readonly string[] {
  const mounts = mountsOf(places.proc);
  const swaps = swapsOf(places.proc);
  return [folder, ...partitionsOf(folder)].flatMap((each) => {
    const name = basename(each);
    const mounted = mounts.get(text(join(each, "dev"))) ?? [];
    const holders = names(join(each, "holders")).flatMap((holder) => {
      const above = realpathSync(join(places.sys, "class/block", holder));
      const uses = usesOf(above, places);
      return [`${name} is part of ${holder}`, ...uses];
    });
    return [
      ...mounted.map((place) => `${name} is mounted on ${place}`),
      ...(swaps.has(`/dev/${name}`) ? [`${name} is swap space`] : []),
      ...holders,
    ];
  });
}

function isSystem(use: string): boolean {
  return / is mounted on \/(?:boot(?:\/efi)?|usr|var|home)?$/.test(use) || / is swap space$/.test(use);
}

function partitionsOf(folder: string): readonly string[] {
  return names(folder)
    .map((name) => join(folder, name))
    .filter((place) => existsSync(join(place, "partition")));
}

/** Mount points by device number: proc(5), mountinfo. A btrfs hides its device's number, so the device's name is looked up too. */
function mountsOf(proc: string): ReadonlyMap<DeviceNumber, readonly string[]> {
  const mounts = new Map<DeviceNumber, string[]>();
  for (const line of text(join(proc, "self/mountinfo")).split("\n")) {
    const [, , number = "", , place = ""] = line.split(" ");
    const source = / - \S+ (\S+)/.exec(line)?.[1] ?? "";
    for (const key of new Set([number, numberOf(source)])) {
      if (key !== "") mounts.set(key, [...(mounts.get(key) ?? []), place.replaceAll("\\040", " ")]);
    }
  }
  return mounts;
}

function numberOf(device: string): DeviceNumber {
  if (!device.startsWith("/dev/") || !existsSync(device)) return "";
  const stats = statSync(device);
  return stats.isBlockDevice() ? `${major(stats.rdev)}:${minor(stats.rdev)}` : "";
}

function swapsOf(proc: string): ReadonlySet<string> {
  const lines = text(join(proc, "swaps")).split("\n").slice(1);
  return new Set(lines.map((line) => line.split(/\s/)[0] ?? "").map(resolved));
}

function resolved(device: string): string {
  try {
    return join(dirname(device), readlinkSync(device));
  } catch {
    return device;
  }
}

function names(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Nothing where there is no such file. */
function text(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

/** gnu_dev_major of glibc's sys/sysmacros.h, for the numbers below 2^32 that Linux has. */
function major(device: number): number {
  return Math.floor(device / 256) & 0xfff;
}
function minor(device: number): number {
  return (device & 0xff) | (Math.floor(device / 4096) & 0xfff00);
}
