/** Debian's archive through the host's apt in a folder of its own: no root, nothing of the host changes, apt checks signatures. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageError } from "./failure.ts";
import { runTool, ToolError } from "./host-tool.ts";
import type { LockedPackage } from "./lock.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Where packages come from: two archive addresses, taken from the host and never written into the project. */
export interface Mirror {
  readonly main: string;
  readonly security: string;
}

/**
 * The Debian archive this host already uses, or `mirror` (CULVERT_DEBIAN_MIRROR), such as `http://host/debian`.
 * `lists` are the texts of the host's apt source files, in either of apt's two formats.
 */
export function chooseMirror(lists: readonly string[], mirror: string | undefined): Mirror {
  if (mirror !== undefined) {
    const main = mirror.replace(/\/+$/, "");
    return { main, security: `${main}-security` };
  }
  const addresses = lists.flatMap((text) =>
    text
      .split("\n")
      .flatMap((line) => (/^(?:URIs:|deb\s)/.test(line) ? (line.match(/\bhttps?:\/\/[^\s\]]+/g) ?? []) : [])),
  );
  const bare = addresses.map((address) => address.replace(/\/+$/, ""));
  const main = bare.find((address) => address.endsWith("/debian"));
  if (main === undefined) {
    throw new ImageError(
      "the host's apt knows no Debian archive: set CULVERT_DEBIAN_MIRROR to one, such as http://MIRROR/debian",
    );
  }
  return { main, security: bare.find((address) => address.endsWith("/debian-security")) ?? `${main}-security` };
}

export class Apt {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Prepares `folder` for one suite and architecture and fetches the signed package lists. */
  static async open(folder: string, suite: string, architecture: string, mirror: Mirror): Promise<Apt> {
    if (!existsSync(KEYRING)) {
      throw new ImageError(`${KEYRING} is missing: run \`apt-get install debian-archive-keyring\` as root`);
    }
    for (const part of [
      "etc/sources.list.d",
      "etc/preferences.d",
      "etc/apt.conf.d",
      "state/lists/partial",
      "cache/archives/partial",
      "log",
    ]) {
      await mkdir(join(folder, part), { recursive: true });
    }
    await writeFile(join(folder, "status"), "");
    const source = (address: string, suites: string): string =>
      `Types: deb\nURIs: ${address}\nSuites: ${suites}\nComponents: main\nArchitectures: ${architecture}\nSigned-By: ${KEYRING}\n`;
    const sources = [source(mirror.main, `${suite} ${suite}-updates`), source(mirror.security, `${suite}-security`)];
    await writeChanged(join(folder, "etc/sources.list.d/debian.sources"), sources.join("\n"));
    await writeChanged(join(folder, "apt.conf"), await configuration(folder, architecture));
    const apt = new Apt(folder);
    await apt.#run("apt-get", ["-q", "update"]);
    return apt;
  }

