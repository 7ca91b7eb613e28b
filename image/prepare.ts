/**
 * Step 1 of 4: locked Debian packages, fetched, verified and unpacked into the cache.
 *
 * The walk: lock entry -> in the cache? (then no apt runs, a build works offline) -> still offered by the mirror? fetch it
 * -> gone: take the mirror's current version, verified by apt's signed lists, and mark the build `unlocked`; with
 * `locked` fail instead.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { Apt, chooseMirror, hostSourceLists } from "./apt.ts";
import { DebCache } from "./deb-cache.ts";
import { ImageError } from "./failure.ts";
import { inTurn } from "./in-turn.ts";
import { emitLock, type Lock, type LockedPackage, lockDate, parseLock } from "./lock.ts";
import { MACHINES } from "./machines.ts";
import { formatSize, inStep, type Progress } from "./progress.ts";
import { cacheFolder, lockFile } from "./project.ts";

export interface PreparedPackage extends LockedPackage {
  /** Where its files lie on the host, as dpkg-deb unpacked them. */
  readonly folder: string;
}

export interface Prepared {
  readonly packages: readonly PreparedPackage[];
  /** True when at least one package is not the one in the lock. */
  readonly unlocked: boolean;
  /** The lock's date in seconds since 1970: every file in an image carries it, so equal inputs give equal bytes. */
  readonly epoch: number;
}

export interface PrepareRequest {
  /** Debian's name of the machine, such as `amd64`. */
  readonly architecture: string;
  readonly names: readonly string[];
  /** Fail instead of taking a newer version when the mirror no longer has a pinned one. */
  readonly locked: boolean;
  /** What the step is called when it is reported; `packages` unless given. */
  readonly step?: string;
}

type Request = PrepareRequest & { readonly step: string };

/** Returns the packages in the order of `names`. Throws for a name that the lock does not list. */
export async function prepare(request: PrepareRequest, progress: Progress): Promise<Prepared> {
  const lock = await readLock();
  const step = request.step ?? "packages";
  const pinned = request.names.map((name) => entryOf(lock, name, request.architecture));
  const { packages, unlocked } = await inStep(
    progress,
    step,
    () => inTurn("packages", () => fetchAndUnpack(lock.suite, pinned, { ...request, step }, progress)),
    ({ packages: all }) => `${all.length} packages, ${formatSize(all.reduce((sum, entry) => sum + entry.size, 0))}`,
  );
  return { packages, unlocked, epoch: Date.parse(lock.date) / 1000 };
}

async function fetchAndUnpack(
  suite: string,
  pinned: readonly LockedPackage[],
  request: Request,
  progress: Progress,
): Promise<Pick<Prepared, "packages" | "unlocked">> {
  const cache = new DebCache(cacheFolder);
  const replaced = await fetchMissing(suite, pinned, request, cache, progress);
  const packages: PreparedPackage[] = [];
  for (const entry of pinned.map((each) => replaced.get(each.sha256) ?? each)) {
    if (!cache.isUnpacked(entry)) progress({ kind: "detail", step: request.step, text: `unpacking ${entry.package}` });
    packages.push({ ...entry, folder: await cache.unpack(entry) });
  }
  return { packages, unlocked: replaced.size > 0 };
}

/**
 * Rewrites the lock with the mirror's current versions of what it lists for one machine, plus `extra` names; other machines'
 * packages stay. Returns the changes as text.
 */
export async function refreshLock(architecture: string, extra: readonly string[], now: Date): Promise<string[]> {
  const old: Lock = existsSync(lockFile) ? await readLock() : { suite: "bookworm", date: "", packages: [] };
  const isOurs = (entry: LockedPackage): boolean => [architecture, "all"].includes(entry.architecture);
  // Packages for every machine are taken where Debian serves security updates: elsewhere an older version is the newest.
  const lags = MACHINES.some((each) => each.architecture === architecture && !each.hasSecurityUpdates);
  const kept = old.packages.filter((entry) => !isOurs(entry) || (lags && entry.architecture === "all"));
  const isKept = (name: string): boolean => kept.some((entry) => isOurs(entry) && entry.name === name);
  const names = [...new Set([...old.packages.filter(isOurs).map((entry) => entry.name), ...extra])]
    .filter((name) => !isKept(name))
    .sort();
  const current = await (await openApt(old.suite, architecture)).current(names);
  const packages = [...kept, ...current];
  const before = (entry: LockedPackage): LockedPackage | undefined =>
    old.packages.find((other) => isOurs(other) && other.name === entry.name);
  const changes = current.flatMap((entry) =>
    before(entry)?.sha256 === entry.sha256
      ? []
      : [`${entry.name} ${before(entry)?.version ?? "(new)"} -> ${entry.version}`],
  );
  if (changes.length === 0) return [];
  const date = lockDate(old, packages, now);
  const partial = `${lockFile}.new`;
  await writeFile(partial, emitLock({ suite: old.suite, date, packages }));
  await rename(partial, lockFile);
  return changes;
}

