/** `culvert image ...`: builds images, refreshes the package lock, tells what a built image is made of. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { openArchive } from "./archive.ts";
import type { Board } from "./boards/board.ts";
import { BOARDS } from "./boards/boards.ts";
import { compareImages, differenceLines, growthLines } from "./compare.ts";
import { ImageError } from "./failure.ts";
import { buildFlashable } from "./flashable.ts";
import { TOOL_PACKAGES } from "./locked-tool.ts";
import { AMD64, MACHINES, type Machine } from "./machines.ts";
import { readManifest } from "./manifest.ts";
import { PAPER_PACKAGES } from "./paper/bill.ts";
import { entryOf, readLock, refreshLock } from "./prepare.ts";
import { formatSize, type Progress } from "./progress.ts";
import { flashableFolder } from "./project.ts";
import type { ComparedManifest } from "./published.ts";
import type { SecurityTracker } from "./security-tracker.ts";
import { DEVELOPMENT_WARNING, developmentKey, keyFromCommand, keyFromFile } from "./sign.ts";
import { readSizes, sizeLines } from "./size-table.ts";
import { StepPrinter } from "./step-printer.ts";
import { HEADER_PACKAGES } from "./toolchain.ts";
import { verifyImage } from "./verify.ts";
import { exitStatus, reportLines, reportVulnerabilities } from "./vulnerability-report.ts";

const HELP = `culvert image: builds firmware images

  culvert image build [--board NAME]     build the disk .culvert/flashable/NAME/culvert-NAME.img (board x86_64)
                                         and the update culvert-NAME.bundle beside it, signed with this
                                         checkout's development key unless a key is given
                      [--quick]          pack in seconds, larger: for development
                      [--key FILE]       sign with an ed25519 key in PEM
                      [--sign-command COMMAND --public-key FILE]
                                         COMMAND reads the manifest and answers with its signature
                      [--locked]         fail when the Debian mirror no longer has a locked package version
  culvert image lock [PACKAGE ...]       lock the mirror's current package versions for every board, and
                     [--board NAME]      PACKAGEs for lab guests too (PACKAGE:arm64 for another machine);
                                         with --board for this one only
  culvert image inspect [--board NAME]   what the built image is made of
  culvert image verify [--board NAME]    build it, build it again elsewhere, compare bit for bit
                       [--published FILE]  compare with a published image instead, by the sha256_unsigned of
                                         its manifest.json: everything but signature and keys
  culvert image diff BEFORE AFTER        what grew between two built images (folders), by package and module
  culvert image cve [--board NAME]       which locked packages are superseded, and the CVE ids that the newer
                    [--tracker FILE]     changelogs name; FILE is Debian's security tracker as JSON;
                    [--all]              every id, not the newest of many
  culvert image help                     this text

CULVERT_DEBIAN_MIRROR=http://MIRROR/debian overrides the Debian archive that the host's apt uses.
Exit status: 0 done, 1 it failed, 2 the command line is wrong; of image cve also 3: something known is fixed by newer
packages.`;

const DEFAULT_BOARD = "x86_64";

/** Which options each command takes. */
const OPTIONS = {
  build: ["board", "locked", "quick", "key", "sign-command", "public-key"],
  lock: ["board"],
  inspect: ["board"],
  verify: ["board", "published"],
  diff: [],
  cve: ["board", "tracker", "all"],
} as const;

type Verb = keyof typeof OPTIONS;

/** Runs one command line, without the words `culvert image`, and returns its exit status. */
export async function runImageCommand(argv: readonly string[]): Promise<number> {
  const [verb = "help", ...rest] = argv;
  if (verb === "help") {
    console.log(HELP);
    return 0;
  }
  if (!isVerb(verb)) {
    const names = [...Object.keys(OPTIONS), "help"].map((name) => `image ${name}`);
    return usage(`'image ${verb}' is not a command; there are ${names.join(", ")}`);
  }
  const parsed = parse(verb, rest);
  if ("mistake" in parsed) return usage(`image ${verb}: ${parsed.mistake}`);
  const { names, ...options } = parsed;
  const board = BOARDS.find((each) => each.name === (options.board ?? DEFAULT_BOARD));
  if (board === undefined) {
    return usage(`no board '${options.board}'; there is ${BOARDS.map((each) => each.name).join(", ")}`);
  }
  if (verb === "diff" && names.length < 2) return usage("image diff: give the folders of two built images");
  const extra = verb === "lock" ? undefined : names[verb === "diff" ? 2 : 0];
  if (extra !== undefined) return usage(`image ${verb}: '${extra}' is one word too many`);
  try {
    switch (verb) {
      case "build":
        return await build(board.name, options);
      case "lock":
        return await lock(options.board === undefined ? BOARDS : [board], board.machine, names);
      case "inspect":
        return await inspect(board.name);
      case "verify":
        return await verify(board.name, options.published);
      case "diff":
        return await diff(names[0] ?? "", names[1] ?? "");
      case "cve":
        return await findVulnerabilities(board, options.tracker, options.all ?? false);
    }
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    console.error(`culvert: ${error.message}`);
    return 1;
  }
}

