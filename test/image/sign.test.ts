import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  anchorOffset,
  HEADER_BYTES,
  hashOf,
  parseAnchor,
  parseBundleHeader,
  parseManifest,
  parseTrailer,
  SIGNATURE_BYTES,
  signerOf,
} from "../../appliance/update/image-format.ts";
import {
  DEVELOPMENT_WARNING,
  developmentKey,
  keyFromCommand,
  keyFromFile,
  ROLLBACK_INDEX,
  signSlot,
  writeBundle,
} from "../../image/sign.ts";
import { fakeSquashfs } from "../support/squashfs.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-sign-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const FACTS = { board: "x86_64", version: "0.1.0", rollbackIndex: ROLLBACK_INDEX, commit: "abc", key: "0f" };
const SQUASHFS = fakeSquashfs(1, 2_500_001);

test("a development key is made once, for its owner alone", async () => {
  const file = join(folder, "keys", "development.pem");
  const first = await developmentKey(file);
  assert.equal(first.trusted.kind, "development");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual((await developmentKey(file)).trusted, first.trusted);
  assert.match(DEVELOPMENT_WARNING, /^SIGNED WITH A DEVELOPMENT KEY/);
});

test("a signed slot is what a device takes apart again", async () => {
  const key = await developmentKey(join(folder, "a.pem"));
  const slot = await signSlot(SQUASHFS, FACTS, key);
  const bundle = join(folder, "x.bundle");
  await writeBundle(slot, bundle);
  const bytes = readFileSync(bundle);
  const length = parseBundleHeader(bytes) ?? 0;
  const manifestBytes = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
  const signature = bytes.subarray(HEADER_BYTES + length, HEADER_BYTES + length + SIGNATURE_BYTES);
  const payload = bytes.subarray(HEADER_BYTES + length + SIGNATURE_BYTES);
  const manifest = parseManifest(manifestBytes);
  assert.ok(manifest);
  assert.deepEqual([manifest.board, manifest.version, manifest.rollbackIndex], ["x86_64", "0.1.0", ROLLBACK_INDEX]);
  assert.equal(payload.length, manifest.payloadBytes);
  assert.ok(payload.subarray(0, SQUASHFS.length).equals(SQUASHFS));
  const anchor = parseAnchor(payload.subarray(anchorOffset(manifest.squashfsBytes)));
  assert.ok(anchor);
  assert.equal(signerOf(manifestBytes, signature, anchor)?.kind, "development");
  assert.deepEqual(parseTrailer(slot.trailer)?.manifest, manifest);
  assert.equal(manifest.chunks.length, 3);
  assert.equal(manifest.chunks[2], hashOf(payload.subarray(2 << 20)));
});

test("another key gives another slot and the same hash without signature and keys", async () => {
  const one = await signSlot(SQUASHFS, FACTS, await developmentKey(join(folder, "a.pem")));
  const two = await signSlot(SQUASHFS, FACTS, await developmentKey(join(folder, "b.pem")));
  const again = await signSlot(SQUASHFS, FACTS, await developmentKey(join(folder, "a.pem")));
  assert.notDeepEqual(one.trailer, two.trailer);
  assert.deepEqual([one.trailer, one.payload], [again.trailer, again.payload]);
  assert.equal(one.sha256Unsigned, two.sha256Unsigned);
});

test("openssl's keys sign, as a file and as a command", async () => {
  const [secret, open] = [join(folder, "release.pem"), join(folder, "release.pub")];
  execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", secret]);
  execFileSync("openssl", ["pkey", "-in", secret, "-pubout", "-out", open]);
  const fromFile = await signSlot(SQUASHFS, FACTS, await keyFromFile(secret));
  const command = `cat >'${folder}/m' && openssl pkeyutl -sign -rawin -inkey '${secret}' -in '${folder}/m'`;
  const key = await keyFromCommand(command, open);
  assert.equal(key.trusted.kind, "release");
  assert.deepEqual((await signSlot(SQUASHFS, FACTS, key)).trailer, fromFile.trailer);
});

test("what cannot sign says so in one line", async () => {
  const open = join(folder, "release.pub");
  const rsa = join(folder, "rsa.pem");
  execFileSync("openssl", ["genpkey", "-algorithm", "rsa", "-out", rsa], { stdio: "ignore" });
  writeFileSync(join(folder, "empty"), "");
  await assert.rejects(keyFromFile(join(folder, "none")), /the key .*none cannot be read: ENOENT/);
  await assert.rejects(keyFromFile(join(folder, "empty")), /holds no key in PEM: make one with/);
  await assert.rejects(keyFromFile(rsa), /is a key of kind rsa: updates are signed with ed25519/);
  const signWith = async (command: string) => await signSlot(SQUASHFS, FACTS, await keyFromCommand(command, open));
  await assert.rejects(signWith("cat >/dev/null; echo no token >&2; exit 3"), /ended with status 3: no token/);
  await assert.rejects(signWith("cat >/dev/null; echo hello"), /answered with 6 bytes/);
  await assert.rejects(signWith("cat >/dev/null; head -c 64 /dev/zero"), /is not one by its public key/);
  await assert.rejects(
    signSlot(Buffer.alloc(5000), FACTS, await keyFromFile(join(folder, "release.pem"))),
    /no whole squashfs/,
  );
  assert.ok(existsSync(open));
});
