/** Slots and bundles of two firmwares that nothing but the updater looks into, signed by keys of the test's own. */
import { generateKeyPairSync, sign } from "node:crypto";
import { type KeyKind, rawPublicKey, type TrustedKey } from "../../appliance/update/image-format.ts";
import { type SignedSlot, type SigningKey, type SlotFacts, signSlot } from "../../image/sign.ts";
import { fakeSquashfs } from "./squashfs.ts";

export function signingKey(kind: KeyKind = "release"): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const publicKey = rawPublicKey(privateKey) ?? Buffer.alloc(0);
  return {
    trusted: { kind, publicKey },
    from: "a test",
    sign: (bytes) => Promise.resolve(sign(null, bytes, privateKey)),
  };
}

export interface FakeFirmware extends Partial<SlotFacts> {
  readonly key: string;
  readonly signedBy: SigningKey;
  readonly bytes?: number;
  readonly alsoTrusted?: readonly TrustedKey[];
}

/** 2.5 MB unless `bytes` says otherwise; its content follows from `key`. */
export async function fakeFirmware({ signedBy, bytes, alsoTrusted, ...facts }: FakeFirmware): Promise<SignedSlot> {
  const seed = Number.parseInt(facts.key, 16);
  const all = { board: "x86_64", version: "0.1.0", rollbackIndex: 1, commit: "", ...facts };
  return await signSlot(fakeSquashfs(seed, bytes ?? 2_500_001), all, signedBy, alsoTrusted);
}

export function bundleOf({ bundleHead, payload }: SignedSlot): Buffer {
  return Buffer.concat([bundleHead, payload]);
}

/** As a network brings it. */
export async function* inPieces(bytes: Buffer, pieceBytes = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes)
    yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
}
