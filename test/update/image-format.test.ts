import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { SCHEMA_VERSION } from "../../appliance/config/schema.ts";
import {
  ANCHOR_BYTES,
  anchorOffset,
  CHUNK_BYTES,
  CONFIG_SCHEMA,
  emitAnchor,
  emitBundleHead,
  emitManifest,
  emitTrailer,
  HEADER_BYTES,
  hashOf,
  LAYOUT,
  MAX_MANIFEST_BYTES,
  parseAnchor,
  parseBundleHeader,
  parseManifest,
  parseTrailer,
  payloadBytesOf,
  rawPublicKey,
  SIGNATURE_BYTES,
  signerOf,
  squashfsLength,
  TRAILER_BYTES,
  type UpdateManifest,
} from "../../appliance/update/image-format.ts";
import { octets } from "../support/arbitrary.ts";

const SQUASHFS_BYTES = 2 * CHUNK_BYTES + 5;
const MANIFEST: UpdateManifest = {
  board: "x86_64",
  version: "0.2.0",
  rollbackIndex: 4,
  layout: LAYOUT,
  configSchema: { min: 1, max: 1 },
  commit: "0123abc",
  key: "f00d",
  payloadBytes: payloadBytesOf(SQUASHFS_BYTES),
  squashfsBytes: SQUASHFS_BYTES,
  chunks: [hashOf(Buffer.from("a")), hashOf(Buffer.from("b")), hashOf(Buffer.from("c"))],
};

test("a manifest is the same bytes whatever the order of its fields, and nothing else is a manifest", () => {
  const bytes = emitManifest(MANIFEST);
  const shuffled = Object.fromEntries(Object.entries(MANIFEST).reverse()) as unknown as UpdateManifest;
  assert.deepEqual(emitManifest(shuffled), bytes);
  assert.deepEqual(parseManifest(bytes), MANIFEST);
  const text = bytes.toString();
  assert.ok(text.startsWith('{"board":"x86_64","chunkBytes":1048576,"chunks":["'), text);
  for (const [wanted, other] of [
    ['"layout"', ' "layout"'],
    ['"format":1', '"format":2'],
    ['"layout":1', '"layout":-1'],
    ['"board":"x86_64"', '"board":"x86 64"'],
    [`"squashfsBytes":${SQUASHFS_BYTES}`, `"squashfsBytes":${SQUASHFS_BYTES + 4096}`],
    [MANIFEST.chunks[0] ?? "", "00"],
    ["{", '{"also":1,'],
  ] as const) {
    const changed = text.replace(wanted, other);
    assert.notEqual(changed, text);
    assert.equal(parseManifest(Buffer.from(changed)), undefined, changed);
  }
});

test("the manifest of a full slot fits its room", () => {
  const squashfsBytes = 64 * CHUNK_BYTES - TRAILER_BYTES - ANCHOR_BYTES;
  const chunks = Array.from({ length: 64 }, (_, index) => hashOf(Buffer.from(String(index))));
  const commit = "0".repeat(40);
  const full = { ...MANIFEST, squashfsBytes, payloadBytes: payloadBytesOf(squashfsBytes), chunks, commit };
  const bytes = emitManifest(full);
  assert.ok(bytes.length + SIGNATURE_BYTES < MAX_MANIFEST_BYTES / 2, `${bytes.length}`);
  assert.deepEqual(parseManifest(bytes), full);
});

test("bundle and trailer give back manifest and signature", () => {
  const bytes = emitManifest(MANIFEST);
  const signature = Buffer.alloc(SIGNATURE_BYTES, 7);
  const head = emitBundleHead(bytes, signature);
  assert.equal(parseBundleHeader(head.subarray(0, HEADER_BYTES)), bytes.length);
  assert.equal(head.length, HEADER_BYTES + bytes.length + SIGNATURE_BYTES);
  const trailer = emitTrailer(bytes, signature);
  assert.equal(trailer.length, TRAILER_BYTES);
  assert.deepEqual(parseTrailer(trailer), { bytes, signature, manifest: MANIFEST });
  for (const at of [0, bytes.length, TRAILER_BYTES - 16, TRAILER_BYTES - 1]) {
    const broken = Buffer.from(trailer);
    broken[at] = (broken[at] ?? 0) ^ 1;
    assert.equal(parseTrailer(broken), undefined, `byte ${at}`);
  }
});

test("the anchor gives back its keys, read as RFC 8410 §4 has them, and the one that signed is found", () => {
  const pairs = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")] as const;
  const keys = pairs.map(({ publicKey }, index) => {
    const raw = rawPublicKey(publicKey);
    assert.ok(raw);
    return { kind: index === 0 ? ("release" as const) : ("development" as const), publicKey: raw };
  });
  const anchor = emitAnchor(keys);
  assert.equal(anchor.length, ANCHOR_BYTES);
  assert.deepEqual(parseAnchor(anchor), keys);
  const message = emitManifest(MANIFEST);
  const signature = sign(null, message, pairs[1].privateKey);
  assert.equal(signerOf(message, signature, keys)?.kind, "development");
  assert.equal(signerOf(message, signature, keys.slice(0, 1)), undefined);
  assert.equal(signerOf(Buffer.from(`${message} `), signature, keys), undefined);
  assert.equal(signerOf(message, Buffer.alloc(SIGNATURE_BYTES), keys), undefined);
  assert.deepEqual(rawPublicKey(pairs[0].privateKey), keys[0]?.publicKey);
  assert.equal(rawPublicKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey), undefined);
});

test("no bytes break a reader", () => {
  fc.assert(
    fc.property(octets(TRAILER_BYTES), (bytes) => {
      parseManifest(bytes);
      parseBundleHeader(bytes);
      parseTrailer(bytes);
      parseAnchor(bytes);
      squashfsLength(bytes);
    }),
  );
  fc.assert(fc.property(fc.json(), (text) => assert.equal(parseManifest(Buffer.from(text)), undefined)));
});

test("the payload is the squashfs in whole pages and the anchor behind it", () => {
  assert.equal(anchorOffset(4096), 4096);
  assert.equal(anchorOffset(4097), 8192);
  assert.equal(payloadBytesOf(4097), 8192 + ANCHOR_BYTES);
  const superblock = Buffer.alloc(96);
  superblock.write("hsqs");
  superblock.writeBigUInt64LE(123_456n, 40);
  assert.equal(squashfsLength(superblock), 123_456);
  assert.equal(squashfsLength(Buffer.alloc(96)), undefined);
});

test("the schema that bundles name is the configuration's", () => {
  assert.equal(CONFIG_SCHEMA.max, SCHEMA_VERSION);
});