function isVerb(word: string): word is Verb {
  return Object.hasOwn(OPTIONS, word);
}

async function build(board: string, options: Options): Promise<number> {
  const { locked = false, quick = false, key, "sign-command": command, "public-key": publicKey } = options;
  if ((command === undefined) !== (publicKey === undefined)) {
    return usage("image build: --sign-command COMMAND and --public-key FILE belong together");
  }
  if (key !== undefined && command !== undefined) {
    return usage("image build: --key FILE and --sign-command COMMAND are two ways to sign; take one");
  }
  const signingKey =
    command !== undefined && publicKey !== undefined
      ? await keyFromCommand(command, publicKey)
      : key !== undefined
        ? await keyFromFile(key)
        : await developmentKey();
  const printer = new StepPrinter(process.stderr, () => performance.now());
  const image = await buildFlashable({
    ...{ board, locked, quick, signingKey },
    onProgress: (event) => printer.print(event),
  });
  console.log(image.fresh ? `built ${image.disk}` : `${image.disk} is up to date`);
  if (image.unlocked) console.log("unlocked: not all packages are the ones in image/packages.lock.json");
  if (signingKey.trusted.kind === "development") console.log(DEVELOPMENT_WARNING);
  return 0;
}

/** `machine` is the one of `extra` packages that name none. */
async function lock(boards: readonly Board[], machine: Machine, extra: readonly string[]): Promise<number> {
  const wanted = new Map<string, string[]>();
  const want = (architecture: string, names: readonly string[]): void =>
    void wanted.set(architecture, [...(wanted.get(architecture) ?? []), ...names]);
  want(AMD64.architecture, TOOL_PACKAGES);
  for (const board of boards)
    want(board.machine.architecture, [
      board.machine.kernelPackage,
      ...board.packages,
      ...loaderPackages(board),
      ...HEADER_PACKAGES,
      ...PAPER_PACKAGES,
    ]);
  for (const word of extra) {
    const [name = "", architecture = machine.architecture] = word.split(":");
    want(architecture, [name]);
  }
  // The first ones have all security updates; the others take packages for every machine from them.
  const order = MACHINES.filter((each) => wanted.has(each.architecture)).sort(
    (a, b) => Number(b.hasSecurityUpdates) - Number(a.hasSecurityUpdates),
  );
  const unknown = [...wanted.keys()].find((each) => !order.some(({ architecture }) => architecture === each));
  if (unknown !== undefined) {
    throw new ImageError(`no machine "${unknown}": there is ${MACHINES.map((each) => each.architecture).join(", ")}`);
  }
  const changes: string[] = [];
  for (const { architecture } of order) {
    for (const change of await refreshLock(architecture, wanted.get(architecture) ?? [], new Date()))
      changes.push(`${architecture}: ${change}`);
  }
  console.log(changes.length === 0 ? "the lock is up to date" : changes.join("\n"));
  return 0;
}

async function inspect(board: string): Promise<number> {
  const folder = join(flashableFolder, board);
  const manifest = await readManifest(folder);
  if (!manifest) throw new ImageError(`${folder} holds no image: run \`culvert image build --board ${board}\``);
  const sized = [...Object.entries(manifest.files), ...Object.entries(manifest.app)];
  console.log(`board    ${manifest.board}
version  ${manifest.version}, key ${manifest.key.slice(0, 12)}${manifest.unlocked ? ", UNLOCKED packages" : ""}
commit   ${manifest.commit ?? "not built from git"}
dated    ${new Date(manifest.epoch * 1000).toISOString()}
tools    ${Object.entries(manifest.tools)
    .map(([tool, version]) => (version.includes(tool) ? version : `${tool} ${version}`))
    .join(", ")}`);
  for (const [name, { size, sha256, sha256_unsigned }] of sized) {
    console.log(`${name.padEnd(20)} ${formatSize(size).padStart(8)}  ${sha256}`);
    if (sha256_unsigned !== undefined) console.log(`${"without signature and keys".padEnd(29)}  ${sha256_unsigned}`);
  }
  const sizes = await readSizes(folder);
  if (sizes !== undefined) console.log(sizeLines(sizes, undefined).join("\n"));
  console.log(`${manifest.packages.length} packages:`);
  for (const each of manifest.packages) console.log(`  ${each.package} ${each.version}`);
  return 0;
}

async function verify(board: string, publishedFile: string | undefined): Promise<number> {
  const published = publishedFile === undefined ? undefined : await readPublished(publishedFile);
  const printer = new StepPrinter(process.stderr, () => performance.now());
  const onProgress: Progress = (event) => printer.print(event);
  const image = await buildFlashable({ board, locked: false, onProgress });
  if (published !== undefined) return await verifyPublished(dirname(image.manifest), published);
  const { comparison, folder } = await verifyImage({ board, folder: dirname(image.manifest), onProgress });
  console.log(differenceLines(comparison).join("\n"));
  if (folder === undefined) console.log(`${board}: built again elsewhere it is the same, bit for bit`);
  else console.log(`${board}: NOT reproducible; the other build is kept in ${folder}`);
  return folder === undefined ? 0 : 1;
}

