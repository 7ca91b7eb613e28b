/** The papers of an image: SBOMs that keep to their specifications, licence texts, source offer; the same bill, the same bytes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { DebCache } from "../../../image/deb-cache.ts";
import { type Bill, makeBill } from "../../../image/paper/bill.ts";
import { emitLicences, emitSources } from "../../../image/paper/notices.ts";
import type { MadeFile } from "../../../image/paper/origins.ts";
import { emitPapers } from "../../../image/paper/papers.ts";
import type { PreparedPackage } from "../../../image/prepare.ts";
import { Tree } from "../../../image/tree.ts";
import { scratchFolder, writeAt } from "../fixture.ts";
import { cycloneDxDocument, spdxDocument } from "./sbom-schema.ts";

const EPOCH = Date.parse("2026-03-01T12:00:00Z") / 1000;
const cache = scratchFolder();
const KEY = createHash("sha256").update("key").digest("hex");

const DEP5 = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tool++

Files: *
Copyright: 2001 Ada
 2002 Bob
License: GPL-2+
 On Debian the text is in /usr/share/common-licenses/GPL-2.

Files: lib/*
Copyright: 2003 Eve
License: BSD-3-clause or public-domain

License: public-domain
 Do with it what you want.
 .
 Really.
`;

/** A package as the cache holds it: files, and control fields. */
function packageOf(name: string, control: string, files: Readonly<Record<string, string>>): PreparedPackage {
  const sha256 = createHash("sha256").update(name).digest("hex");
  const folder = join(cache, "unpacked", sha256);
  for (const [path, text] of Object.entries(files)) writeAt(join(folder, path), text);
  writeAt(join(cache, "control", sha256), control);
  return { name, package: name, version: "1:1.0-1+b2", architecture: "amd64", source: name, size: 1, sha256, folder };
}

const TOOL = packageOf(
  "tool++",
  "Version: 1:1.0-1+b2\nSource: tool (1:1.0-1)\nBuilt-Using: glibc (= 2.36-9), gcc-12 (= 12.2.0)\nMaintainer: Ada <ada@example.org>\n",
  {
    "usr/bin/tool": "tool",
    "usr/share/doc/tool++/copyright": DEP5,
  },
);
const LIBRARY = packageOf("libtool", "Version: 1:1.0-1+b2\n", {
  "lib/libtool.so": "library",
  "usr/share/doc/unused": "",
});
/** A boot loader: no file of it is on the disk, but what was made of its modules is. */
const LOADER = packageOf("loader-bin", "Version: 2.06-13+deb12u2\nSource: grub2\n", {
  "usr/lib/grub/i386-pc/normal.mod": "module",
  "usr/share/doc/loader-bin/copyright": DEP5,
});
const MADE = [
  { name: "bios-boot/core.img", data: Buffer.from("core"), package: LOADER },
  { name: "BOOT/grub/grub.cfg", data: Buffer.from("menu"), package: undefined },
];
const SPARE = packageOf("spare", "Version: 1\n", { "usr/bin/spare": "spare" });
const TEXTS = packageOf("libtool-base", "Version: 1\n", {
  "usr/share/doc/libtool-base/copyright": "Written by Eve, in prose. GNU General Public License applies.",
  "usr/share/common-licenses/GPL-2": "GNU GENERAL PUBLIC LICENSE, Version 2",
});
symlinkSync("libtool-base", join(LIBRARY.folder, "usr/share/doc/libtool"));

const MODULE = join(cache, "node_modules/@scope/module");
writeAt(join(MODULE, "package.json"), '{ "name": "@scope/module", "version": "3.2.1", "license": "ISC" }');
writeAt(join(MODULE, "LICENSE"), "Copyright (c) Mallory\n\nPermission to use");

function trees(): Record<string, Tree> {
  const root = new Tree();
  root.addMergedLinks();
  root.file("/usr/bin/tool", "tool", 0o755);
  root.file("/usr/lib/libtool.so", "less of the library");
  root.file("/usr/lib/culvert/culvert.cjs", "app");
  const initramfs = new Tree();
  initramfs.file("/usr/bin/tool", "tool", 0o755);
  return { root, initramfs };
}

