/**
 * Step 2 of 4: the firmware app. esbuild makes ONE CommonJS file for Node 18 of it, and gcc makes the addon that lies
 * beside it in the image. The addon parses nothing and needs no node-gyp: Node-API's headers come from npm.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, readFile, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { include_dir as nodeApiHeaders } from "node-api-headers";
import { contentKey } from "./content-key.ts";
import { ImageError } from "./failure.ts";
import { runTool, toolVersion } from "./host-tool.ts";
import { inTurn } from "./in-turn.ts";
import { fillFolder } from "./output-folder.ts";
import { cacheFolder, nativeFolder, projectRoot } from "./project.ts";

/** Where an app's sources are, absolute. */
export interface AppSources {
  /** The TypeScript file that starts it. */
  readonly entry: string;
  /** The folder of the addon's .c and .h files; undefined for an app without one. */
  readonly native: string | undefined;
}

export const APPLIANCE: AppSources = {
  entry: join(projectRoot, "appliance/main.ts"),
  native: join(projectRoot, "appliance/native"),
};

export interface CompiledApp {
  /** culvert.cjs */
  readonly bundle: Buffer;
  /** culvert.node */
  readonly addon: Buffer | undefined;
}

const ADDON_FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"] as const;

export async function compile({ entry, native }: AppSources): Promise<CompiledApp> {
  const addon = native === undefined ? undefined : await readFile(await compileAddon(native));
  return { bundle: await bundleApp(entry), addon };
}

/** Names are kept and nothing is minified: a stack trace from a device must be readable. */
async function bundleApp(entry: string): Promise<Buffer> {
  if (!existsSync(entry)) throw new ImageError(`${entry} is missing: it is the start of the app`);
  const { outputFiles, errors } = await build({
    entryPoints: [entry],
    absWorkingDir: projectRoot,
    bundle: true,
    platform: "node",
    target: "node18",
    format: "cjs",
    keepNames: true,
    legalComments: "none",
    external: ["*.node"],
    write: false,
    logLevel: "silent",
  }).catch((error: Error) => {
    throw new ImageError(`esbuild cannot bundle the app: ${error.message}`, { cause: error });
  });
  const [bundle] = outputFiles;
  if (!bundle || errors.length > 0) throw new ImageError(`esbuild made nothing of ${entry}`);
  return Buffer.from(bundle.contents);
}

/** Compiles the addon, or takes it from the cache when sources, flags and compiler are the same. Returns its path. */
async function compileAddon(folder: string): Promise<string> {
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /\.[ch]$/.test(name))
        .sort()
    : [];
  const sources = names.filter((name) => name.endsWith(".c"));
  if (sources.length === 0) throw new ImageError(`${folder} has no .c files: they are the addon`);
  const key = contentKey([
    await toolVersion("gcc"),
    ADDON_FLAGS.join(" "),
    ...readdirSync(nodeApiHeaders)
      .sort()
      .map((name) => readFileSync(join(nodeApiHeaders, name))),
    ...names.flatMap((name) => [name, readFileSync(join(folder, name))]),
  ]);
  const file = join(cacheFolder, "addons", key, "culvert.node");
  await inTurn(file, async () => {
    if (existsSync(file)) return;
    await fillFolder(dirname(file), async (partial) => {
      // Relative source names keep the path of this checkout out of the result.
      const output = join(partial, basename(file));
      await runTool("gcc", [...ADDON_FLAGS, `-I${nodeApiHeaders}`, ...sources, "-o", output], { cwd: folder });
    });
  });
  return file;
}

/** Puts the appliance's addon for this host where tests load it from. Returns its path. */
export async function compileHostAddon(): Promise<string> {
  const addon = await compileAddon(join(projectRoot, "appliance/native"));
  const file = join(nativeFolder, "culvert.node");
  await mkdir(nativeFolder, { recursive: true });
  // A new file under the old name: a process that has the old one mapped keeps it.
  await copyFile(addon, `${file}.new-${process.pid}`);
  await rename(`${file}.new-${process.pid}`, file);
  return file;
}
