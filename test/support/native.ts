/** The addon for the host, compiled when its sources are newer. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { type Addon, loadAddon } from "../../appliance/native/addon.ts";

/** The folder that holds package.json: tests run from dist/. */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

export function hostAddon(): Addon {
  return loadAddon(hostAddonPath());
}

export function hostAddonPath(): string {
  const root = projectRoot();
  const sources = join(root, "appliance/native");
  const output = join(root, ".culvert/native/culvert.node");
  const files = readdirSync(sources).filter((name) => /\.[ch]$/.test(name));
  const newest = Math.max(...files.map((name) => statSync(join(sources, name)).mtimeMs));
  if (!existsSync(output) || statSync(output).mtimeMs < newest) compile(root, files, output);
  return output;
}

/** Renamed into place: test files run in parallel, and none may load half an addon. */
function compile(root: string, files: readonly string[], output: string): void {
  mkdirSync(dirname(output), { recursive: true });
  const sources = files.filter((name) => name.endsWith(".c")).map((name) => join("appliance/native", name));
  const flags = [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-shared",
    "-fPIC",
    "-I",
    "node_modules/node-api-headers/include",
  ];
  const unfinished = `${output}.${process.pid}`;
  execFileSync("gcc", [...flags, ...sources, "-o", unfinished], { cwd: root, stdio: "inherit" });
  renameSync(unfinished, output);
}
