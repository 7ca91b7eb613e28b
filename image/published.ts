/** Is the disk that was built here the one that somebody else published? Signatures and keys aside, it should be. */
import { z } from "zod";
import { ImageError } from "./failure.ts";

const TEXTS = z.record(z.string(), z.string());
const FILES = z.record(z.string(), z.object({ sha256: z.string(), sha256_unsigned: z.string().optional() }));
const COMPARED = z.object({
  format: z.literal(1),
  board: z.string(),
  version: z.string(),
  commit: z.string().optional(),
  epoch: z.number(),
  tools: TEXTS,
  packages: z.array(z.object({ package: z.string(), version: z.string(), sha256: z.string() })).readonly(),
  app: FILES,
  files: FILES,
});

/** What is compared of a manifest; a `Manifest` is one. */
export type ComparedManifest = Readonly<z.infer<typeof COMPARED>>;

/** Reads a manifest.json from somewhere else. Throws an ImageError that names the field which is wrong. */
export function parsePublished(text: string, file: string): ComparedManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ImageError(`${file} is not JSON: give the manifest.json of a published image`, { cause: error });
  }
  const read = COMPARED.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = issue?.path.join(".") || "the whole";
  throw new ImageError(`${file} is not the manifest.json of an image: ${field}: ${issue?.message}`);
}

export interface PublishedComparison {
  readonly same: boolean;
  /** For a person: the sums, and when they are not the same, which inputs are not. */
  readonly lines: readonly string[];
}

/** Throws an ImageError for manifests that cannot be compared: of two boards, or of an image without a disk. */
export function comparePublished(ours: ComparedManifest, published: ComparedManifest): PublishedComparison {
  if (ours.board !== published.board) {
    throw new ImageError(`the published manifest is of board ${published.board}, not ${ours.board}: give --board`);
  }
  const [here, there] = [unsignedOf(ours, "the image built here"), unsignedOf(published, "the published manifest")];
  if (here === there) return { same: true, lines: [`sha256_unsigned ${here}`] };
  const causes = inputDifferences(ours, published);
  const cause =
    causes.length > 0 ? causes : ["  the recorded inputs are the same: a program that makes the image is not"];
  return { same: false, lines: [`sha256_unsigned ${here} here, ${there} published`, ...cause] };
}

function unsignedOf({ files }: ComparedManifest, whose: string): string {
  const found = Object.values(files).find(({ sha256_unsigned }) => sha256_unsigned !== undefined)?.sha256_unsigned;
  if (found === undefined)
    throw new ImageError(`${whose} has no file with sha256_unsigned: is it one of a flashable disk?`);
  return found;
}

function inputDifferences(ours: ComparedManifest, published: ComparedManifest): string[] {
  const pairs: readonly [string, ReadonlyMap<string, string>, ReadonlyMap<string, string>][] = [
    ["", factsOf(ours), factsOf(published)],
    ["package ", packagesOf(ours), packagesOf(published)],
    ["tool ", new Map(Object.entries(ours.tools)), new Map(Object.entries(published.tools))],
    ["app file ", sumsOf(ours.app), sumsOf(published.app)],
  ];
  return pairs.flatMap(([what, left, right]) =>
    [...new Set([...left.keys(), ...right.keys()])].sort().flatMap((name) => {
      const [a = "none", b = "none"] = [left.get(name), right.get(name)];
      return a === b ? [] : [`  ${what}${name}: ${a} here, ${b} published`];
    }),
  );
}

function factsOf({ version, commit, epoch }: ComparedManifest): Map<string, string> {
  return new Map([
    ["version", version],
    ["commit", commit ?? "unknown"],
    ["date of the lock", new Date(epoch * 1000).toISOString()],
  ]);
}

function packagesOf({ packages }: ComparedManifest): Map<string, string> {
  return new Map(packages.map((each) => [each.package, `${each.version} (${each.sha256.slice(0, 12)})`]));
}

function sumsOf(files: ComparedManifest["files"]): Map<string, string> {
  return new Map(Object.entries(files).map(([name, { sha256 }]) => [name, sha256.slice(0, 12)]));
}
