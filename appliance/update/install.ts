/**
 * Takes a bundle as it comes and writes it into the slot that does not run: signature first, then every chunk hashed before it is
 * written, everything read back from the medium, and only then armed for the next start. Memory for one chunk, whatever the size.
 */
import type { Partition } from "../ports.ts";
import { arm, disarm, otherSlot, type SlotName } from "./boot-state.ts";
import {
  CHUNK_BYTES,
  emitTrailer,
  HEADER_BYTES,
  hashOf,
  type KeyKind,
  LAYOUT,
  parseBundleHeader,
  parseManifest,
  SIGNATURE_BYTES,
  signerOf,
  TRAILER_BYTES,
  type UpdateManifest,
} from "./image-format.ts";
import { firstWrongChunk, type Slots } from "./slots.ts";

export interface InstallOptions {
  /** The board's name. */
  readonly board: string;
  /** The version of the stored configuration: the new firmware must read it. */
  readonly configSchema: number;
  /** Lets an older firmware in: only for somebody who stands at the device. */
  readonly allowDowngrade: boolean;
  readonly onProgress: (progress: InstallProgress) => void;
}

export interface InstallProgress {
  readonly step: "writing" | "reading back";
  readonly bytes: number;
  readonly ofBytes: number;
}

export type Installed =
  | { readonly ok: true; readonly slot: SlotName; readonly manifest: UpdateManifest; readonly signedBy: KeyKind }
  /** The device is as it was, except that the spare slot may be empty. `problem` and `hint` are clauses without a full stop. */
  | { readonly ok: false; readonly problem: string; readonly hint: string };

/** Throws a SystemError when the medium fails, and whatever `bundle` throws; nothing is armed then. */
export async function install(
  bundle: AsyncIterable<Buffer>,
  slots: Slots,
  options: InstallOptions,
): Promise<Installed> {
  try {
    return await installOrRefuse(bundle, slots, options);
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, problem: error.message, hint: error.hint };
    throw error;
  }
}

class Refusal extends Error {
  readonly hint: string;
  constructor(problem: string, hint: string) {
    super(problem);
    this.hint = hint;
  }
}

async function installOrRefuse(
  bundle: AsyncIterable<Buffer>,
  slots: Slots,
  options: InstallOptions,
): Promise<Installed> {
  if (slots.state.pending === slots.booted)
    throw new Refusal(`slot ${slots.booted} is still on trial`, "wait until it is committed, or commit it yourself");
  const input = new ByteStream(bundle);
  const { bytes, signature, manifest, signedBy } = await readHead(input, slots);
  refuseForeign(manifest, slots, options);
  await slots.withSpare(async (partition) => {
    const room = partition.sizeBytes - TRAILER_BYTES;
    if (manifest.payloadBytes > room)
      throw new Refusal(
        `the bundle has ${manifest.payloadBytes} bytes, and slot ${slots.spare} has room for ${room}`,
        "it is made for a larger medium: flash the device anew",
      );
    // From here on the slot holds neither what it held nor what it will hold.
    if (slots.state.pending !== undefined) await slots.store(disarm(slots.state));
    await partition.write(partition.sizeBytes - TRAILER_BYTES, Buffer.alloc(TRAILER_BYTES));
    await partition.sync();
    await writeChunks(input, partition, manifest, options);
    await readBack(partition, manifest, slots.spare, options);
    const trailer = emitTrailer(bytes, signature);
    await partition.write(partition.sizeBytes - TRAILER_BYTES, trailer);
    await partition.sync();
    if (!(await partition.read(partition.sizeBytes - TRAILER_BYTES, TRAILER_BYTES)).equals(trailer))
      throw wornOut(slots.spare);
  });
  await slots.store(arm(slots.state, slots.spare));
  return { ok: true, slot: slots.spare, manifest, signedBy };
}

