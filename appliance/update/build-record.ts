/** What a firmware is made of: written by image/ into the slot, read on the device by `show version`. */

/** Where the record lies in the root file system. */
export const BUILD_RECORD_PATH = "/usr/lib/culvert/build.json";

export interface BuildRecord {
  readonly format: 1;
  /** The board's name, such as `x86_64`. */
  readonly board: string;
  readonly version: string;
  /** The commit that was built, with `-dirty` when files differed from it; undefined outside a git checkout. */
  readonly commit: string | undefined;
  /** SHA-256 over all inputs, hexadecimal: equal inputs give equal images. */
  readonly inputs: string;
  /** True when a package is not the one in the lock. */
  readonly unlocked: boolean;
  /** The date of every file in the image, seconds since 1970. */
  readonly epoch: number;
  /** The kernel's release, as uname tells it. */
  readonly kernel: string;
  /** Program of the build -> what it said about its version. */
  readonly tools: Readonly<Record<string, string>>;
  /** What was packed, by the name of its source: Debian packages as `NAME_VERSION_ARCHITECTURE`, our own parts by file name. */
  readonly sha256: Readonly<Record<string, string>>;
}

export function emitBuildRecord(record: BuildRecord): string {
  return `${JSON.stringify(record, undefined, 1)}\n`;
}

/** Undefined for a text that is no record: the device then says less about itself, and works. */
export function parseBuildRecord(text: string): BuildRecord | undefined {
  const fields = readObject(text);
  if (fields === undefined || fields["format"] !== 1) return undefined;
  const { board, version, commit, inputs, unlocked, epoch, kernel, tools, sha256 } = fields;
  if (!isText(board) || !isText(version) || !isText(kernel)) return undefined;
  if (!isText(inputs) || !/^[0-9a-f]{64}$/.test(inputs)) return undefined;
  if (commit !== undefined && !isText(commit)) return undefined;
  if (typeof unlocked !== "boolean" || !Number.isSafeInteger(epoch)) return undefined;
  if (!isTextRecord(tools) || !isTextRecord(sha256)) return undefined;
  return { format: 1, board, version, commit, inputs, unlocked, epoch: Number(epoch), kernel, tools, sha256 };
}

function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** One printable line: it goes to the console as it is. */
function isText(value: unknown): value is string {
  return typeof value === "string" && /^[\x20-\x7e]{1,200}$/.test(value);
}

function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, text]) => isText(name) && isText(text))
  );
}
