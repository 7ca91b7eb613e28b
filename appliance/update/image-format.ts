/**
 * What an update is made of, for the builder that writes it and the device that reads it. Pure: bytes and values.
 *
 *   bundle:  header | manifest | signature | payload        read from front to back, nothing needs to be kept
 *   slot:    payload | free | trailer                       the trailer, the last TRAILER_BYTES, repeats manifest and signature
 *   payload: squashfs, padded to 4 KiB | trust anchor       one file system with kernel, initramfs and app, and the public keys
 *
 * The manifest is canonical JSON, signed as it stands with ed25519 (RFC 8032), and lists the SHA-256 of every MiB of the payload:
 * a wrong byte is found before the MiB that holds it is written. The trust anchor is a block of its own so that the hash of an
 * image without signature and keys is a matter of leaving blocks out, and anybody can compare a build with ours.
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { crc32 } from "../wire/crc32.ts";
import { Reader, Writer } from "../wire/cursor.ts";

/** Of a chunk of the payload that is hashed apart; the last one may be shorter. */
export const CHUNK_BYTES = 1 << 20;
export const SIGNATURE_BYTES = 64;
/** A manifest of a payload of 64 MiB has about 5 KiB. */
export const MAX_MANIFEST_BYTES = 12 * 1024;
/** The end of a slot's partition. */
export const TRAILER_BYTES = 16 * 1024;
export const HEADER_BYTES = 16;
export const ANCHOR_BYTES = 4096;
const ALIGNMENT = 4096;

/** The partitions and the boot state a bundle is made for: another number is another partition table. */
export const LAYOUT = 1;
/** The versions of stored configurations that this firmware reads. */
export const CONFIG_SCHEMA = { min: 1, max: 1 } as const;

export interface UpdateManifest {
  readonly board: string;
  readonly version: string;
  /** Grows when an older firmware must not come back; a device refuses bundles below the highest it committed. */
  readonly rollbackIndex: number;
  readonly layout: number;
  readonly configSchema: { readonly min: number; readonly max: number };
  /** Of git; empty when the image was not built from a checkout. */
  readonly commit: string;
  /** Of the image's inputs. */
  readonly key: string;
  readonly payloadBytes: number;
  readonly squashfsBytes: number;
  /** SHA-256 of each chunk, in hex. */
  readonly chunks: readonly string[];
}

const FORMAT = 1;

/** Keys in the order of their names, no blanks: equal manifests are equal bytes. */
export function emitManifest(manifest: UpdateManifest): Buffer {
  const { board, chunks, commit, configSchema, key, layout, payloadBytes, rollbackIndex, squashfsBytes, version } =
    manifest;
  const { max, min } = configSchema;
  const ordered = {
    board,
    chunkBytes: CHUNK_BYTES,
    chunks,
    commit,
    configSchema: { max, min },
    format: FORMAT,
    key,
    layout,
    payloadBytes,
    rollbackIndex,
    squashfsBytes,
    version,
  };
  return Buffer.from(JSON.stringify(ordered), "utf8");
}