async function bill(
  packages: readonly PreparedPackage[] = [TOOL, LIBRARY, SPARE],
  made: readonly MadeFile[] = [],
): Promise<Bill> {
  const facts = { board: "x86_64", version: "0.1.0", commit: "abc", key: KEY, epoch: EPOCH };
  const paperPackages = [TEXTS];
  return await makeBill({
    ...facts,
    packages,
    paperPackages,
    cache: new DebCache(cache),
    trees: trees(),
    made,
    modules: [MODULE],
  });
}

describe("bill of materials", () => {
  let made: Bill;
  before(async () => {
    made = await bill();
  });

  test("files are found by path in the packages, changed ones by their bytes, the rest is ours", () => {
    const [library, tool] = made.packages;
    assert.deepEqual(
      made.packages.map(({ entry }) => entry.package),
      ["libtool", "tool++"],
    );
    assert.deepEqual(
      tool?.files.map(({ name, modified }) => [name, modified]),
      [
        ["initramfs/usr/bin/tool", false],
        ["root/usr/bin/tool", false],
      ],
    );
    assert.deepEqual(
      library?.files.map(({ name, modified }) => [name, modified]),
      [["root/usr/lib/libtool.so", true]],
    );
    assert.deepEqual(
      made.own.map(({ name }) => name),
      ["root/usr/lib/culvert/culvert.cjs"],
    );
  });

  test("licence and source of a package come from its own papers, through links too", () => {
    const [library, tool] = made.packages;
    assert.equal(tool?.licence, "GPL-2.0-or-later AND (BSD-3-Clause OR LicenseRef-tool-public-domain)");
    assert.equal(tool.references.get("LicenseRef-tool-public-domain"), "Do with it what you want.\n\nReally.");
    assert.deepEqual(tool.holders, ["2001 Ada", "2002 Bob", "2003 Eve"]);
    assert.deepEqual(tool.source, { name: "tool", version: "1:1.0-1" });
    assert.deepEqual(
      tool.builtUsing.map(({ name, version }) => `${name} ${version}`),
      ["glibc 2.36-9", "gcc-12 12.2.0"],
    );
    assert.equal(library?.licence, "LicenseRef-libtool-copyright");
    assert.deepEqual(library.source, { name: "libtool", version: "1:1.0-1" });
  });

  test("a package without a copyright file stops the build, and the words say which", async () => {
    const bare = packageOf("bare", "Version: 1\n", { "usr/lib/libtool.so": "library" });
    await assert.rejects(bill([bare]), /no package of this build has the copyright file of bare: add/);
  });

  test("a package whose .deb is gone is named with what to do", async () => {
    const lost = { ...TOOL, sha256: "0".repeat(64) };
    await assert.rejects(bill([lost]), new RegExp(`${lost.sha256}\\.deb is missing: delete .* and build again`));
  });
});

describe("boot loader", () => {
  let made: Bill;
  before(async () => {
    made = await bill([TOOL, LIBRARY, LOADER], MADE);
  });

  test("its package is billed for what was made of it, and its configuration is ours", () => {
    const loader = made.packages.find(({ entry }) => entry === LOADER);
    assert.deepEqual(
      loader?.files.map(({ name, size, modified }) => [name, size, modified]),
      [["bios-boot/core.img", 4, true]],
    );
    assert.ok(made.own.some(({ name }) => name === "BOOT/grub/grub.cfg"));
  });

  test("every paper has it: SPDX, CycloneDX, licences, and its source is owed", () => {
    const papers = emitPapers(made);
    const spdx = spdxDocument.parse(JSON.parse(papers["sbom.spdx.json"] ?? ""));
    const core = spdx.files.find(({ fileName }) => fileName === "./bios-boot/core.img");
    const from = spdx.packages.find(({ name }) => name === "loader-bin");
    assert.ok(
      spdx.relationships.some(
        ({ spdxElementId, relationshipType, relatedSpdxElement }) =>
          spdxElementId === core?.SPDXID &&
          relationshipType === "GENERATED_FROM" &&
          relatedSpdxElement === from?.SPDXID,
      ),
    );
    const { components } = cycloneDxDocument.parse(JSON.parse(papers["sbom.cdx.json"] ?? ""));
    assert.ok(components.some(({ name }) => name === "loader-bin"));
    assert.match(papers["licences.txt"] ?? "", /loader-bin 1:1\.0-1\+b2/);
    assert.match(papers["sources.txt"] ?? "", /^\* grub2 2\.06-13\+deb12u2\n {4}for loader-bin$/m);
  });
});

