/**
 * Step 2 of 4: the firmware app. esbuild makes ONE CommonJS file for Node 18 of it, and gcc makes the addon and the C
 * programs that lie beside it in the image. The addon parses nothing and needs no node-gyp: Node-API's headers come from npm.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, readFile, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { build, type Plugin } from "esbuild";
import { include_dir as nodeApiHeaders } from "node-api-headers";
import { contentKey } from "./content-key.ts";
import { ImageError } from "./failure.ts";
import { runTool } from "./host-tool.ts";
import { inTurn } from "./in-turn.ts";
import { fillOnce } from "./output-folder.ts";
import { cacheFolder, nativeFolder, projectRoot } from "./project.ts";
import { type Compiler, hostCompiler } from "./toolchain.ts";

/** Where an app's sources are, absolute. */
export interface AppSources {
  /** The TypeScript file that starts it. */
  readonly entry: string;
  /**
   * The folder of the addon's .c and .h files; undefined for an app without one. Each .c file of its folder `programs`, if it
   * has one, is a program of its own, and each of `preload` a shared object that other programs are started with.
   */
  readonly native: string | undefined;
  /** A defect for tests of the tests. */
  readonly defect?: SourceReplacement;
}

/** A change of one source file while it is bundled; the file itself stays. */
export interface SourceReplacement {
  /** Relative to the project. */
  readonly file: string;
  /** What must stand in the file, exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const APPLIANCE: AppSources = {
  entry: join(projectRoot, "appliance/main.ts"),
  native: join(projectRoot, "appliance/native"),
};

/** Makes the data partition reach to the disk's end: it runs before there is a /data, so it is no part of the app. */
const EXTEND_DATA = join(projectRoot, "appliance/update/extend-data.ts");

export interface CompiledApp {
  /** culvert.cjs */
  readonly bundle: Buffer;
  /** Folders of the npm packages that are in the bundle, absolute and sorted. */
  readonly modules: readonly string[];
  /** extend-data.cjs */
  readonly extendData: Buffer;
  /** culvert.node */
  readonly addon: Buffer | undefined;
  /** Programs and shared objects in C. */
  readonly programs: readonly { readonly name: string; readonly data: Buffer }[];
}

/** What becomes of the .c files in a folder below the addon's. */
const KINDS = [
  { folder: "programs", suffix: "", flags: [] },
  { folder: "preload", suffix: ".so", flags: ["-shared", "-fPIC"] },
] as const;

// Times and file sizes of 64 bits on machines of 32, too.
const FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64"] as const;
const ADDON_FLAGS = ["-shared", "-fPIC"] as const;

/** `compiler` says for which machine the C parts are. */
export async function compile({ entry, native, defect }: AppSources, compiler: Compiler): Promise<CompiledApp> {
  const [bundled, { bundle: extendData }] = await Promise.all([
    bundleApp(entry, defect),
    bundleApp(EXTEND_DATA, undefined),
  ]);
  if (native === undefined) return { ...bundled, extendData, addon: undefined, programs: [] };
  const addon = await readFile(await compileAddon(native, compiler));
  const programs = (await compilePrograms(native, compiler)).map(async (file) => ({
    name: basename(file),
    data: await readFile(file),
  }));
  return { ...bundled, extendData, addon, programs: await Promise.all(programs) };
}

/** Names are kept and nothing is minified: a stack trace from a device must be readable. */
async function bundleApp(
  entry: string,
  defect: SourceReplacement | undefined,
): Promise<Pick<CompiledApp, "bundle" | "modules">> {
  if (!existsSync(entry)) throw new ImageError(`${entry} is missing: it is the start of the app`);
  const { outputFiles, errors, metafile } = await build({
    entryPoints: [entry],
    plugins: defect === undefined ? [] : [replacing(defect)],
    absWorkingDir: projectRoot,
    bundle: true,
    platform: "node",
    target: "node18",
    format: "cjs",
    keepNames: true,
    charset: "ascii",
    legalComments: "none",
    external: ["*.node"],
    write: false,
    metafile: true,
    logLevel: "silent",
  }).catch((error: Error) => {
    throw new ImageError(`esbuild cannot bundle the app: ${error.message}`, { cause: error });
  });
  const [bundle] = outputFiles;
  if (!bundle || errors.length > 0) throw new ImageError(`esbuild made nothing of ${entry}`);
  return { bundle: Buffer.from(toAscii(bundle.text)), modules: npmFolders(Object.keys(metafile.inputs)) };
}

/** esbuild writes everything in ASCII but comments. start.cjs counts on it: a start that decodes UTF-8 takes a tenth longer. */
function toAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The folders of npm packages that hold the named files, each once. A package may lie in another one's node_modules. */
function npmFolders(files: readonly string[]): string[] {
  const folders = files.flatMap((file) => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].sort().map((folder) => join(projectRoot, folder));
}

function replacing({ file, find, replace }: SourceReplacement): Plugin {
  const path = join(projectRoot, file);
  const applied = applyReplacement(readFileSync(path, "utf8"), { file, find, replace });
  return {
    name: "defect",
    setup: ({ onLoad, onEnd }) => {
      let isBundled = false;
      onLoad({ filter: /\.ts$/ }, ({ path: loaded }) => {
        if (loaded !== path) return undefined;
        isBundled = true;
        return { contents: applied, loader: "ts" };
      });
      onEnd(() => {
        if (!isBundled) throw new ImageError(`${file} is no part of the app: the defect is not in it`);
      });
    },
  };
}

/** Throws an ImageError unless the text has what is to be replaced exactly once: the source has moved on. */
export function applyReplacement(source: string, { file, find, replace }: SourceReplacement): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new ImageError(`${file} has \`${find}\` ${count} times, not once`);
  return source.replace(find, () => replace);
}

