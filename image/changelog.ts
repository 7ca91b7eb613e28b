/** Debian changelogs (Debian policy §4.4): which vulnerabilities the entries since some version say they fix. */
import { compareDebVersions } from "./deb-version.ts";

export interface ChangelogEntry {
  readonly source: string;
  readonly version: string;
  readonly text: string;
}

/** Newest first, as in the file. Lines before the first heading are dropped. */
export function parseChangelog(text: string): ChangelogEntry[] {
  const entries: { source: string; version: string; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    const [, source, version] = /^([a-z0-9][a-z0-9.+-]*) \(([^()\s]+)\)[^;]*;/i.exec(line) ?? [];
    if (source !== undefined && version !== undefined) entries.push({ source, version, lines: [] });
    else entries.at(-1)?.lines.push(line);
  }
  return entries.map(({ source, version, lines }) => ({ source, version, text: lines.join("\n") }));
}

/** CVE ids of all entries newer than `version`, sorted by year and number, each once. */
export function vulnerabilitiesSince(changelog: string, version: string): string[] {
  const newer = parseChangelog(changelog).filter((entry) => compareDebVersions(entry.version, version) > 0);
  return sortedIds(newer.flatMap(({ text }) => text.match(/\bCVE-\d{4}-\d{4,}\b/g) ?? []));
}

export function sortedIds(ids: Iterable<string>): string[] {
  const order = (id: string): number[] => id.split("-").slice(1).map(Number);
  return [...new Set(ids)].sort((a, b) => {
    const [year = 0, number = 0] = order(a);
    const [otherYear = 0, otherNumber = 0] = order(b);
    return year - otherYear || number - otherNumber;
  });
}
