/**
 * Programs that come from locked packages, not from the host: mksquashfs, grub-mkimage. Another version of them makes other bytes
 * of the same input; run like this, a build on Debian 13 or Ubuntu makes the image that one on Debian 12 does.
 */
import process from "node:process";
import { execa } from "execa";
import { ImageError } from "./failure.ts";
import { explain, settings, type ToolOptions } from "./host-tool.ts";
import { AMD64, ARM64, type Machine } from "./machines.ts";
import { PackageFiles } from "./package-files.ts";
import { type Prepared, type PreparedPackage, prepare } from "./prepare.ts";
import type { Progress } from "./progress.ts";

/** Each program with the packages of the libraries that it opens. */
const SQUASHFS = ["squashfs-tools", "liblz4-1", "liblzma5", "liblzo2-2", "libzstd1", "zlib1g"];
const GRUB = ["grub-common", "libdevmapper1.02.1", "liblzma5", "libpcre2-8-0", "libselinux1", "libudev1", "libcap2"];
/** For builds on amd64; a build on arm64 needs the same for it: `culvert image lock NAME:arm64`. */
export const TOOL_PACKAGES: readonly string[] = [...new Set(["libc6", "libgcc-s1", ...SQUASHFS, ...GRUB])];

/** Of this computer, by Node's name. */
const HOSTS: Readonly<Record<string, { readonly machine: Machine; readonly loader: string }>> = {
  x64: { machine: AMD64, loader: "/lib64/ld-linux-x86-64.so.2" },
  arm64: { machine: ARM64, loader: "/lib/ld-linux-aarch64.so.1" },
};

/** Programs of the locked packages, with their own C library: nothing of the host's is opened. */
export class LockedTools {
  readonly #files: PackageFiles;
  readonly #folders: readonly string[];
  readonly #host: { readonly machine: Machine; readonly loader: string };
  /** True when a package is not the locked one. */
  readonly unlocked: boolean;
  /** Package and SHA-256 of each: part of the key of whatever they make. */
  readonly identity: readonly (readonly [string, string])[];
  readonly packages: readonly PreparedPackage[];
  /** Package -> version. */
  readonly versions: Readonly<Record<string, string>>;

  private constructor(prepared: Prepared, host: { readonly machine: Machine; readonly loader: string }) {
    this.#folders = prepared.packages.map((each) => each.folder);
    this.#files = new PackageFiles(this.#folders);
    this.#host = host;
    this.unlocked = prepared.unlocked;
    this.packages = prepared.packages;
    this.identity = prepared.packages.map((each) => [each.name, each.sha256] as const);
    this.versions = Object.fromEntries(prepared.packages.map((each) => [each.name, each.version]));
  }

  /** Fetches what the cache lacks. */
  static async open(locked: boolean, progress: Progress): Promise<LockedTools> {
    const host = HOSTS[process.arch];
    if (host === undefined) {
      throw new ImageError(`images are built on ${Object.keys(HOSTS).join(" or ")}; this computer is ${process.arch}`);
    }
    const { architecture } = host.machine;
    const prepared = await prepare({ architecture, names: TOOL_PACKAGES, locked, step: "tools" }, progress);
    return new LockedTools(prepared, host);
  }

  /** Runs `program`, an absolute path inside the packages. Returns its standard output; throws with what it said when it fails. */
  async run(program: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
    try {
      const line = ["--library-path", this.#libraryPath(), this.#hostPath(program), ...args];
      return (await execa(this.#hostPath(this.#host.loader), line, { ...settings(options), encoding: "utf8" })).stdout;
    } catch (error) {
      throw explain(program, args, error);
    }
  }

  #libraryPath(): string {
    const below = this.#host.machine.libraryFolders.flatMap((folder) => [folder, folder.replace(/^\/usr/, "")]);
    return this.#folders.flatMap((package_) => below.map((folder) => package_ + folder)).join(":");
  }

  #hostPath(path: string): string {
    const found = this.#files.hostPath(path);
    if (found === undefined) throw new ImageError(`no locked package has ${path}`);
    return found;
  }
}
