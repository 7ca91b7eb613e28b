/** Files of made-up packages: links, merged /usr, patterns, and the libraries that programs made by gcc need. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { parseElf } from "../../image/elf.ts";
import { elfClosure } from "../../image/elf-closure.ts";
import { PackageFiles } from "../../image/package-files.ts";
import { gcc, scratchFolder, writeAt } from "./fixture.ts";

function linkAt(file: string, target: string): void {
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(target, file);
}

describe("package files", () => {
  const one = scratchFolder();
  const two = scratchFolder();
  writeAt(join(one, "lib/data/real.txt"), "one");
  linkAt(join(two, "usr/share/by-folder"), "/lib/data");
  linkAt(join(two, "usr/share/to"), "by-folder/real.txt");
  linkAt(join(two, "etc/loop"), "loop");
  linkAt(join(two, "etc/nowhere"), "missing");
  writeAt(join(two, "usr/lib/pppd/2.4.9/pptp.so"), "");
  writeAt(join(two, "usr/lib/pppd/2.4.9/other.txt"), "");
  const files = new PackageFiles([one, two]);

  test("a path is found through links across packages, and every link is told", () => {
    const resolved = files.resolve("/usr/share/to");
    assert.equal(resolved?.path, "/usr/lib/data/real.txt");
    assert.deepEqual(
      resolved.links.map((link) => link.path),
      ["/usr/share/to", "/usr/share/by-folder"],
    );
  });

  test("/lib and /usr/lib are one folder", () => {
    assert.equal(files.resolve("/lib/data/real.txt")?.path, "/usr/lib/data/real.txt");
    assert.equal(files.resolve("/usr/lib/data/real.txt")?.path, "/usr/lib/data/real.txt");
  });

  test("a link to nothing leads nowhere, a ring of links is called one", () => {
    assert.equal(files.resolve("/etc/nowhere"), undefined);
    assert.throws(() => files.resolve("/etc/loop"), /\/etc\/loop is a loop of symbolic links/);
  });

  test("* stands for any part of one name", () => {
    assert.deepEqual(files.expand("/usr/lib/pppd/*/*.so"), ["/usr/lib/pppd/2.4.9/pptp.so"]);
    assert.deepEqual(files.expand("/usr/lib/pppd/*/pptp-so"), []);
  });
});

describe("ELF closure", () => {
  const folder = scratchFolder();
  const libraries = join(folder, "usr/lib/made-up");
  const inner = join(libraries, "libinner.so.1.0");
  const outer = join(libraries, "libouter.so");
  const program = join(folder, "usr/bin/program");
  const library = (name: string): string[] => ["-shared", "-fPIC", "-nostdlib", `-Wl,-soname,${name}`];
  gcc("int inner(void) { return 1; }", "c", inner, ...library("libinner.so.1"));
  linkAt(join(libraries, "libinner.so.1"), "libinner.so.1.0");
  gcc("int inner(void); int outer(void) { return inner(); }", "c", outer, ...library("libouter.so"), inner);
  const linking = [
    "-nostdlib",
    "-nostartfiles",
    "-Wl,-dynamic-linker,/lib/made-up/loader",
    `-Wl,-rpath-link,${libraries}`,
  ];
  gcc("int outer(void); void _start(void) { outer(); }", "c", program, ...linking, outer);
  writeAt(join(folder, "lib/made-up/loader"), "the loader");
  const machine = {
    elfMachine: parseElf(readFileSync(program), "program").machine,
    libraryFolders: ["/usr/lib/empty", "/usr/lib/made-up"],
  };

  test("a program brings its interpreter, its libraries and theirs, with the links between", () => {
    const entries = elfClosure(new PackageFiles([folder]), ["/usr/bin/program"], machine);
    assert.deepEqual(entries.map((entry) => entry.path).sort(), [
      "/usr/bin/program",
      "/usr/lib/made-up/libinner.so.1",
      "/usr/lib/made-up/libinner.so.1.0",
      "/usr/lib/made-up/libouter.so",
      "/usr/lib/made-up/loader",
    ]);
    assert.equal(entries.find((entry) => entry.path === "/usr/bin/program")?.mode, 0o755);
  });

  test("a missing library is named with the file that needs it", () => {
    const alone = scratchFolder();
    writeAt(join(alone, "usr/bin/program"), readFileSync(program));
    writeAt(join(alone, "lib/made-up/loader"), "");
    const closure = (): unknown => elfClosure(new PackageFiles([alone]), ["/usr/bin/program"], machine);
    assert.throws(closure, /has the library libouter\.so \(\/usr\/bin\/program needs it\)/);
  });

  test("a program that no package has is named", () => {
    assert.throws(() => elfClosure(new PackageFiles([folder]), ["/usr/bin/absent"], machine), /has \/usr\/bin\/absent/);
  });

  test("a file for another machine is refused", () => {
    const foreign = { ...machine, elfMachine: 8 };
    assert.throws(
      () => elfClosure(new PackageFiles([folder]), ["/usr/bin/program"], foreign),
      /is for ELF machine \d+, not 8/,
    );
  });
});
