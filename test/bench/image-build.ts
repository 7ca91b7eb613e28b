/**
 * How long a board's image takes to build: from the fetched packages alone, after a one-line change of the app, and the same with
 * `--quick`. In a copy of the project, so that this checkout's `.culvert` stays as it is.
 *
 *     npx tsc && node dist/test/bench/image-build.js [BOARD]
 *
 * Beside the clock's seconds stand those of the processors, which other work on the host changes less. A rebuild has the compiler's run
 * in it. Exit status 1: a goal was missed by the clock.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { applyReplacement } from "../../image/compile.ts";
import { copyProject } from "../../image/verify.ts";

const BOARD = process.argv[2] ?? "x86_64";
const BUILD = `node dist/hil/cli.js image build --board ${BOARD}`;
const REBUILD = `node node_modules/typescript/bin/tsc && ${BUILD}`;
const CHANGED = { file: "appliance/main.ts", find: `"stopping` };

interface Step {
  readonly name: string;
  readonly command: string;
  /** The app is changed first. */
  readonly changes: boolean;
  /** The bound in seconds. */
  readonly goal?: number;
}

const STEPS: readonly Step[] = [
  { name: "cold, packages fetched", command: BUILD, changes: false, goal: 90 },
  { name: "one line of the app", command: REBUILD, changes: true, goal: 10 },
  { name: "nothing changed", command: BUILD, changes: false },
  { name: "cold with --quick", command: `${BUILD} --quick`, changes: false },
  { name: "one line with --quick", command: `${REBUILD} --quick`, changes: true, goal: 4 },
];

/** Seconds by the clock, and of processors (POSIX `times`: the second line is the children's, user and system). */
function time(command: string, folder: string): { clock: number; processors: number } {
  const begun = performance.now();
  const done = spawnSync("sh", ["-c", `{ ${command}; } >build.log 2>&1; status=$?; times; exit $status`], {
    cwd: folder,
    encoding: "utf8",
  });
  const clock = (performance.now() - begun) / 1000;
  if (done.status !== 0) throw new Error(`${command}: status ${done.status}, see ${join(folder, "build.log")}`);
  const [, children = ""] = done.stdout.split("\n");
  const processors = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + 60 * Number(m) + Number(s),
    0,
  );
  return { clock, processors };
}

async function change(folder: string): Promise<void> {
  const file = join(folder, CHANGED.file);
  const replaced = applyReplacement(await readFile(file, "utf8"), { ...CHANGED, replace: `${CHANGED.find} now` });
  await writeFile(file, replaced);
}

const folder = await mkdtemp(join(tmpdir(), "culvert-build-"));
await copyProject(folder, ["cache/debs"]);
// The copy's compiler has nothing to do before the first change.
time("node node_modules/typescript/bin/tsc", folder);
console.log(`${BOARD}, load ${loadavg()[0]?.toFixed(1)}          clock  processors`);
for (const { name, command, changes, goal } of STEPS) {
  if (changes) await change(folder);
  const { clock, processors } = time(command, folder);
  const verdict = goal === undefined ? "" : `  ${clock <= goal ? "within" : "OVER"} ${goal} s`;
  console.log(`${name.padEnd(24)} ${clock.toFixed(1).padStart(6)} s  ${processors.toFixed(1).padStart(6)} s${verdict}`);
  if (goal !== undefined && clock > goal) process.exitCode = 1;
}
await rm(folder, { recursive: true });
