/** The size table adds up to the slot, and a slot over its budget stops the build with words that say what grew. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FileOrigin } from "../../image/paper/origins.ts";
import type { PreparedPackage } from "../../image/prepare.ts";
import { checkBudget, type SizeTable, sizeLines, tabulateSizes } from "../../image/size-table.ts";
import { Tree } from "../../image/tree.ts";

/** Bytes that no compressor makes smaller: a linear congruential generator's high bytes. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = 1; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

function origin(name: string, from: string | undefined): FileOrigin {
  const entry = { package: from ?? "", name: from ?? "" } as PreparedPackage;
  return { name, size: 0, sha1: "", sha256: "", package: from === undefined ? undefined : entry, modified: false };
}

function table(): SizeTable {
  const root = new Tree();
  root.file("/boot/vmlinuz", noise(400_000));
  root.file("/boot/initrd.img", noise(100_000));
  root.file("/usr/lib/modules/6.1/kernel/drivers/net/tun.ko", Buffer.alloc(300_000));
  root.file("/usr/lib/x86_64-linux-gnu/libicudata.so.72", noise(50_000));
  root.file("/usr/bin/node", noise(200_000));
  root.file("/usr/sbin/dnsmasq", noise(10_000));
  root.file("/usr/lib/culvert/culvert.cjs", noise(20_000));
  root.file("/etc/hosts", "127.0.0.1 localhost\n");
  const origins = [
    origin("root/usr/lib/x86_64-linux-gnu/libicudata.so.72", "libicu72"),
    origin("root/usr/bin/node", "nodejs"),
    origin("root/usr/sbin/dnsmasq", "dnsmasq-base"),
    origin("root/boot/vmlinuz", "linux-image-6.1.0-56-amd64"),
    origin("root/usr/lib/modules/6.1/kernel/drivers/net/tun.ko", "linux-image-6.1.0-56-amd64"),
    origin("root/usr/lib/culvert/culvert.cjs", undefined),
    origin("root/etc/hosts", undefined),
  ];
  return tabulateSizes({ root }, origins, 800_000);
}

describe("size table", () => {
  test("every component is named, the packed ones add up to the slot, zeros weigh next to nothing", () => {
    const { components } = table();
    assert.deepEqual(
      components.slice(0, 3).map(({ name }) => name),
      ["kernel", "Node.js", "initramfs"],
    );
    assert.deepEqual(components.map(({ name }) => name).sort(), [
      "ICU",
      "Node.js",
      "app",
      "initramfs",
      "kernel",
      "kernel modules",
      "router programs",
      "scripts and tables",
    ]);
    const sum = components.reduce((total, { packed }) => total + packed, 0);
    assert.ok(Math.abs(sum - 800_000) < 10, String(sum));
    const modules = components.find(({ name }) => name === "kernel modules");
    assert.ok(modules !== undefined && modules.size === 300_000 && modules.packed < 5_000, JSON.stringify(modules));
  });

  test("lines say what changed since the last build", () => {
    const before = table();
    assert.doesNotMatch(sizeLines(before, undefined).join("\n"), /\+/);
    const grown = {
      slot: 900_000,
      components: before.components.map((each) => (each.name === "app" ? { ...each, size: 70_000 } : each)),
    };
    const lines = sizeLines(grown, before);
    assert.ok(
      lines.some((line) => /^ +~\d+ kB +70 kB {2}app \(\+50 kB unpacked\)$/.test(line)),
      lines.join("\n"),
    );
    assert.match(lines.at(-1) ?? "", /900 kB +the slot \(\+100 kB\)$/);
    assert.equal(lines.filter((line) => line.includes("+")).length, 2);
  });

  test("within its budget a build goes on; over it, it stops and names what grew or what is largest", () => {
    checkBudget({ ...table(), slot: 36e6 }, "amd64", undefined);
    const big = { ...table(), slot: 36_500_000 };
    assert.throws(
      () => checkBudget(big, "amd64", undefined),
      /^ImageError: the slot has 36\.5 MB, 500 kB more than the 36\.0 MB that amd64 may have; the largest: kernel ~\d+ kB, Node\.js/,
    );
    const before = {
      ...big,
      components: big.components.map((each) => (each.name === "Node.js" ? { ...each, size: 1000 } : each)),
    };
    assert.throws(() => checkBudget(big, "amd64", before), /; grown since the last build: Node\.js \+199 kB$/);
    assert.throws(
      () => checkBudget({ ...big, slot: 30_000_001 }, "mipsel", undefined),
      /30\.0 MB that mipsel may have/,
    );
  });
});
