/** Debian's security tracker as one JSON file (https://security-tracker.debian.org/tracker/data/json), as far as it concerns us. */
import { sortedIds } from "./changelog.ts";
import { compareDebVersions } from "./deb-version.ts";
import { ImageError } from "./failure.ts";

/** What the tracker says of one source package in one suite. */
export interface TrackedSource {
  /** Fixed in the suite by a version later than ours. */
  readonly fixable: readonly string[];
  /** Known, and not fixed in the suite. */
  readonly open: readonly string[];
  /** Of `open`, those that Debian calls unimportant. */
  readonly unimportant: readonly string[];
}

export type SecurityTracker = (source: string, version: string, suite: string) => TrackedSource;

/** Throws an ImageError for a file that is not the tracker's. */
export function openTracker(text: string, file: string): SecurityTracker {
  const root = asRecord(readJson(text, file));
  const first = asRecord(Object.values(asRecord(Object.values(root ?? {})[0]) ?? {})[0]);
  if (root === undefined || asRecord(first?.["releases"]) === undefined) {
    throw new ImageError(
      `${file} is not the tracker's file: fetch https://security-tracker.debian.org/tracker/data/json`,
    );
  }
  return (source, version, suite) => {
    const issues = Object.entries(asRecord(root[source]) ?? {}).flatMap(([id, issue]) => {
      const release = asRecord(asRecord(asRecord(issue)?.["releases"])?.[suite]);
      return release === undefined || !id.startsWith("CVE-") ? [] : [{ id, release }];
    });
    const idsOf = (isMeant: (release: Readonly<Record<string, unknown>>) => boolean): string[] =>
      sortedIds(issues.flatMap(({ id, release }) => (isMeant(release) ? [id] : [])));
    const isOpen = (release: Readonly<Record<string, unknown>>): boolean => release["status"] === "open";
    return {
      fixable: idsOf(({ status, fixed_version: fixed }) => {
        return status === "resolved" && typeof fixed === "string" && compareDebVersions(fixed, version) > 0;
      }),
      open: idsOf(isOpen),
      unimportant: idsOf((release) => isOpen(release) && release["urgency"] === "unimportant"),
    };
  };
}

function readJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImageError(`${file} is not JSON: fetch it again`, { cause: error });
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
