/**
 * The committed configurations on the disk: one file per commit, `config.N`, with a checksum. The highest good one is
 * in force. A power cut at any instant leaves the old configuration or the new one, and a broken file costs one commit.
 *
 * Files are never rewritten: one of an older schema is brought to this one's each time it is read, so that the older firmware,
 * put back in charge, still finds its own.
 */
import { createHash } from "node:crypto";
import { type Config, leafAt, type Path } from "./config.ts";
import { type Disk, replaceFile } from "./disk.ts";
import { migrate, SCHEMAS, type Schemas } from "./migrate.ts";
import type { Value } from "./schema-node.ts";
import { isValue } from "./value.ts";

/** How many commits `rollback` can go back over. */
const HISTORY = 20;
const FILE_NAME = /^config\.(\d{1,9})$/;

export interface Generation {
  readonly number: number;
  /** Wall-clock time of the commit, ISO 8601. */
  readonly committedAt: string;
  readonly config: Config;
}

export interface Loaded {
  /** Newest first; empty on a new device. */
  readonly generations: readonly Generation[];
  /** What could not be read and what was done about it, one sentence each. */
  readonly findings: readonly string[];
}

export class ConfigStore {
  readonly #disk: Disk;
  readonly #schemas: Schemas;
  #generations: readonly Generation[] = [];
  #highest = 0;
  /** The newest file of each older schema: what an older firmware would put in force. */
  #newestOfOlder: ReadonlySet<number> = new Set();

  constructor(disk: Disk, schemas: Schemas = SCHEMAS) {
    this.#disk = disk;
    this.#schemas = schemas;
  }

  /** Reads what is there. Unreadable files are passed over and reported; they stay until newer commits push them out. */
  load(): Loaded {
    const findings: string[] = [];
    const generations: Generation[] = [];
    const newestOfOlder = new Map<number, number>();
    for (const number of this.#numbers()) {
      const read = parseGeneration(number, this.#disk.read(`config.${number}`) ?? Buffer.alloc(0), this.#schemas);
      if (read.generation === undefined) {
        findings.push(`configuration ${number} was passed over: ${read.problem}`);
        continue;
      }
      if (generations.length === 0) {
        if (findings.length > 0) findings.push(`configuration ${number} is in force`);
        for (const path of read.unknown)
          findings.push(`configuration ${number}: "${path}" is unknown here and was left out`);
      }
      if (read.schema < this.#schemas.version && !newestOfOlder.has(read.schema))
        newestOfOlder.set(read.schema, number);
      if (generations.length <= HISTORY) generations.push(read.generation);
    }
    this.#newestOfOlder = new Set(newestOfOlder.values());
    if (generations.length === 0 && findings.length > 0)
      findings.push("no good configuration is left: defaults are in force");
    this.#generations = generations;
    return { generations, findings };
  }

  /** Forgets every configuration; older ones first, so that a power cut in the midst leaves the one in force. */
  clear(): void {
    for (const number of this.#numbers().reverse()) this.#disk.remove(`config.${number}`);
    this.#disk.sync();
    this.#generations = [];
    this.#newestOfOlder = new Set();
  }

  /** Newest first. */
  get generations(): readonly Generation[] {
    return this.#generations;
  }

  /** On return the configuration survives a power cut. Throws Node's file system errors; the old one holds then. */
  commit(config: Config, committedAt: string): Generation {
    const generation = { number: this.#highest + 1, committedAt, config };
    replaceFile(this.#disk, `config.${generation.number}`, emitGeneration(generation, this.#schemas.version));
    this.#highest = generation.number;
    this.#generations = [generation, ...this.#generations];
    // One more than can be rolled back to: the one in force.
    const kept = this.#generations.slice(0, HISTORY + 1);
    const oldest = kept.at(-1)?.number ?? 0;
    if (kept.length < this.#generations.length)
      for (const number of this.#numbers())
        if (number < oldest && !this.#newestOfOlder.has(number)) this.#disk.remove(`config.${number}`);
    this.#generations = kept;
    return generation;
  }

  /** The numbers of the files, highest first. */
  #numbers(): number[] {
    const numbers = this.#disk.list().flatMap((name) => FILE_NAME.exec(name)?.[1] ?? []);
    const sorted = numbers.map(Number).sort((a, b) => b - a);
    this.#highest = Math.max(this.#highest, sorted[0] ?? 0);
    return sorted;
  }
}

/** First line: SHA-256 of the rest. The rest: JSON. */
function emitGeneration({ committedAt, config }: Generation, schema: number): Buffer {
  const content = { schema, committedAt, values: Object.fromEntries(config) };
  const text = `${JSON.stringify(content, undefined, 1)}\n`;
  return Buffer.from(`${checksum(text)}\n${text}`);
}

type Read =
  | { readonly generation: Generation; readonly schema: number; readonly unknown: readonly Path[] }
  | { readonly generation: undefined; readonly problem: string };

function parseGeneration(number: number, bytes: Buffer, schemas: Schemas): Read {
  const whole = bytes.toString("utf8");
  const end = whole.indexOf("\n");
  const text = whole.slice(end + 1);
  if (end < 0 || whole.slice(0, end) !== checksum(text))
    return { generation: undefined, problem: "it is damaged (wrong checksum)" };
  const { schema, committedAt, values } = parseContent(text);
  if (schema === undefined || values === undefined)
    return { generation: undefined, problem: "it is damaged (not a configuration)" };
  const migrated = migrate(new Map(Object.entries(values)), schema, schemas);
  if (!migrated.ok) return { generation: undefined, problem: migrated.problem };
  const config = new Map<Path, Value>();
  const unknown: Path[] = [];
  for (const [path, value] of migrated.values) {
    const leaf = leafAt(path);
    if (leaf !== undefined && isValue(leaf, value)) config.set(path, value);
    else unknown.push(path);
  }
  return { generation: { number, committedAt, config }, schema, unknown };
}

function parseContent(text: string): { schema?: number; committedAt: string; values?: object } {
  const content: unknown = parseJson(text);
  if (typeof content !== "object" || content === null) return { committedAt: "" };
  const { schema, committedAt, values } = content as Readonly<Record<string, unknown>>;
  return {
    ...(typeof schema === "number" && Number.isSafeInteger(schema) ? { schema } : {}),
    committedAt: typeof committedAt === "string" ? committedAt : "",
    ...(typeof values === "object" && values !== null ? { values } : {}),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