// What checks files of others is loaded when there is one: it is a third of what a build loads.
async function readPublished(file: string): Promise<ComparedManifest> {
  const { parsePublished } = await import("./published.ts");
  return parsePublished(await readInput("--published", file), file);
}

async function readTracker(file: string): Promise<SecurityTracker> {
  const { openTracker } = await import("./security-tracker.ts");
  return openTracker(await readInput("--tracker", file), file);
}

/** Without the publisher's key the disk cannot be made, but what is signed can. */
async function verifyPublished(folder: string, published: ComparedManifest): Promise<number> {
  const { comparePublished } = await import("./published.ts");
  const ours = await readManifest(folder);
  if (ours === undefined) throw new ImageError(`${folder} holds no image`);
  const { same, lines } = comparePublished(ours, published);
  console.log(lines.join("\n"));
  console.log(
    same
      ? `${ours.board}: built here it is the published image, signature and keys aside, bit for bit`
      : `${ours.board}: NOT the published image`,
  );
  return same ? 0 : 1;
}

async function diff(before: string, after: string): Promise<number> {
  const comparison = await compareImages(before, after);
  for (const { name, sizes } of comparison.different) {
    const [a = 0, b = 0] = sizes;
    console.log(`${name.padEnd(16)} ${formatSize(a)} -> ${formatSize(b)}`);
  }
  console.log(growthLines(comparison).join("\n"));
  return 0;
}

async function findVulnerabilities(board: Board, trackerFile: string | undefined, all: boolean): Promise<number> {
  const tracker = trackerFile === undefined ? undefined : await readTracker(trackerFile);
  const { architecture, kernelPackage, hasSecurityUpdates } = board.machine;
  // What has no updates of its own is measured by the machine that gets them first.
  const reference = hasSecurityUpdates ? board.machine : AMD64;
  const printer = new StepPrinter(process.stderr, () => performance.now());
  const lock = await readLock();
  const report = await reportVulnerabilities({
    board: board.name,
    suite: lock.suite,
    locked: [kernelPackage, ...board.packages, ...loaderPackages(board), ...PAPER_PACKAGES].map((name) =>
      entryOf(lock, name, architecture),
    ),
    nameOf: ({ name }) => (name === kernelPackage ? reference.kernelPackage : name),
    architecture: reference.architecture,
    unserved: hasSecurityUpdates ? undefined : architecture,
    archive: await openArchive(lock.suite, reference.architecture, (event) => printer.print(event)),
    tracker,
  });
  console.log(reportLines(report, all).join("\n"));
  return exitStatus(report);
}

function loaderPackages({ loaders }: Board): string[] {
  return loaders.map((loader) => loader.package);
}

async function readInput(option: string, file: string): Promise<string> {
  return await readFile(file, "utf8").catch((error: Error) => {
    throw new ImageError(`${option} ${file}: ${error.message.replace(/, open .*/, "")}`, { cause: error });
  });
}

interface Options {
  readonly board?: string;
  readonly locked?: boolean;
  readonly quick?: boolean;
  readonly key?: string;
  readonly "sign-command"?: string;
  readonly "public-key"?: string;
  readonly tracker?: string;
  readonly published?: string;
  readonly all?: boolean;
}

const KINDS = {
  board: { type: "string" },
  locked: { type: "boolean" },
  quick: { type: "boolean" },
  key: { type: "string" },
  "sign-command": { type: "string" },
  "public-key": { type: "string" },
  tracker: { type: "string" },
  published: { type: "string" },
  all: { type: "boolean" },
} as const;

/** How messages call each option. */
const SPELLING = {
  board: "--board NAME",
  locked: "--locked",
  quick: "--quick",
  key: "--key FILE",
  "sign-command": "--sign-command COMMAND",
  "public-key": "--public-key FILE",
  tracker: "--tracker FILE",
  published: "--published FILE",
  all: "--all",
} as const;

function parse(
  verb: Verb,
  argv: readonly string[],
): (Options & { readonly names: readonly string[] }) | { readonly mistake: string } {
  const allowed: readonly (keyof typeof KINDS)[] = OPTIONS[verb];
  const options = Object.fromEntries(allowed.map((name) => [name, KINDS[name]]));
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return { ...values, names: positionals };
  } catch (error) {
    // parseArgs says what is wrong in its first sentence and how to escape dashes in the others.
    const [what = ""] = (error instanceof Error ? error.message : String(error)).split(/[.\n]/);
    return { mistake: `${what}; there are ${allowed.map((name) => SPELLING[name]).join(", ")}` };
  }
}

function usage(problem: string): number {
  console.error(`culvert: ${problem}`);
  return 2;
}
