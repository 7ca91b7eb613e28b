/** The ELF reader, judged by readelf's subject: the host's own programs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isElf, parseElf } from "../../image/elf.ts";

const SHELL = readFileSync("/bin/sh");
const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

describe("ELF reader", () => {
  test("reads /bin/sh of this host", () => {
    const elf = parseElf(SHELL, "/bin/sh");
    assert.equal(elf.bits, 64);
    assert.equal(elf.machine, MACHINES[process.arch]);
    assert.match(elf.interpreter ?? "", /^\/lib.*\/ld-linux/);
    assert.ok(elf.needed.includes("libc.so.6"), elf.needed.join(" "));
    const text = elf.sections.get(".interp");
    assert.equal(SHELL.toString("latin1", text?.offset, (text?.offset ?? 0) + (text?.size ?? 1) - 1), elf.interpreter);
  });

  test("finds what Node's own binary needs", () => {
    assert.ok(parseElf(readFileSync(process.execPath), "node").needed.includes("libc.so.6"));
  });

  test("what is not ELF is refused by name", () => {
    assert.equal(isElf(Buffer.from("#!/bin/sh\n")), false);
    assert.throws(() => parseElf(Buffer.from("#!/bin/sh\n"), "script"), /script is not an ELF file/);
  });

  test("a file cut short anywhere is read or called damaged, nothing else", () => {
    fc.assert(
      fc.property(fc.integer({ min: 52, max: SHELL.length }), (length) => {
        try {
          parseElf(SHELL.subarray(0, length), "cut");
        } catch (error) {
          assert.match(String(error), /cut is a damaged ELF file/);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("flipped bytes of the header are read or called damaged, nothing else", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 63 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const bytes = Buffer.from(SHELL);
        bytes[at] = value;
        try {
          parseElf(bytes, "flipped");
        } catch (error) {
          assert.match(String(error), /flipped is a damaged ELF file/);
        }
      }),
      { numRuns: 500 },
    );
  });
});
