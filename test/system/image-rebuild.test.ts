/** An ordinary user builds the image in another folder, without root, loop devices or namespaces: it is the same, bit for bit. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { differenceLines } from "../../image/compare.ts";
import { buildFlashable } from "../../image/flashable.ts";
import { readManifest } from "../../image/manifest.ts";
import { projectRoot } from "../../image/project.ts";
import { keyFromFile } from "../../image/sign.ts";
import { verifyImage } from "../../image/verify.ts";
import { scratchFolder } from "../image/fixture.ts";
import { cycloneDxDocument, spdxDocument } from "../image/paper/sbom-schema.ts";

const NOBODY = 65_534;
/** Unpacked packages are the larger part of a build, and the same whoever unpacks them: `culvert image verify` does it again. */
const SHARED = ["cache/debs", "cache/unpacked", "cache/control", "cache/modules", "cache/kernels"];

// gzip instead of xz, which takes a minute and is no other code of ours: `culvert image verify` does it with xz.
const image = await buildFlashable({ board: "x86_64", locked: false, quick: true, onProgress: () => undefined });
const folder = dirname(image.manifest);

describe("x86_64 image", () => {
  test("nobody builds it elsewhere, under another umask, time zone and home: the same, bit for bit", async () => {
    assert.equal(process.getuid?.(), 0, "this test gives the build to another user, which root only can");
    accessSync(projectRoot, constants.R_OK | constants.X_OK);
    const { comparison } = await verifyImage({
      board: "x86_64",
      folder,
      quick: true,
      onProgress: () => undefined,
      shared: SHARED,
      user: NOBODY,
    });
    assert.deepEqual(comparison.different, [], differenceLines(comparison).join("\n"));
    assert.ok(comparison.equal.includes("culvert-x86_64.img") && comparison.equal.includes("manifest.json"));
  });

  test("its bills of materials keep to SPDX 2.3 and CycloneDX 1.6", () => {
    const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
    const { packages, files } = spdxDocument.parse(read("sbom.spdx.json"));
    assert.ok(packages.some(({ name }) => name === "libnode108"));
    assert.ok(files.some(({ fileName }) => fileName === "./root/opt/culvert/culvert.cjs"));
    const { components } = cycloneDxDocument.parse(read("sbom.cdx.json"));
    assert.ok(components.some(({ purl }) => purl?.startsWith("pkg:deb/debian/libnode108@18.")));
    for (const name of ["bios-boot/boot.img", "bios-boot/core.img", "BOOT/EFI/BOOT/BOOTX64.EFI", "BOOT/grub/grub.cfg"])
      assert.ok(
        files.some(({ fileName }) => fileName === `./${name}`),
        name,
      );
    for (const name of ["grub-pc-bin", "grub-efi-amd64-bin"]) {
      assert.ok(packages.some((each) => each.name === name));
      assert.ok(components.some((each) => each.name === name));
    }
    assert.match(readFileSync(join(folder, "sources.txt"), "utf8"), /^\* grub2 /m);
  });

  test("its manifest has the disk's sum without signature and keys, which another key does not change", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const keyFile = join(scratchFolder(), "release.pem");
    writeFileSync(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const signed = await buildFlashable({
      ...{ board: "x86_64", locked: false, quick: true, onProgress: () => undefined },
      folder: scratchFolder(),
      signingKey: await keyFromFile(keyFile),
    });
    const [ours, other] = [await readManifest(folder), await readManifest(dirname(signed.manifest))];
    const disk = "culvert-x86_64.img";
    assert.match(ours?.files[disk]?.sha256_unsigned ?? "", /^[0-9a-f]{64}$/);
    assert.equal(other?.files[disk]?.sha256_unsigned, ours?.files[disk]?.sha256_unsigned);
    assert.notEqual(other?.files[disk]?.sha256, ours?.files[disk]?.sha256);
  });
});