export async function readLock(): Promise<Lock> {
  if (!existsSync(lockFile)) throw new ImageError("image/packages.lock.json is missing: restore it from git");
  return parseLock(await readFile(lockFile, "utf8"));
}

/** Throws for a name that the lock does not list. */
export function entryOf(lock: Lock, name: string, architecture: string): LockedPackage {
  const entry = lock.packages.find((each) => each.name === name && [architecture, "all"].includes(each.architecture));
  if (!entry) {
    throw new ImageError(
      `package ${name} (${architecture}) is not in image/packages.lock.json: run \`culvert image lock ${name}\``,
    );
  }
  return entry;
}

/** Fetches what the cache lacks. Returns pinned SHA-256 -> replacement for those the mirror no longer offers. */
async function fetchMissing(
  suite: string,
  pinned: readonly LockedPackage[],
  request: Request,
  cache: DebCache,
  progress: Progress,
): Promise<Map<string, LockedPackage>> {
  const replacements = new Replacements(request.architecture);
  const replaced = request.locked ? new Map<string, LockedPackage>() : await replacements.usable(pinned, cache);
  const missing = pinned.filter((entry) => !cache.has(entry) && !replaced.has(entry.sha256));
  if (missing.length > 0) {
    progress({ kind: "detail", step: request.step, text: "reading the archive's signed lists" });
    const apt = await openApt(suite, request.architecture);
    const offered = await apt.offered(missing);
    const gone = missing.filter((entry) => !offered.has(entry));
    if (gone.length > 0 && request.locked) {
      const names = gone.map((entry) => `${entry.package} ${entry.version}`).join(", ");
      throw new ImageError(`the mirror no longer has ${names}: build without --locked, or run \`culvert image lock\``);
    }
    const current = gone.length === 0 ? [] : await apt.current(gone.map((entry) => entry.name));
    for (const [at, entry] of gone.entries()) {
      const newer = current[at];
      if (newer) replaced.set(entry.sha256, newer);
    }
    const wanted = [...offered, ...current].filter((entry) => !cache.has(entry));
    if (wanted.length > 0) await download(apt, wanted, cache, request.step, progress);
    await replacements.remember(replaced);
  }
  for (const entry of pinned) {
    const newer = replaced.get(entry.sha256);
    if (newer) progress({ kind: "note", text: `unlocked: ${entry.name} ${entry.version} -> ${newer.version}` });
  }
  return replaced;
}

/** Fetches packages into the cache, each verified against the signed lists. */
export async function download(
  apt: Apt,
  wanted: readonly LockedPackage[],
  cache: DebCache,
  step: string,
  progress: Progress,
): Promise<void> {
  const folder = await cache.scratch();
  try {
    let begun = 0;
    const total = formatSize(wanted.reduce((sum, entry) => sum + entry.size, 0));
    await apt.download(wanted, folder, (name) => {
      begun++;
      progress({
        kind: "detail",
        step,
        text: `fetching ${begun}/${wanted.length} ${name} (${total} in all)`,
      });
    });
    await cache.takeIn(folder, wanted);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The archive for one machine, its signed lists freshly read. Throws an ImageError when it cannot be reached. */
export async function openApt(suite: string, architecture: string): Promise<Apt> {
  const mirror = chooseMirror(await hostSourceLists(), process.env["CULVERT_DEBIAN_MIRROR"]);
  return await Apt.open(join(cacheFolder, "apt", `${suite}-${architecture}`), suite, architecture, mirror);
}

/** Remembers which package stood in for a vanished one, so that the next build neither asks the mirror nor changes. */
class Replacements {
  readonly #file: string;

  constructor(architecture: string) {
    this.#file = join(cacheFolder, `replacements-${architecture}.json`);
  }

  async usable(pinned: readonly LockedPackage[], cache: DebCache): Promise<Map<string, LockedPackage>> {
    const known = await this.#read();
    return new Map(
      pinned.flatMap((entry) => {
        const newer = known[entry.sha256];
        return newer && !cache.has(entry) && cache.has(newer) ? [[entry.sha256, newer] as const] : [];
      }),
    );
  }

  async remember(replaced: ReadonlyMap<string, LockedPackage>): Promise<void> {
    if (replaced.size === 0) return;
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(this.#file, JSON.stringify({ ...(await this.#read()), ...Object.fromEntries(replaced) }));
  }

  async #read(): Promise<Readonly<Record<string, LockedPackage>>> {
    return existsSync(this.#file) ? JSON.parse(await readFile(this.#file, "utf8")) : {};
  }
}
