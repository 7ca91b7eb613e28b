/** packages.lock.json: which Debian packages go into images and guests, by version, size and SHA-256. */
import { ImageError } from "./failure.ts";

export interface LockedPackage {
  /** The name that boards and guests ask for; `linux-image-amd64` stands for the newest kernel. */
  readonly name: string;
  /** The package that holds the files; differs from `name` for a kernel only. */
  readonly package: string;
  readonly version: string;
  /** `amd64`, `arm64`, or `all` for packages without machine code. */
  readonly architecture: string;
  /** Source package, for licence and source offers. */
  readonly source: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Lock {
  /** Debian's code name; security and point updates of it are included. */
  readonly suite: string;
  /** When the lock was last refreshed, ISO 8601 to the second: the date of every file in an image. */
  readonly date: string;
  /** Sorted by name. */
  readonly packages: readonly LockedPackage[];
}

const PATTERN = {
  name: /^[a-z0-9][a-z0-9.+-]+$/,
  package: /^[a-z0-9][a-z0-9.+-]+$/,
  version: /^[A-Za-z0-9.+:~-]+$/,
  architecture: /^[a-z0-9]+$/,
  source: /^[a-z0-9][a-z0-9.+-]+$/,
  sha256: /^[0-9a-f]{64}$/,
} as const;

/** Reads the lock; throws an ImageError that names the entry and the field which is wrong. */
export function parseLock(text: string): Lock {
  const root = asRecord(readJson(text), "the lock");
  if (root["format"] !== 1) throw wrong("format", `is ${JSON.stringify(root["format"])}, this builder reads 1`);
  const suite = root["suite"];
  if (typeof suite !== "string" || !/^[a-z]+$/.test(suite)) throw wrong("suite", "is not a Debian code name");
  const date = root["date"];
  if (typeof date !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date)) {
    throw wrong("date", "is not like 2026-01-31T12:00:00Z");
  }
  if (!Array.isArray(root["packages"])) throw wrong("packages", "is not a list");
  const packages = root["packages"].map(parsePackage);
  const twice = packages.find(
    (entry, at) =>
      packages.findIndex((each) => each.name === entry.name && each.architecture === entry.architecture) !== at,
  );
  if (twice) throw wrong(`packages: ${twice.name}`, "is listed twice");
  return { suite, date, packages };
}

/**
 * The date of a lock that has `packages` now. It is an input of every image and guest, so it stays when packages are only added:
 * what was locked before still makes the same bytes.
 */
export function lockDate(old: Lock, packages: readonly LockedPackage[], now: Date): string {
  const isTheSame = (entry: LockedPackage): boolean => packages.some(({ sha256 }) => sha256 === entry.sha256);
  return old.date !== "" && old.packages.every(isTheSame) ? old.date : `${now.toISOString().slice(0, 19)}Z`;
}

/** The file's text: sorted and one field per line, so a refresh reads well as a diff. */
export function emitLock(lock: Lock): string {
  const key = (entry: LockedPackage): string => `${entry.name} ${entry.architecture}`;
  const packages = [...lock.packages].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return `${JSON.stringify({ format: 1, suite: lock.suite, date: lock.date, packages }, undefined, 2)}\n`;
}

function parsePackage(value: unknown, index: number): LockedPackage {
  const record = asRecord(value, `packages[${index}]`);
  const where = `packages[${index}]${typeof record["name"] === "string" ? ` (${record["name"]})` : ""}`;
  const text = (field: keyof typeof PATTERN): string => {
    const found = record[field];
    if (typeof found !== "string" || !PATTERN[field].test(found)) {
      throw wrong(`${where}.${field}`, `is ${JSON.stringify(found) ?? "missing"}`);
    }
    return found;
  };
  const size = record["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size <= 0) {
    throw wrong(`${where}.size`, "is not a number of bytes");
  }
  return {
    name: text("name"),
    package: text("package"),
    version: text("version"),
    architecture: text("architecture"),
    source: text("source"),
    size,
    sha256: text("sha256"),
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImageError("image/packages.lock.json is not JSON: restore it from git", { cause: error });
  }
}

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(what, "is not an object");
  return value as Record<string, unknown>;
}

function wrong(where: string, problem: string): ImageError {
  return new ImageError(
    `image/packages.lock.json: ${where} ${problem}: restore it from git or run \`culvert image lock\``,
  );
}
