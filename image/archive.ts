/** The Debian archive as `culvert image cve` asks it: what is current, and what changelogs say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DebCache } from "./deb-cache.ts";
import { PackageFiles } from "./package-files.ts";
import { download, openApt } from "./prepare.ts";
import type { Progress } from "./progress.ts";
import { cacheFolder } from "./project.ts";
import type { Archive } from "./vulnerability-report.ts";

/** What is fetched for its changelog stays in the cache: the build after the next lock needs it. */
export async function openArchive(suite: string, architecture: string, progress: Progress): Promise<Archive> {
  const apt = await openApt(suite, architecture);
  const cache = new DebCache(cacheFolder);
  return {
    current: (names) => apt.current(names),
    changelog: async (entry) => {
      if (!cache.has(entry)) await download(apt, [entry], cache, "packages", progress);
      return readChangelog(await cache.unpack(entry), entry.package);
    },
  };
}

/** Debian's changelog of an unpacked package; undefined when its documents lie in another one. */
export function readChangelog(folder: string, name: string): string | undefined {
  const documents = `/usr/share/doc/${name}`;
  // A package without an upstream changelog has Debian's under the plain name.
  const found = ["changelog.Debian.gz", "changelog.gz"]
    .map((file) => new PackageFiles([folder]).resolve(`${documents}/${file}`))
    .find((each) => each !== undefined);
  return found === undefined ? undefined : gunzipSync(readFileSync(join(folder, found.path))).toString("utf8");
}