describe("papers", () => {
  test("SPDX 2.3: every rule of the document holds, and it names each file's package", async () => {
    const document = spdxDocument.parse(JSON.parse(emitPapers(await bill())["sbom.spdx.json"] ?? ""));
    const file = (name: string) => document.files.find((each) => each.fileName === `./${name}`)?.SPDXID;
    const related = (id: string | undefined, type: string) =>
      document.relationships.find((each) => each.spdxElementId === id && each.relationshipType === type)
        ?.relatedSpdxElement;
    assert.equal(related(file("root/usr/bin/tool"), "EXPANDED_FROM_ARCHIVE"), "SPDXRef-Package-tool-2b--2b-");
    assert.equal(related(file("root/usr/lib/libtool.so"), "GENERATED_FROM"), "SPDXRef-Package-libtool");
    assert.equal(related(file("root/usr/lib/culvert/culvert.cjs"), "GENERATED_FROM"), "SPDXRef-Package-culvert");
    // §7.9 by hand.
    const sums = document.files.map((each) => each.checksums[0]?.checksumValue ?? "").sort();
    const code = createHash("sha1").update(sums.join("")).digest("hex");
    assert.equal(document.packages[0]?.packageVerificationCode?.packageVerificationCodeValue, code);
  });

  test("CycloneDX 1.6: every rule of the document holds, purls are encoded", async () => {
    const document = cycloneDxDocument.parse(JSON.parse(emitPapers(await bill())["sbom.cdx.json"] ?? ""));
    assert.deepEqual(
      document.components.map((each) => each.purl),
      [
        undefined,
        "pkg:deb/debian/libtool@1:1.0-1%2Bb2?arch=amd64",
        "pkg:deb/debian/tool%2B%2B@1:1.0-1%2Bb2?arch=amd64",
        "pkg:npm/%40scope/module@3.2.1",
      ],
    );
  });

  test("the same bill gives the same bytes, another key another serial number", async () => {
    assert.deepEqual(emitPapers(await bill()), emitPapers(await bill()));
    const other = emitPapers({ ...(await bill()), key: createHash("sha256").update("other").digest("hex") });
    assert.notEqual(other["sbom.cdx.json"], emitPapers(await bill())["sbom.cdx.json"]);
  });

  test("licences.txt has every text once, and the common ones that those point at", async () => {
    const twin = packageOf("twin", "Version: 1\n", { "usr/lib/libtool.so": "l", "usr/share/doc/twin/copyright": DEP5 });
    const text = emitLicences(await bill([TOOL, twin]));
    assert.equal(text.split("Do with it what you want.").length, 2);
    assert.match(text, /tool\+\+ 1:1\.0-1\+b2\ntwin 1:1\.0-1\+b2\n=/);
    assert.match(text, /common-licenses\/GPL-2, where[\s\S]*GNU GENERAL PUBLIC LICENSE, Version 2/);
    assert.match(text, /Culvert 0\.1\.0 \(MIT\)[\s\S]*Permission is hereby granted/);
    assert.match(text, /@scope\/module 3\.2\.1 \(ISC\)[\s\S]*Mallory/);
  });

  test("sources.txt names each source package and version, what is compiled in too, and marks those owed", async () => {
    const text = emitSources(await bill());
    assert.match(
      text,
      /^\* tool 1:1\.0-1\n {4}for tool\+\+\n {4}https:\/\/snapshot\.debian\.org\/package\/tool\/1:1\.0-1\/$/m,
    );
    assert.match(text, /^\* glibc 2\.36-9\n {4}for tool\+\+ \(compiled in\)$/m);
    // Prose that speaks of the GPL.
    assert.match(text, /^\* libtool 1:1\.0-1\n {4}for libtool$/m);
    assert.doesNotMatch(text, /spare/);
  });
});