/** Undefined for everything that `emitManifest` would not have written. */
export function parseManifest(bytes: Buffer): UpdateManifest | undefined {
  if (bytes.length > MAX_MANIFEST_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
  const manifest = manifestOf(value);
  return manifest !== undefined && emitManifest(manifest).equals(bytes) ? manifest : undefined;
}

function manifestOf(value: unknown): UpdateManifest | undefined {
  if (!isRecord(value)) return undefined;
  const { board, version, commit, key, rollbackIndex, layout, configSchema, payloadBytes, squashfsBytes, chunks } =
    value;
  if (!isName(board) || !isName(version) || !isText(commit) || !isText(key)) return undefined;
  if (!isCount(rollbackIndex) || !isCount(layout) || !isCount(payloadBytes) || !isCount(squashfsBytes))
    return undefined;
  if (!isRecord(configSchema) || !isCount(configSchema["min"]) || !isCount(configSchema["max"])) return undefined;
  if (!Array.isArray(chunks) || !chunks.every(isHash)) return undefined;
  if (payloadBytes !== payloadBytesOf(squashfsBytes) || chunks.length !== Math.ceil(payloadBytes / CHUNK_BYTES))
    return undefined;
  const { min, max } = configSchema;
  if (!isCount(min) || !isCount(max)) return undefined;
  return {
    board,
    version,
    commit,
    key,
    rollbackIndex,
    layout,
    configSchema: { min, max },
    payloadBytes,
    squashfsBytes,
    chunks,
  };
}

/** Where the trust anchor stands in a slot, and so how long the payload is. */
export function anchorOffset(squashfsBytes: number): number {
  return Math.ceil(squashfsBytes / ALIGNMENT) * ALIGNMENT;
}

export function payloadBytesOf(squashfsBytes: number): number {
  return anchorOffset(squashfsBytes) + ANCHOR_BYTES;
}

/** The squashfs' own length (`bytes_used` of its superblock, little endian), or undefined when this is none. */
export function squashfsLength(superblock: Buffer): number | undefined {
  if (superblock.length < 48 || superblock.toString("latin1", 0, 4) !== "hsqs") return undefined;
  const length = superblock.readBigUInt64LE(40);
  return length <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(length) : undefined;
}

export function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

// The bundle.

const BUNDLE_MAGIC = Buffer.from("CULVUPDT", "latin1");

/** What stands before the payload of a bundle. */
export function emitBundleHead(manifest: Buffer, signature: Buffer): Buffer {
  const header = new Writer(HEADER_BYTES).fixed(BUNDLE_MAGIC, 8).u32(FORMAT).u32(manifest.length).bytes;
  return Buffer.concat([header, manifest, signature]);
}

/** How long the manifest behind these `HEADER_BYTES` is; undefined when this is no bundle. */
export function parseBundleHeader(bytes: Buffer): number | undefined {
  const r = new Reader(bytes.subarray(0, HEADER_BYTES));
  const magic = r.view(8);
  const format = r.u32();
  const length = r.u32();
  if (!r.result(length).ok || !magic.equals(BUNDLE_MAGIC) || format !== FORMAT) return undefined;
  return length > 0 && length <= MAX_MANIFEST_BYTES ? length : undefined;
}

// The trailer: manifest | signature | zeros | footer of 16 bytes.

const TRAILER_MAGIC = Buffer.from("CULVSLOT", "latin1");
const FOOTER_BYTES = 16;

export interface SignedManifest {
  readonly bytes: Buffer;
  readonly signature: Buffer;
  readonly manifest: UpdateManifest;
}

/** The last `TRAILER_BYTES` of a slot's partition. */
export function emitTrailer(manifest: Buffer, signature: Buffer): Buffer {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  manifest.copy(trailer, 0);
  signature.copy(trailer, manifest.length);
  const footer = new Writer(FOOTER_BYTES)
    .fixed(TRAILER_MAGIC, 8)
    .u32(manifest.length)
    .u32(crc32(trailer.subarray(0, manifest.length + SIGNATURE_BYTES)));
  footer.bytes.copy(trailer, TRAILER_BYTES - FOOTER_BYTES);
  return trailer;
}

/** Undefined for a slot that was never written to its end. Says nothing of the signature. */
export function parseTrailer(trailer: Buffer): SignedManifest | undefined {
  if (trailer.length !== TRAILER_BYTES) return undefined;
  const r = new Reader(trailer.subarray(TRAILER_BYTES - FOOTER_BYTES));
  const magic = r.view(8);
  const length = r.u32();
  const sum = r.u32();
  if (!magic.equals(TRAILER_MAGIC) || length > MAX_MANIFEST_BYTES) return undefined;
  if (crc32(trailer.subarray(0, length + SIGNATURE_BYTES)) !== sum) return undefined;
  const bytes = trailer.subarray(0, length);
  const manifest = parseManifest(bytes);
  if (manifest === undefined) return undefined;
  return { bytes, signature: trailer.subarray(length, length + SIGNATURE_BYTES), manifest };
}

// The trust anchor.

/** `development`: made on somebody's computer, and to be trusted no more than that. */
export type KeyKind = "release" | "development";

export interface TrustedKey {
  readonly kind: KeyKind;
  /** The ed25519 public key, 32 bytes. */
  readonly publicKey: Buffer;
}

export const PUBLIC_KEY_BYTES = 32;
const ANCHOR_MAGIC = Buffer.from("CULVKEYS", "latin1");
const MAX_KEYS = 16;
const KEY_BYTES = 4 + PUBLIC_KEY_BYTES;

/** `ANCHOR_BYTES` with at most 16 keys; throws a RangeError for more. */
export function emitAnchor(keys: readonly TrustedKey[]): Buffer {
  if (keys.length > MAX_KEYS) throw new RangeError(`a trust anchor holds ${MAX_KEYS} keys, not ${keys.length}`);
  const writer = new Writer(ANCHOR_BYTES).fixed(ANCHOR_MAGIC, 8).u32(FORMAT).u32(keys.length);
  for (const { kind, publicKey } of keys) writer.u32(kind === "release" ? 0 : 1).fixed(publicKey, PUBLIC_KEY_BYTES);
  writer.bytes.writeUInt32BE(crc32(writer.bytes.subarray(0, ANCHOR_BYTES - 4)), ANCHOR_BYTES - 4);
  return writer.bytes;
}

/** Undefined when this is no trust anchor. */
export function parseAnchor(bytes: Buffer): readonly TrustedKey[] | undefined {
  if (bytes.length !== ANCHOR_BYTES) return undefined;
  if (crc32(bytes.subarray(0, ANCHOR_BYTES - 4)) !== bytes.readUInt32BE(ANCHOR_BYTES - 4)) return undefined;
  const r = new Reader(bytes.subarray(0, 16 + MAX_KEYS * KEY_BYTES));
  const magic = r.view(8);
  const format = r.u32();
  const count = r.u32();
  if (!magic.equals(ANCHOR_MAGIC) || format !== FORMAT || count > MAX_KEYS) return undefined;
  return Array.from({ length: count }, () => ({
    kind: r.u32() === 0 ? ("release" as const) : ("development" as const),
    publicKey: Buffer.from(r.view(PUBLIC_KEY_BYTES)),
  }));
}

/** The key of the anchor that made the signature; undefined when none did. */
export function signerOf(manifest: Buffer, signature: Buffer, anchor: readonly TrustedKey[]): TrustedKey | undefined {
  return anchor.find(({ publicKey }) => verify(null, manifest, publicKeyOf(publicKey), signature));
}

/** RFC 8410 §4: an ed25519 SubjectPublicKeyInfo is this prefix and the key. */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function publicKeyOf(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
}

/** The 32 bytes of an ed25519 key, public or private; undefined for keys of another kind. */
export function rawPublicKey(key: KeyObject): Buffer | undefined {
  if (key.asymmetricKeyType !== "ed25519") return undefined;
  const half = key.type === "private" ? createPublicKey(key) : key;
  return half.export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX.length);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isText(value: unknown): value is string {
  return typeof value === "string" && /^[\x20-\x7e]{0,100}$/.test(value);
}
function isName(value: unknown): value is string {
  return typeof value === "string" && /^[\w.+~-]{1,64}$/.test(value);
}
function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}
function isHash(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
