/** What several tests of the image builder need: a scratch folder, the fixture app, and files made by the real gcc. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import type { AppSources } from "../../image/compile.ts";
import { projectRoot } from "../../image/project.ts";

export const FIXTURE_APP: AppSources = {
  entry: join(projectRoot, "test/fixtures/image/app/main.ts"),
  native: join(projectRoot, "test/fixtures/image/app/native"),
};

/** An empty folder that is gone after the tests of the calling file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "culvert-image-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeAt(file: string, data: string | Buffer): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, data);
}

/** Compiles C or assembler text with the host's gcc. `suffix` of the source says which: `c` or `S`. */
export function gcc(source: string, suffix: "c" | "S", output: string, ...flags: readonly string[]): void {
  writeAt(`${output}.${suffix}`, source);
  execFileSync("gcc", [`${output}.${suffix}`, "-o", output, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  rmSync(`${output}.${suffix}`);
}
