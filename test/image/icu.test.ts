/** The ICU filter, on a small archive inside a library made by the real linker. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseElf } from "../../image/elf.ts";
import { emitIcuArchive, filterIcuLibrary, type IcuItem, parseIcuArchive } from "../../image/icu.ts";
import { gcc, scratchFolder, writeAt } from "./fixture.ts";

/** One name per pattern that the filter wants to see. */
const KEPT = [
  "root.res",
  "plurals.res",
  "curr/en.res",
  "coll/root.res",
  "coll/ucadata.icu",
  "brkitr/root.res",
  "brkitr/word.brk",
  "cnvalias.icu",
  "nfkc.nrm",
  "ibm-5348_P100-1997.cnv",
];
const DROPPED = ["de.res", "curr/de.res", "coll/ja.res", "ibm-943_P15A-2003.cnv", "zz-last.res"];

function header(): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt16LE(32, 0);
  bytes.set([0xda, 0x27], 2);
  bytes.write("CmnD", 12, "latin1");
  return bytes;
}

function items(names: readonly string[]): IcuItem[] {
  return names.map((name, at) => ({ name: `icudt72l/${name}`, data: Buffer.alloc(100 + at, name) }));
}

/** An archive in a shared library's .rodata, behind other data as in the real one. */
function library(names: readonly string[]): Buffer {
  const folder = scratchFolder();
  writeAt(join(folder, "icu.dat"), emitIcuArchive({ header: header(), items: items(names) }));
  const source = `.section .rodata\n.ascii "before"\n.balign 16\n.globl icudt72_dat\nicudt72_dat: .incbin "${folder}/icu.dat"\n.section .note.GNU-stack,"",%progbits\n`;
  gcc(source, "S", join(folder, "libicudata.so.72"), "-shared", "-nostdlib");
  return readFileSync(join(folder, "libicudata.so.72"));
}

/** The archive as ICU finds it: at its symbol, to the end of the section. */
function archiveOf(bytes: Buffer): ReturnType<typeof parseIcuArchive> {
  const section = parseElf(bytes, "library").sections.get(".rodata");
  assert.ok(section);
  return parseIcuArchive(bytes.subarray(bytes.indexOf("CmnD") - 12, section.offset + section.size));
}

describe("ICU filter", () => {
  const full = library([...KEPT, ...DROPPED]);
  const filtered = filterIcuLibrary(full);
  const archive = archiveOf(filtered);

  test("keeps what Node needs, byte for byte, and drops the rest", () => {
    const before = new Map(archiveOf(full).items.map((item) => [item.name, item.data]));
    assert.deepEqual(archive.items.map((item) => item.name).sort(), KEPT.map((name) => `icudt72l/${name}`).sort());
    for (const { name, data } of archive.items.slice(0, -1))
      assert.deepEqual(data, before.get(name)?.subarray(0, data.length));
  });

  test("is in the order of ICU's binary search, each item on a multiple of 16 from the header", () => {
    const names = archive.items.map((item) => item.name);
    assert.deepEqual(names, [...names].sort());
    for (const { data } of archive.items) {
      assert.equal((data.byteOffset - archive.header.byteOffset) % 16, 0);
    }
  });

  test("leaves the library's length and layout, with zeros where data was", () => {
    assert.equal(filtered.length, full.length);
    assert.deepEqual(parseElf(filtered, "filtered"), parseElf(full, "full"));
    assert.equal(filtered.includes("de.res"), false);
    assert.ok(filtered.includes("before"));
    const differing = full.filter((byte, at) => byte !== filtered[at]);
    assert.ok(differing.length > 300);
  });

  test("an ICU without one of the kept kinds is not guessed at", () => {
    assert.throws(() => filterIcuLibrary(library(KEPT.slice(1))), /has nothing like .*root\|en/);
  });

  test("a library without an archive is refused", () => {
    assert.throws(() => filterIcuLibrary(readFileSync("/bin/sh")), /no CmnD archive/);
  });

  test("bytes that are no archive are refused", () => {
    assert.throws(() => parseIcuArchive(Buffer.alloc(64)), /not a little-endian ICU archive/);
  });
});
