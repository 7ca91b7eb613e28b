/** The in-memory file system, and the cpio, tar and squashfs made of it, judged by cpio(1), tar(1) and unsquashfs(1). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { emitCpio } from "../../image/cpio.ts";
import { runTool, type ToolOptions } from "../../image/host-tool.ts";
import { packInitramfs, packSquashfs } from "../../image/pack.ts";
import { emitTar } from "../../image/tar.ts";
import { mergedPath, Tree } from "../../image/tree.ts";

const EPOCH = Date.parse("2026-03-01T12:00:00Z") / 1000;
const folder = mkdtempSync(join(tmpdir(), "culvert-tree-"));
after(() => rmSync(folder, { recursive: true }));

/** One entry of each kind, and a path that is too long for a tar name without a prefix. */
const DEEP = `/usr/lib/${"d".repeat(60)}/${"e".repeat(60)}/deep`;
function sample(): Tree {
  const tree = new Tree();
  tree.addMergedLinks();
  tree.folder("/tmp", 0o1777);
  tree.characterDevice("/dev/console", 0o600, 5, 1);
  tree.file("/usr/bin/tool", "#!/bin/sh\n", 0o755);
  tree.file("/etc/odd", "12345");
  tree.file("/etc/empty", "");
  tree.file(DEEP, Buffer.alloc(3000, "x"));
  return tree;
}

function listing(lines: string): string[] {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/\s+/g, " "));
}

describe("tree", () => {
  test("a path from two sources is refused", () => {
    const tree = sample();
    assert.throws(() => tree.file("/etc/odd", "other"), /\/etc\/odd would come from two sources/);
  });

  for (const path of ["etc/x", "/etc//x", "/etc/../x", "/etc/./x", "/", "/etc/"]) {
    test(`"${path}" is refused as a path`, () => {
      assert.throws(() => new Tree().file(path, ""), /not a normalised absolute path/);
    });
  }

  test("a file cannot hold files", () => {
    const tree = new Tree();
    tree.file("/etc", "");
    tree.file("/etc/x", "");
    assert.throws(() => tree.entries(), /\/etc is no folder, but \/etc\/x lies in it/);
  });

  test("folders come before what is in them, whatever order things were added in", () => {
    const paths = sample()
      .entries()
      .map((entry) => entry.path);
    assert.ok(paths.indexOf("/usr/bin") < paths.indexOf("/usr/bin/tool"));
    assert.deepEqual(paths, [...paths].sort());
  });

  test("paths are spelled with /usr", () => {
    assert.deepEqual(["/lib64/ld.so", "/sbin", "/library", "/usr/lib/x"].map(mergedPath), [
      "/usr/lib64/ld.so",
      "/usr/sbin",
      "/library",
      "/usr/lib/x",
    ]);
  });
});

describe("cpio", () => {
  const archive = emitCpio(sample(), EPOCH);

  test("cpio lists every entry with kind, mode, owner, size and date", () => {
    const options = { input: archive, env: { ...process.env, TZ: "UTC", LC_ALL: "C" } };
    const lines = listing(execFileSync("cpio", ["-itv", "--quiet", "--numeric-uid-gid"], options).toString());
    const line = (path: string): string =>
      lines.find((each) => each.split(" -> ")[0]?.endsWith(` ${path}`)) ?? "absent";
    assert.match(line("dev/console"), /^crw------- 1 0 0 5, 1 /);
    assert.match(line("usr/bin/tool"), /^-rwxr-xr-x 1 0 0 10 .* usr\/bin\/tool$/);
    assert.match(line("tmp"), /^drwxrwxrwt /);
    assert.match(line("bin"), /^lrwxrwxrwx .* bin -> usr\/bin$/);
    assert.match(line(DEEP.slice(1)), / 3000 /);
    assert.equal(lines.length, sample().entries().length + 1);
  });

  test("cpio unpacks the very bytes", () => {
    const read = (path: string): string =>
      execFileSync("cpio", ["-i", "--quiet", "--to-stdout", path], { input: archive }).toString();
    assert.equal(read("etc/odd"), "12345");
    assert.equal(read(DEEP.slice(1)), "x".repeat(3000));
  });
});

describe("tar", () => {
  test("tar lists every entry, the long path too", () => {
    const archive = Buffer.concat([...emitTar(sample(), EPOCH)]);
    const lines = listing(
      execFileSync("tar", ["-tv", "--numeric-owner"], {
        input: archive,
        env: { ...process.env, TZ: "UTC" },
      }).toString(),
    );
    assert.ok(lines.some((line) => line.endsWith(` ${DEEP.slice(1)}`)));
    assert.ok(lines.some((line) => /^crw------- 0\/0 5,1 .* dev\/console$/.test(line)));
    assert.ok(
      lines.some((line) => /^drwxrwxrwt 0\/0 0 2026-03-01 12:00 tmp\/?$/.test(line)),
      lines.join("\n"),
    );
    assert.equal(lines.length, sample().entries().length);
  });

  test("a name that tar has no room for is refused", () => {
    const tree = new Tree();
    tree.file(`/${"n".repeat(101)}`, "");
    assert.throws(() => [...emitTar(tree, EPOCH)], /does not fit the 100 bytes/);
  });
});

describe("squashfs", () => {
  const HOST_TOOLS = {
    run: (_program: string, args: readonly string[], options: ToolOptions = {}) => runTool("mksquashfs", args, options),
  };
  const compression = { name: "zstd", blockSize: "128K", options: ["-Xcompression-level", "6"] } as const;

  test("unsquashfs lists every entry; the same tree gives the same bytes under another umask and time zone", async () => {
    const digests: string[] = [];
    for (const [name, umask, zone] of [
      ["a", 0o022, "UTC"],
      ["b", 0o077, "Asia/Tokyo"],
    ] as const) {
      const before = { umask: process.umask(umask), zone: process.env["TZ"] };
      process.env["TZ"] = zone;
      await packSquashfs(sample(), EPOCH, compression, HOST_TOOLS, join(folder, name));
      process.umask(before.umask);
      if (before.zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = before.zone;
      digests.push(
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex"),
      );
    }
    assert.equal(digests[0], digests[1]);

    const env = { ...process.env, TZ: "UTC" };
    const lines = listing(execFileSync("unsquashfs", ["-lln", join(folder, "a")], { env }).toString());
    const line = (path: string): string =>
      lines.find((each) => each.split(" -> ")[0]?.endsWith(` squashfs-root${path}`)) ?? "absent";
    assert.match(line(""), /^drwxr-xr-x 0\/0 .* 2026-03-01 /);
    assert.match(line("/dev/console"), /^crw------- 0\/0 5, ?1 2026-03-01 /);
    assert.match(line("/usr/bin/tool"), /^-rwxr-xr-x 0\/0 10 2026-03-01 /);
    assert.match(line(DEEP), /^-rw-r--r-- 0\/0 3000 /);
    assert.match(line("/lib"), /^lrwxrwxrwx .* -> usr\/lib$/);
  });

  test("an initramfs is the same twice", () => {
    assert.deepEqual(packInitramfs(sample(), EPOCH), packInitramfs(sample(), EPOCH));
  });
});
