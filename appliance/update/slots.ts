/**
 * The device's slots and boot state on its medium. Records first, then the copy of the environment beside them, then the boot
 * loader's own: each is on the medium before the next is begun, so that a power cut leaves what `settle` puts right.
 */
import type { Flash, Partition } from "../ports.ts";
import {
  type BootState,
  ENVIRONMENT_BYTES,
  emitEnvironment,
  emitRecord,
  MIRROR_OFFSET,
  otherSlot,
  recordOffset,
  type Situation,
  type SlotName,
  STATE_BYTES,
  settle,
} from "./boot-state.ts";
import { type Extent, fatExtents } from "./fat-file.ts";
import {
  ANCHOR_BYTES,
  anchorOffset,
  CHUNK_BYTES,
  hashOf,
  parseAnchor,
  parseTrailer,
  type SignedManifest,
  squashfsLength,
  TRAILER_BYTES,
  type TrustedKey,
} from "./image-format.ts";

const STATE = "culvert-state";
const BOOT = "BOOT";
const ENVIRONMENT_PATH = ["GRUB", "GRUBENV"];

export class Slots {
  readonly #flash: Flash;
  readonly booted: SlotName;
  #state: BootState;
  readonly situation: Situation;
  /** What was found broken at the start, one sentence each. */
  readonly findings: readonly string[];

  private constructor(
    flash: Flash,
    booted: SlotName,
    found: { readonly state: BootState; readonly situation: Situation; readonly findings: readonly string[] },
  ) {
    this.#flash = flash;
    this.booted = booted;
    this.#state = found.state;
    this.situation = found.situation;
    this.findings = found.findings;
  }

  /**
   * Reads the boot state and puts it right where a power cut left it in between. Undefined when this system was not started
   * out of a slot. Throws a SystemError when the medium fails.
   */
  static async open(flash: Flash): Promise<Slots | undefined> {
    const { booted } = flash;
    if (booted === undefined) return undefined;
    const partition = await withPartition(flash, STATE, (state) => state.read(0, STATE_BYTES));
    if (partition === undefined) return undefined;
    const environment = await readEnvironment(flash);
    const manifest = (await readTrailer(flash, booted))?.manifest;
    const observed = { partition, booted, environment, rollbackIndex: manifest?.rollbackIndex ?? 0 };
    const { state, situation, storeRecord, storeEnvironment, findings } = settle(observed);
    if (storeRecord) await storeState(flash, state);
    if (storeEnvironment) await storeEnvironmentOf(flash, state);
    return new Slots(flash, booted, { state, situation, findings });
  }

  get state(): BootState {
    return this.#state;
  }
  /** The one that an update goes into. */
  get spare(): SlotName {
    return otherSlot(this.booted);
  }

  /** On return the state survives a power cut. Throws a SystemError when the medium does not hold it. */
  async store(state: BootState): Promise<void> {
    await storeState(this.#flash, state);
    this.#state = state;
    await storeEnvironmentOf(this.#flash, state);
  }

  /** Manifest and signature at a slot's end; undefined for a slot that holds nothing whole. */
  async contentOf(slot: SlotName): Promise<SignedManifest | undefined> {
    return await readTrailer(this.#flash, slot);
  }

  /** The keys whose updates this slot takes; undefined when it has none. */
  async trustAnchor(): Promise<readonly TrustedKey[] | undefined> {
    return await withPartition(this.#flash, partitionOf(this.booted), async (partition) => {
      const length = squashfsLength(await partition.read(0, 96));
      if (length === undefined || anchorOffset(length) + ANCHOR_BYTES > partition.sizeBytes) return undefined;
      return parseAnchor(await partition.read(anchorOffset(length), ANCHOR_BYTES));
    });
  }

  /** Calls `use` with the partition of the slot that does not run. Throws when there is none. */
  async withSpare<T>(use: (partition: Partition) => Promise<T>): Promise<T> {
    const name = partitionOf(this.spare);
    const partition = await this.#flash.open(name);
    if (partition === undefined) throw new Error(`the medium has no partition ${name}`);
    try {
      return await use(partition);
    } finally {
      await partition.close();
    }
  }
}

function partitionOf(slot: SlotName): string {
  return `slot-${slot}`;
}

/** The first chunk, counted from 0, that is not what the manifest says; undefined when all are. */
export async function firstWrongChunk(
  partition: Partition,
  { chunks, payloadBytes }: SignedManifest["manifest"],
  onChunk: (bytes: number) => void = () => {},
): Promise<number | undefined> {
  if (payloadBytes > partition.sizeBytes) return 0;
  for (const [index, hash] of chunks.entries()) {
    const offset = index * CHUNK_BYTES;
    const bytes = await partition.read(offset, Math.min(CHUNK_BYTES, payloadBytes - offset));
    if (hashOf(bytes) !== hash) return index;
    onChunk(bytes.length);
  }
  return undefined;
}

async function readTrailer(flash: Flash, slot: SlotName): Promise<SignedManifest | undefined> {
  return await withPartition(flash, partitionOf(slot), async (partition) =>
    parseTrailer(await partition.read(partition.sizeBytes - TRAILER_BYTES, TRAILER_BYTES)),
  );
}

async function withPartition<T>(
  flash: Flash,
  name: string,
  use: (partition: Partition) => Promise<T>,
): Promise<T | undefined> {
  const partition = await flash.open(name);
  if (partition === undefined) return undefined;
  try {
    return await use(partition);
  } finally {
    await partition.close();
  }
}

async function storeState(flash: Flash, state: BootState): Promise<void> {
  await withPartition(flash, STATE, async (partition) => {
    await writeThrough(partition, recordOffset(state), emitRecord(state));
    await writeThrough(partition, MIRROR_OFFSET, emitEnvironment(state));
  });
}

/** A boot loader without GRUB's environment works on the records. */
async function storeEnvironmentOf(flash: Flash, state: BootState): Promise<void> {
  await withPartition(flash, BOOT, async (partition) => {
    const extents = await fatExtents(partition, ENVIRONMENT_PATH, ENVIRONMENT_BYTES);
    if (extents === undefined) return;
    const bytes = emitEnvironment(state);
    let done = 0;
    for (const { offset, length } of extents) {
      await writeThrough(partition, offset, bytes.subarray(done, done + length));
      done += length;
    }
  });
}

async function writeThrough(partition: Partition, offset: number, bytes: Buffer): Promise<void> {
  await partition.write(offset, bytes);
  await partition.sync();
  if (!(await partition.read(offset, bytes.length)).equals(bytes))
    throw new Error(`the medium does not hold what was written at byte ${offset}: it is worn out or write-protected`);
}

/** Undefined on a board whose boot loader has no such file. */
async function readEnvironment(flash: Flash): Promise<Buffer | undefined> {
  return await withPartition(flash, BOOT, async (partition) => {
    const extents = await fatExtents(partition, ENVIRONMENT_PATH, ENVIRONMENT_BYTES);
    return extents === undefined ? undefined : await readAll(partition, extents);
  });
}

async function readAll(partition: Partition, extents: readonly Extent[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const { offset, length } of extents) parts.push(await partition.read(offset, length));
  return Buffer.concat(parts);
}
