/**
 * Step 5 of 5: a slot gets its trust anchor, its manifest and its signature, and becomes an update bundle. The key is a file, a
 * command that signs, or one made here for development.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import {
  anchorOffset,
  CHUNK_BYTES,
  CONFIG_SCHEMA,
  emitAnchor,
  emitBundleHead,
  emitManifest,
  emitTrailer,
  hashOf,
  type KeyKind,
  LAYOUT,
  payloadBytesOf,
  rawPublicKey,
  SIGNATURE_BYTES,
  signerOf,
  squashfsLength,
  type TrustedKey,
} from "../appliance/update/image-format.ts";
import { ImageError } from "./failure.ts";
import { workFolder } from "./project.ts";

/** Raise it when no device may go back to a firmware before this one, such as after a hole was closed. */
export const ROLLBACK_INDEX = 1;

export interface SigningKey {
  readonly trusted: TrustedKey;
  /** Where the key is, for people. */
  readonly from: string;
  sign(manifest: Buffer): Promise<Buffer>;
}

const DEVELOPMENT_KEY = join(workFolder, "keys", "development.pem");

/** What a build with a development key says, and so does the device that runs it. */
export const DEVELOPMENT_WARNING =
  "SIGNED WITH A DEVELOPMENT KEY: whoever has this folder can sign updates for a device with this image. " +
  "For devices of others use --key FILE or --sign-command COMMAND --public-key FILE.";

/** The key of this checkout, made when there is none. It is not in git, and every checkout has another one. */
export async function developmentKey(file: string = DEVELOPMENT_KEY): Promise<SigningKey> {
  if (!existsSync(file)) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
    // Of two builds that begin at once the first one's key holds.
    await writeFile(file, pem, { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  return await privateKey(file, "development");
}

/** A private key in PEM (PKCS #8), as `openssl genpkey -algorithm ed25519` writes it. */
export async function keyFromFile(file: string): Promise<SigningKey> {
  return await privateKey(file, "release");
}

/** `command` is run by the shell: it gets the manifest on standard input, and answers with the 64 bytes of its signature. */
export async function keyFromCommand(command: string, publicKeyFile: string): Promise<SigningKey> {
  const publicKey = publicHalf(await readKey(publicKeyFile, createPublicKey), publicKeyFile);
  return {
    trusted: { kind: "release", publicKey },
    from: `\`${command}\``,
    sign: async (manifest) => {
      const { stdout, stderr, exitCode, failed } = await execa(command, {
        shell: true,
        input: manifest,
        encoding: "buffer",
        stripFinalNewline: false,
        reject: false,
      });
      if (failed) {
        const said = Buffer.from(stderr).toString("utf8").trim();
        throw new ImageError(`the signing command ended with status ${exitCode ?? "?"}: ${said || "it said nothing"}`);
      }
      const signature = Buffer.from(stdout);
      if (signature.length !== SIGNATURE_BYTES) {
        throw new ImageError(
          `the signing command answered with ${signature.length} bytes; an ed25519 signature has ${SIGNATURE_BYTES}`,
        );
      }
      return signature;
    },
  };
}

async function privateKey(file: string, kind: KeyKind): Promise<SigningKey> {
  const key = await readKey(file, createPrivateKey);
  const trusted = { kind, publicKey: publicHalf(key, file) };
  return { trusted, from: file, sign: (manifest) => Promise.resolve(signBytes(null, manifest, key)) };
}

async function readKey(file: string, create: (pem: Buffer) => KeyObject): Promise<KeyObject> {
  let pem: Buffer;
  try {
    pem = await readFile(file);
  } catch (error) {
    throw new ImageError(`the key ${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  try {
    return create(pem);
  } catch (cause) {
    const hint = "make one with `openssl genpkey -algorithm ed25519 -out FILE`";
    throw new ImageError(`${file} holds no key in PEM: ${hint}`, { cause });
  }
}

function publicHalf(key: KeyObject, file: string): Buffer {
  const raw = rawPublicKey(key);
  if (raw !== undefined) return raw;
  throw new ImageError(`${file} is a key of kind ${key.asymmetricKeyType}: updates are signed with ed25519`);
}

export interface SlotFacts {
  readonly board: string;
  readonly version: string;
  readonly rollbackIndex: number;
  readonly commit: string;
  /** Content hash of the image's inputs. */
  readonly key: string;
}

export interface SignedSlot {
  /** What the partition begins with: squashfs, padding, trust anchor. */
  readonly payload: Buffer;
  /** The last bytes of the partition. */
  readonly trailer: Buffer;
  /** What stands before the payload in a bundle. */
  readonly bundleHead: Buffer;
  /** SHA-256 of the payload with zeros in the trust anchor's place: the same for everybody who builds it. */
  readonly sha256Unsigned: string;
}

/** `alsoTrusted`: keys beside the signing one whose updates a device with this slot takes, such as the next one's. */
export async function signSlot(
  squashfs: Buffer,
  facts: SlotFacts,
  key: SigningKey,
  alsoTrusted: readonly TrustedKey[] = [],
): Promise<SignedSlot> {
  const squashfsBytes = squashfsLength(squashfs);
  if (squashfsBytes === undefined || squashfsBytes > squashfs.length)
    throw new ImageError("the slot to be signed is no whole squashfs: build the image again");
  const payload = Buffer.alloc(payloadBytesOf(squashfsBytes));
  squashfs.copy(payload, 0, 0, squashfsBytes);
  const sha256Unsigned = hashOf(payload);
  emitAnchor([key.trusted, ...alsoTrusted]).copy(payload, anchorOffset(squashfsBytes));
  const manifest = emitManifest({
    ...facts,
    layout: LAYOUT,
    configSchema: CONFIG_SCHEMA,
    payloadBytes: payload.length,
    squashfsBytes,
    chunks: chunkHashes(payload),
  });
  const signature = await key.sign(manifest);
  if (signerOf(manifest, signature, [key.trusted]) === undefined)
    throw new ImageError(`the signature by ${key.from} is not one by its public key: is it another key's?`);
  return {
    payload,
    trailer: emitTrailer(manifest, signature),
    bundleHead: emitBundleHead(manifest, signature),
    sha256Unsigned,
  };
}

export async function writeBundle({ bundleHead, payload }: SignedSlot, file: string): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.writev([bundleHead, payload]);
  } finally {
    await handle.close();
  }
}

function chunkHashes(payload: Buffer): readonly string[] {
  const count = Math.ceil(payload.length / CHUNK_BYTES);
  return Array.from({ length: count }, (_, index) =>
    hashOf(payload.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)),
  );
}
