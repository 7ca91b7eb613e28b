/**
 * C compilers. For a board, Debian's compiler for its machine with a system root of the very C library that the image holds
 * and Debian 12's headers, all from the lock: what the host has installed, and how new it is, does not matter.
 */
import { existsSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { contentKey } from "./content-key.ts";
import { ImageError } from "./failure.ts";
import { type HostTool, toolVersion } from "./host-tool.ts";
import { inTurn } from "./in-turn.ts";
import { AMD64, type Machine } from "./machines.ts";
import { fillOnce } from "./output-folder.ts";
import { type PreparedPackage, prepare } from "./prepare.ts";
import type { Progress } from "./progress.ts";
import { cacheFolder } from "./project.ts";

/** A program that turns C into code for one machine. */
export interface Compiler {
  readonly program: HostTool;
  /** Before all others. */
  readonly flags: readonly string[];
  /** Equal keys mean that equal sources give equal code. */
  readonly key: string;
}

/** Packages that C is compiled against and no image holds. */
export const HEADER_PACKAGES = ["libc6-dev", "linux-libc-dev"] as const;
/** The image's own C library, which the linker reads too. */
const LIBRARY_PACKAGES = ["libc6"] as const;

/** For programs that run on this computer, against its own C library. */
export async function hostCompiler(): Promise<Compiler> {
  return { program: "gcc", flags: [], key: await toolVersion("gcc") };
}

/** For the programs of a lab guest. */
export async function guestCompiler(progress: Progress, machine: Machine = AMD64): Promise<Compiler> {
  const names = [...LIBRARY_PACKAGES, ...HEADER_PACKAGES];
  const { packages } = await prepare({ architecture: machine.architecture, names, locked: false }, progress);
  return await imageCompiler(machine, packages);
}

/** For the programs of an image. `packages` must hold the header packages and the image's libc6. */
export async function imageCompiler(machine: Machine, packages: readonly PreparedPackage[]): Promise<Compiler> {
  const program = `${machine.triplet}-gcc` as const;
  const parts = [...LIBRARY_PACKAGES, ...HEADER_PACKAGES].map((name) => {
    const found = packages.find((each) => each.name === name);
    if (!found) throw new ImageError(`the toolchain lacks ${name}: it is not among the board's packages`);
    return found;
  });
  const key = contentKey([await toolVersion(program), ...parts.map(({ sha256 }) => sha256)]);
  const root = join(cacheFolder, "sysroots", key);
  await inTurn(root, async () => {
    if (existsSync(root)) return;
    await fillOnce(root, async (partial) => {
      for (const { folder } of parts) {
        for (const name of ["lib", "usr"].filter((each) => existsSync(join(folder, each))))
          await cp(join(folder, name), join(partial, name), { recursive: true, verbatimSymlinks: true });
      }
    });
  });
  return { program, flags: [`--sysroot=${root}`], key };
}
