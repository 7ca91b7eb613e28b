#!/usr/bin/env node
/** The `culvert` command: sets the machine up, compiles what is newer than its output, then hands over to cli.ts. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { setUp } from "./setup.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Written after each compilation that succeeded. */
const STAMP = join(ROOT, "dist/.compiled");

/** The newest change among the sources and what compiles them, in ms. */
function newestSource() {
  const times = ["tsconfig.json", "package-lock.json"].map((name) => statSync(join(ROOT, name)).mtimeMs);
  for (const folder of ["appliance", "image", "hil", "test"]) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith(".ts")) times.push(statSync(join(entry.path, entry.name)).mtimeMs);
    }
  }
  return Math.max(...times);
}

function compile() {
  const startedMs = Date.now();
  const compiled = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs;
  const newest = newestSource();
  if (compiled !== undefined && compiled >= newest && existsSync(join(ROOT, "dist/hil/cli.js"))) return 0;
  const { status } = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc")], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    console.error("culvert: the sources do not compile (see above)");
    return 1;
  }
  writeFileSync(STAMP, `${new Date(startedMs).toISOString()}\n`);
  return 0;
}

process.exitCode = (await setUp({ withTests: false })) || compile();
if (process.exitCode === 0) {
  const { main } = await import("../dist/hil/cli.js");
  process.exitCode = await main(process.argv.slice(2));
}
