/** Debian's copyright files and licence names: what they mean in SPDX. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseCopyright } from "../../../image/paper/copyright.ts";
import { expressLicences, owesSource, spdxIdentifier } from "../../../image/paper/licence-expression.ts";

describe("copyright file", () => {
  test("prose stays whole and names nothing", () => {
    const text = "This is busybox.\n\nLicense: see below\n";
    assert.deepEqual(parseCopyright(text), { expressions: [], holders: [], texts: new Map(), whole: text });
  });

  test("a paragraph of files gives a licence, one of its own only words; the first words win", () => {
    const read = parseCopyright(
      [
        "Format: http://www.debian.org/doc/packaging-manuals/copyright-format/1.0",
        "",
        "files: *",
        "copyright: 1999 X",
        "license:  ISC ",
        "\tFirst.",
        "",
        "Files: b",
        "License: ISC",
        " Second.",
        "",
        "License: Unused",
        " Words.",
      ].join("\r\n"),
    );
    assert.deepEqual(read.expressions, ["ISC"]);
    assert.deepEqual(
      [...read.texts],
      [
        ["ISC", "First."],
        ["Unused", "Words."],
      ],
    );
  });

  test("never throws on any text", () => {
    const line = fc.oneof(
      fc.constantFrom("Format: copyright-format/1.0", "Files: *", "License:", " .", "", "License: a or"),
      fc.string(),
    );
    fc.assert(fc.property(fc.array(line), (lines) => void parseCopyright(lines.join("\n"))));
  });
});

describe("licence names", () => {
  const NAMES: readonly [string, string | undefined][] = [
    ["GPL-2", "GPL-2.0-only"],
    ["GPL-2.0+", "GPL-2.0-or-later"],
    ["GPL-3+", "GPL-3.0-or-later"],
    ["LGPL-2.1+", "LGPL-2.1-or-later"],
    ["LGPL-2", "LGPL-2.0-only"],
    ["GFDL-1.2+", "GFDL-1.2-or-later"],
    ["Expat", "MIT"],
    ["Apache-2", "Apache-2.0"],
    ["zlib", "Zlib"],
    ["GPL", undefined],
    ["GPL-2+ with Autoconf exception", undefined],
    ["public-domain", undefined],
    ["BSD-3-clause~Google", undefined],
  ];
  for (const [name, expected] of NAMES) test(name, () => assert.equal(spdxIdentifier(name), expected));

  const EXPRESSIONS: readonly [string, string][] = [
    ["GPL-2+ or Expat", "GPL-2.0-or-later OR MIT"],
    ["GPL-2+ or Expat and ISC", "GPL-2.0-or-later OR (MIT AND ISC)"],
    ["GPL-2+ or AFL-2.1, and Expat", "(GPL-2.0-or-later OR AFL-2.1) AND MIT"],
    ["Custom+ text", "LicenseRef-lib-Custom-or-later-text"],
  ];
  for (const [name, expected] of EXPRESSIONS) {
    test(`${name} is ${expected}`, () => assert.equal(expressLicences([name], "lib").expression, expected));
  }

  test("all of a package's licences hold, each once", () => {
    assert.equal(expressLicences(["ISC", "GPL-2 or MIT", "ISC"], "x").expression, "ISC AND (GPL-2.0-only OR MIT)");
  });

  test("the source is owed under the GPL and its kin, by name or in prose", () => {
    for (const expression of ["LGPL-2.1-only", "MIT AND LicenseRef-x-GPL-3-or-later-with-Bison-exception"]) {
      assert.ok(owesSource(expression, ""));
    }
    assert.ok(owesSource("LicenseRef-x-copyright", "under the GNU General\nPublic License"));
    assert.ok(!owesSource("MIT AND Zlib", "a gpled thing"));
  });
});