  /** The archive's current version of each package, in the order asked for. Throws for a name it does not have. */
  async current(names: readonly string[]): Promise<LockedPackage[]> {
    const real = new Map<string, string>();
    for (const [name, record] of await this.#show(names))
      real.set(name, isMetaKernel(name) ? kernelOf(name, record) : name);
    const records = await this.#show([...real.values()]);
    return names.map((name) => {
      const actual = real.get(name) ?? name;
      const record = records.get(actual);
      if (!record) throw new ImageError(`Debian has no package ${actual}: check its spelling`);
      return describe(name, record);
    });
  }

  /** Which of the pinned packages the archive still offers in exactly that version. */
  async offered(pinned: readonly LockedPackage[]): Promise<Set<LockedPackage>> {
    const text = await this.#run("apt-cache", ["madison", ...pinned.map((entry) => entry.package)]);
    const lines = new Set(
      text.split("\n").map((line) =>
        line
          .split("|", 2)
          .map((cell) => cell.trim())
          .join(" "),
      ),
    );
    return new Set(pinned.filter((entry) => lines.has(`${entry.package} ${entry.version}`)));
  }

  /** Fetches packages into `into`; apt verifies each against the signed lists. `onFile` hears of each as it begins. */
  async download(packages: readonly LockedPackage[], into: string, onFile: (name: string) => void): Promise<void> {
    const wanted = packages.map((entry) => `${entry.package}=${entry.version}`);
    await this.#run("apt-get", ["-q", "download", ...wanted], into, (line) => {
      const name = /^Get:\d+ \S+ \S+ \S+ (\S+)/.exec(line)?.[1];
      if (name !== undefined) onFile(name);
    });
  }

  async #show(names: readonly string[]): Promise<Map<string, ReadonlyMap<string, string>>> {
    const text = await this.#run("apt-cache", ["show", "--no-all-versions", ...names]);
    const records = text
      .split(/\n\n+/)
      .filter((part) => part.trim() !== "")
      .map(parseControl);
    const found = new Map(records.map((record) => [record.get("Package") ?? "", record]));
    const missing = names.filter((name) => !found.has(name));
    if (missing.length > 0) throw new ImageError(`Debian has no package ${missing.join(", ")}: check the spelling`);
    return found;
  }

  /** Runs apt under a file lock: two builds at once wait for each other instead of failing on apt's own lock. */
  async #run(
    tool: "apt-get" | "apt-cache",
    args: readonly string[],
    cwd = this.#folder,
    onLine?: (line: string) => void,
  ): Promise<string> {
    const configured = join(this.#folder, "apt.conf");
    const env = { APT_CONFIG: configured };
    try {
      return await runTool("flock", [configured, tool, ...args], {
        cwd,
        env,
        ...(onLine === undefined ? {} : { onLine }),
      });
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      // apt's first complaint is the cause, the others follow from it.
      const complaint = /^E: (.*)/m.exec(error.said)?.[1] ?? error.said;
      throw new ImageError(`${tool} ${args.find((arg) => /^[a-z]/.test(arg))}: ${complaint}`, { cause: error });
    }
  }
}

/** The host's apt source files, for chooseMirror. */
export async function hostSourceLists(): Promise<string[]> {
  const folder = "/etc/apt/sources.list.d";
  const names = existsSync(folder)
    ? (await readdir(folder)).filter((name) => /\.(list|sources)$/.test(name)).sort()
    : [];
  const files = ["/etc/apt/sources.list", ...names.map((name) => join(folder, name))].filter((file) =>
    existsSync(file),
  );
  return await Promise.all(files.map((file) => readFile(file, "utf8")));
}

/** Debian's `Field: value` records; continuation lines are dropped, nobody here needs them. */
export function parseControl(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const field = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (field?.[1] !== undefined && field[2] !== undefined) fields.set(field[1], field[2]);
  }
  return fields;
}

/** Leaves an equal file alone: another process' apt may be reading it. */
async function writeChanged(file: string, text: string): Promise<void> {
  if (!existsSync(file) || (await readFile(file, "utf8")) !== text) await writeFile(file, text);
}

async function configuration(folder: string, architecture: string): Promise<string> {
  // The host's proxy and TLS settings stay in force; its hooks, pins and caches do not.
  const acquire = (await runTool("apt-config", ["dump"]))
    .split("\n")
    .filter((line) => /^Acquire::https?::/i.test(line));
  return [
    `Dir::Etc "${folder}/etc";`,
    `Dir::State "${folder}/state";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
    `Dir::Log "${folder}/log";`,
    `APT::Architecture "${architecture}";`,
    `APT::Architectures { "${architecture}"; };`,
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    // Lists that cannot be fetched are an error, not a reason to go on with old ones.
    'APT::Update::Error-Mode "any";',
    ...acquire,
    "",
  ].join("\n");
}

function isMetaKernel(name: string): boolean {
  return /^linux-image-(?!\d+\.)/.test(name);
}

function kernelOf(name: string, record: ReadonlyMap<string, string>): string {
  const actual = /\blinux-image-\d+\.[^ ,(]*/.exec(record.get("Depends") ?? "")?.[0];
  if (actual === undefined)
    throw new ImageError(`${name} depends on no linux-image-VERSION package: name the kernel itself`);
  return actual;
}

function describe(name: string, record: ReadonlyMap<string, string>): LockedPackage {
  const field = (key: string): string => record.get(key) ?? "";
  return {
    name,
    package: field("Package"),
    version: field("Version"),
    architecture: field("Architecture"),
    source: field("Source").split(" ")[0] || field("Package"),
    size: Number(field("Size")),
    sha256: field("SHA256"),
  };
}