/** Compiles the addon, or takes it from the cache when sources, flags and compiler are the same. Returns its path. */
async function compileAddon(folder: string, compiler: Compiler): Promise<string> {
  const sources = cFiles(folder).filter((name) => name.endsWith(".c"));
  if (sources.length === 0) throw new ImageError(`${folder} has no .c files: they are the addon`);
  const headers = readdirSync(nodeApiHeaders).sort();
  const flags = [...ADDON_FLAGS, `-I${nodeApiHeaders}`];
  const inputs = headers.map((name) => readFileSync(join(nodeApiHeaders, name)));
  return await compileC({ folder, sources, flags, inputs, output: "culvert.node", compiler });
}

/** Compiles what is made of one source file each. Returns the paths. */
async function compilePrograms(native: string, compiler: Compiler): Promise<readonly string[]> {
  const wanted = KINDS.flatMap(({ folder, suffix, flags }) =>
    cFiles(join(native, folder))
      .filter((source) => source.endsWith(".c"))
      .map((source) => {
        const output = `${basename(source, ".c")}${suffix}`;
        return { folder: join(native, folder), sources: [source], flags, inputs: [], output, compiler };
      }),
  );
  return await Promise.all(wanted.map(compileC));
}

interface Compilation {
  readonly folder: string;
  /** Names in `folder`. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
  /** Contents of headers that lie elsewhere. */
  readonly inputs: readonly Buffer[];
  /** Name of the result. */
  readonly output: string;
  readonly compiler: Compiler;
}

async function compileC({ folder, sources, flags, inputs, output, compiler }: Compilation): Promise<string> {
  const names = [...new Set([...sources, ...cFiles(folder).filter((name) => name.endsWith(".h"))])].sort();
  const key = contentKey([
    compiler.key,
    [...FLAGS, ...flags.filter((flag) => !flag.startsWith("-I"))].join(" "),
    ...inputs,
    ...names.flatMap((name) => [name, readFileSync(join(folder, name))]),
  ]);
  const file = join(cacheFolder, "native", key, output);
  await inTurn(file, async () => {
    if (existsSync(file)) return;
    await fillOnce(dirname(file), async (partial) => {
      // Relative source names keep the path of this checkout out of the result.
      const args = [...compiler.flags, ...FLAGS, ...flags, ...sources, "-o", join(partial, output)];
      await runTool(compiler.program, args, { cwd: folder });
    });
  });
  return file;
}

function cFiles(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /\.[ch]$/.test(name))
        .sort()
    : [];
}

/** The appliance's programs and shared objects for this host, by file name: where each lies. */
export async function compileHostPrograms(): Promise<ReadonlyMap<string, string>> {
  const paths = await compilePrograms(APPLIANCE.native ?? "", await hostCompiler());
  return new Map(paths.map((path) => [basename(path), path]));
}

/** Puts the appliance's addon for this host where tests load it from. Returns its path. */
export async function compileHostAddon(): Promise<string> {
  const addon = await compileAddon(join(projectRoot, "appliance/native"), await hostCompiler());
  const file = join(nativeFolder, "culvert.node");
  await mkdir(nativeFolder, { recursive: true });
  // A new file under the old name: a process that has the old one mapped keeps it.
  await copyFile(addon, `${file}.new-${process.pid}`);
  await rename(`${file}.new-${process.pid}`, file);
  return file;
}
