/** The content-addressed store of Debian packages: `debs/SHA256.deb` as fetched, `unpacked/SHA256/` as files, `control/SHA256`. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { parseControl } from "./apt.ts";
import { ImageError } from "./failure.ts";
import { runTool } from "./host-tool.ts";
import type { LockedPackage } from "./lock.ts";

export class DebCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  has(entry: LockedPackage): boolean {
    return this.isUnpacked(entry) || existsSync(this.#deb(entry));
  }

  isUnpacked(entry: LockedPackage): boolean {
    return existsSync(this.#unpackedFolder(entry));
  }

  /** A fresh folder on the same file system, so that what is finished in it can be renamed into place. */
  async scratch(): Promise<string> {
    await mkdir(this.#folder, { recursive: true });
    return await mkdtemp(join(this.#folder, "incoming-"));
  }

  /** Takes in the .deb files of `folder`; throws when one of `expected` is absent or differs in size or SHA-256. */
  async takeIn(folder: string, expected: readonly LockedPackage[]): Promise<void> {
    await mkdir(join(this.#folder, "debs"), { recursive: true });
    const arrived = new Map<string, string>();
    for (const name of await readdir(folder)) {
      if (name.endsWith(".deb")) arrived.set(await sha256OfFile(join(folder, name)), join(folder, name));
    }
    for (const entry of expected) {
      const file = arrived.get(entry.sha256);
      if (file === undefined || (await stat(file)).size !== entry.size) {
        throw new ImageError(
          `${entry.package} ${entry.version}: what arrived is not the locked file (SHA-256 ${entry.sha256}): ` +
            "the mirror or the lock is wrong; `culvert image lock` takes the mirror's current one",
        );
      }
      await rename(file, this.#deb(entry));
    }
  }

  /** Unpacks a package unless that was done before. Maintainer scripts are never run. */
  async unpack(entry: LockedPackage): Promise<string> {
    const final = this.#unpackedFolder(entry);
    if (existsSync(final)) return final;
    await mkdir(join(this.#folder, "unpacked"), { recursive: true });
    const partial = await this.scratch();
    try {
      await runTool("dpkg-deb", ["--extract", this.#deb(entry), partial]);
      await rename(partial, final);
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      // Another build may have unpacked the same package meanwhile: same content, nothing lost.
      if (!existsSync(final)) throw error;
    }
    return final;
  }

  /**
   * The package's control fields, such as `Source` and `Built-Using`: what its index entry says of where it comes from.
   * Read once and kept. Throws when the .deb is gone.
   */
  async control(entry: LockedPackage): Promise<ReadonlyMap<string, string>> {
    const kept = join(this.#folder, "control", entry.sha256);
    if (existsSync(kept)) return parseControl(await readFile(kept, "utf8"));
    if (!existsSync(this.#deb(entry))) {
      const unpacked = this.#unpackedFolder(entry);
      throw new ImageError(`${this.#deb(entry)} is missing: delete ${unpacked} and build again, which fetches it`);
    }
    const text = await runTool("dpkg-deb", ["--field", this.#deb(entry)]);
    await mkdir(dirname(kept), { recursive: true });
    await writeFile(`${kept}.new-${process.pid}`, text);
    await rename(`${kept}.new-${process.pid}`, kept);
    return parseControl(text);
  }

  #unpackedFolder(entry: LockedPackage): string {
    return join(this.#folder, "unpacked", entry.sha256);
  }

  #deb(entry: LockedPackage): string {
    return join(this.#folder, "debs", `${entry.sha256}.deb`);
  }
}

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
