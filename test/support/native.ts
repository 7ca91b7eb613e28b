/** The addon for the host. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Addon, loadAddon } from "../../appliance/native/addon.ts";
import { compileHostAddon } from "../../image/compile.ts";

/** The folder that holds package.json: tests run from dist/. */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** Compiled when its sources have changed. */
export async function hostAddon(): Promise<Addon> {
  return loadAddon(await compileHostAddon());
}
