/** Runs the named test levels (`unit rfc machine system`) under node:test and fails when a level is empty. Sources decide, so a stale file in dist/ never runs. */
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { run } from "node:test";
import { spec } from "node:test/reporters";

type Level = "unit" | "rfc" | "netsim" | "fuzz" | "machine" | "system";
const OWN_FOLDER: readonly Level[] = ["rfc", "netsim", "fuzz", "machine", "system"];

function testFiles(): { level: Level; source: string }[] {
  return readdirSync("test", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .sort()
    .map((name) => ({
      level: OWN_FOLDER.find((level) => name.startsWith(`${level}/`)) ?? "unit",
      source: join("test", name),
    }));
}

const wanted = process.argv.slice(2);
const only = wanted.filter((word) => word.endsWith(".test.ts"));
const files: string[] = [];
for (const level of wanted.filter((word) => !word.endsWith(".test.ts"))) {
  const found = testFiles().filter((file) => file.level === level);
  if (found.length === 0) {
    console.error(`test: no tests at level '${level}' (levels: unit ${OWN_FOLDER.join(" ")})`);
    process.exit(2);
  }
  files.push(...found.map((file) => file.source));
}
files.push(...only.map((name) => relative(".", name)));
if (files.length === 0) {
  console.error("usage: node dist/test/run.js LEVEL|FILE.test.ts ...");
  process.exit(2);
}

const started = performance.now();
let passed = 0;
let failed = 0;
let skipped = 0;

async function runFiles(sources: readonly string[], concurrency: number): Promise<void> {
  if (sources.length === 0) return;
  const stream = run({ files: sources.map((name) => join("dist", name.replace(/\.ts$/, ".js"))), concurrency });
  stream.on("test:pass", (event) => {
    if (event.skip) skipped++;
    else passed++;
  });
  stream.on("test:fail", () => failed++);
  for await (const text of stream.compose(new spec())) process.stdout.write(text);
}

// Who uses QEMU is alone: what a second one took from a lab would show as a late answer, and both would build the same images.
const isAlone = (name: string): boolean => /^test\/(?:machine|system)\//.test(name);
await runFiles(
  files.filter((name) => !isAlone(name)),
  availableParallelism(),
);
await runFiles(files.filter(isAlone), 1);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`test: ${passed} passed, ${failed} failed, ${skipped} skipped in ${files.length} files, ${seconds} s`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
