/**
 * `culvert image verify`: builds an image again in another folder, at another time, under another umask, time zone, language
 * and home, and compares every byte with the one that is there. Only fetched packages are shared; they are unpacked anew.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, lchown, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { type Comparison, compareImages } from "./compare.ts";
import { ImageError } from "./failure.ts";
import { runTool } from "./host-tool.ts";
import { inStep, type Progress } from "./progress.ts";
import { cacheFolder, projectRoot, workFolder } from "./project.ts";

/** What both builds use of the working folder: packages as fetched. */
const SHARED: readonly string[] = ["cache/debs"];
/** What the other build gets a copy of: the signing key, which its owner alone may read. */
const KEYS = "keys";

/** As unlike the usual surroundings as they can be without rights. A date cannot be set, but a rebuild comes later. */
const SURROUNDINGS = { TZ: "Pacific/Kiritimati", LC_ALL: "C.UTF-8", LANG: "tr_TR.UTF-8", HOME: "/nonexistent" };

export interface Verification {
  readonly comparison: Comparison;
  /** Where the other build is when it differs; undefined when it was equal and is gone. */
  readonly folder: string | undefined;
}

export interface VerifyRequest {
  readonly board: string;
  /** Where the board's image was built. */
  readonly folder: string;
  /** It was packed quickly, and so must the other one be. */
  readonly quick?: boolean;
  readonly onProgress: Progress;
  /** More of the working folder that both builds use, such as `cache/unpacked`: for a test that has little time. */
  readonly shared?: readonly string[];
  /** Number of the user who builds there; needs root unless it is one's own. */
  readonly user?: number;
}

/** Throws an ImageError when the other build fails. */
export async function verifyImage(request: VerifyRequest): Promise<Verification> {
  const { folder, onProgress: progress, shared = SHARED } = request;
  const other = await mkdtemp(join(tmpdir(), "culvert-verify-"));
  let keep = false;
  try {
    await inStep(
      progress,
      "copy",
      () => copyProject(other, shared),
      (count) => `${count} files to ${other}`,
    );
    await inStep(
      progress,
      "rebuild",
      () => buildThere(other, request),
      () => "done",
    );
    const rebuilt = join(other, relative(projectRoot, folder));
    const comparison = await compareImages(folder, rebuilt);
    keep = comparison.different.length > 0;
    return { comparison, folder: keep ? rebuilt : undefined };
  } finally {
    if (!keep) await rm(other, { recursive: true, force: true });
  }
}

/**
 * Copies what git knows or would know, so that the copy is at the same commit with the same changes. `shared`: what of the working
 * folder both use. Returns the number of files.
 */
export async function copyProject(other: string, shared: readonly string[]): Promise<number> {
  const listed = await runTool("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: projectRoot,
  });
  const files = listed.split("\0").filter((name) => name !== "" && existsSync(join(projectRoot, name)));
  for (const name of files) {
    await mkdir(dirname(join(other, name)), { recursive: true });
    await cp(join(projectRoot, name), join(other, name), { verbatimSymlinks: true, preserveTimestamps: false });
  }
  // A link to a repository is one for git too, whether this checkout is the first or a further one.
  await runTool("git", ["clone", "--quiet", "--no-checkout", "--shared", projectRoot, join(other, "repository")]);
  await cp(join(other, "repository/.git"), join(other, ".git"), { recursive: true });
  await rm(join(other, "repository"), { recursive: true });
  await runTool("git", ["reset", "--quiet"], { cwd: other });
  await cp(join(projectRoot, "dist"), join(other, "dist"), { recursive: true });
  await symlink(join(projectRoot, "node_modules"), join(other, "node_modules"));
  for (const name of shared.filter((each) => existsSync(join(workFolder, each)))) {
    await mkdir(dirname(join(other, ".culvert", name)), { recursive: true });
    await symlink(join(workFolder, name), join(other, ".culvert", name));
  }
  if (existsSync(join(workFolder, KEYS)))
    await cp(join(workFolder, KEYS), join(other, ".culvert", KEYS), { recursive: true });
  for (const name of ["replacements-amd64.json", "replacements-arm64.json", "replacements-mipsel.json"]) {
    if (existsSync(join(cacheFolder, name))) await cp(join(cacheFolder, name), join(other, ".culvert/cache", name));
  }
  return files.length;
}

/** The umask is the shell's; what the other build prints is shown as it comes. */
async function buildThere(other: string, { board, quick, onProgress: progress, user }: VerifyRequest): Promise<void> {
  if (user !== undefined) await giveTo(user, other);
  const as = user === undefined ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
  const command = `umask 077; exec "$@"`;
  const words = ["image", "build", "--board", board, ...(quick === true ? ["--quick"] : [])];
  const build = [process.execPath, join(other, "dist/hil/cli.js"), ...words];
  const running = spawn("/bin/sh", ["-c", command, "sh", ...as, ...build], {
    cwd: "/",
    env: { ...process.env, ...SURROUNDINGS },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [running.stdout, running.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      progress({ kind: "detail", step: "rebuild", text: text.trim().split("\n").at(-1) ?? "" });
    });
  }
  const status = await new Promise<number | null>((resolve, reject) => {
    running.once("error", reject).once("close", resolve);
  });
  if (status !== 0) throw new ImageError(`the other build failed: ${said.trim().split("\n").at(-1)}`);
}

/** Links stay whose they are: what they lead to is shared. */
async function giveTo(user: number, folder: string): Promise<void> {
  await lchown(folder, user, user);
  for (const entry of await readdir(folder, { recursive: true })) await lchown(join(folder, entry), user, user);
}