async function readHead(
  input: ByteStream,
  slots: Slots,
): Promise<{ bytes: Buffer; signature: Buffer; manifest: UpdateManifest; signedBy: KeyKind }> {
  const length = parseBundleHeader(await input.take(HEADER_BYTES, notABundle));
  if (length === undefined) throw notABundle();
  const bytes = Buffer.from(await input.take(length, notABundle));
  const signature = Buffer.from(await input.take(SIGNATURE_BYTES, notABundle));
  const anchor = await slots.trustAnchor();
  if (anchor === undefined || anchor.length === 0)
    throw new Refusal("this firmware trusts no key, and so takes no updates", "flash the device with a signed image");
  const signer = signerOf(bytes, signature, anchor);
  if (signer === undefined)
    throw new Refusal(
      "the bundle is not signed by a key that this firmware trusts, or was changed after it was signed",
      "build it with the key of the firmware that runs, or fetch it again from where it was published",
    );
  const manifest = parseManifest(bytes);
  if (manifest === undefined)
    throw new Refusal(
      "the bundle is of a newer format than this firmware knows",
      "update to a firmware between the two first",
    );
  return { bytes, signature, manifest, signedBy: signer.kind };
}

function notABundle(): Refusal {
  return new Refusal("this is no update bundle", "send the file that ends in .bundle, not the disk image");
}

function refuseForeign(
  { board, layout, configSchema, rollbackIndex, version }: UpdateManifest,
  slots: Slots,
  options: InstallOptions,
): void {
  if (board !== options.board)
    throw new Refusal(
      `the bundle is for board ${board}, and this is ${options.board}`,
      `get the one for ${options.board}`,
    );
  if (layout !== LAYOUT)
    throw new Refusal(
      `the bundle is for partition layout ${layout}, and this device has ${LAYOUT}`,
      "save the configuration, flash the device with the disk image, and load the configuration again",
    );
  if (options.configSchema < configSchema.min || options.configSchema > configSchema.max)
    throw new Refusal(
      `version ${version} reads configurations of schema ${configSchema.min} to ${configSchema.max}, and this device's is of ` +
        `schema ${options.configSchema}`,
      "factory-reset first, or take a version that reads it",
    );
  if (rollbackIndex < slots.state.rollbackIndex && !options.allowDowngrade)
    throw new Refusal(
      `version ${version} is older than this device goes back to (rollback index ${rollbackIndex}, floor ` +
        `${slots.state.rollbackIndex})`,
      "only `update allow-downgrade` on the serial console lets it in",
    );
}

async function writeChunks(
  input: ByteStream,
  partition: Partition,
  { chunks, payloadBytes }: UpdateManifest,
  { onProgress }: InstallOptions,
): Promise<void> {
  for (const [index, hash] of chunks.entries()) {
    const offset = index * CHUNK_BYTES;
    const length = Math.min(CHUNK_BYTES, payloadBytes - offset);
    const bytes = await input.take(
      length,
      (got) => new Refusal(`the bundle ended after ${offset + got} of ${payloadBytes} bytes`, "send it once more"),
    );
    if (hashOf(bytes) !== hash)
      throw new Refusal(
        `MiB ${index + 1} of the bundle is not what was signed`,
        "fetch it again, and send it once more",
      );
    await partition.write(offset, bytes);
    onProgress({ step: "writing", bytes: offset + length, ofBytes: payloadBytes });
  }
  if (!(await input.ended()))
    throw new Refusal("the bundle is longer than its manifest says", "fetch it again, and send it once more");
  await partition.sync();
}

async function readBack(
  partition: Partition,
  manifest: UpdateManifest,
  slot: SlotName,
  { onProgress }: InstallOptions,
): Promise<void> {
  let bytes = 0;
  const wrong = await firstWrongChunk(partition, manifest, (length) => {
    bytes += length;
    onProgress({ step: "reading back", bytes, ofBytes: manifest.payloadBytes });
  });
  if (wrong !== undefined) throw wornOut(slot);
}

function wornOut(slot: SlotName): Refusal {
  return new Refusal(
    `slot ${slot} does not hold what was written to it`,
    `the medium is worn out or broken: slot ${otherSlot(slot)} still runs, replace the medium`,
  );
}

/** Bytes out of chunks of any size. */
class ByteStream {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #done = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes; throws what `short` makes of how many there were. */
  async take(length: number, short: (got: number) => Error): Promise<Buffer> {
    const parts: Buffer[] = [];
    let got = 0;
    while (got < length) {
      if (this.#rest.length === 0 && !(await this.#next())) throw short(got);
      const part = this.#rest.subarray(0, length - got);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      got += part.length;
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  async ended(): Promise<boolean> {
    while (this.#rest.length === 0) if (!(await this.#next())) return true;
    return false;
  }

  async #next(): Promise<boolean> {
    if (this.#done) return false;
    const next = await this.#chunks.next();
    this.#done = next.done === true;
    if (next.done !== true) this.#rest = next.value;
    return !this.#done;
  }
}
