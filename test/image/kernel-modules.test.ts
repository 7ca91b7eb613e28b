/** Module closure and load order, on made-up kernels and on a module made by gcc. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  type KernelModule,
  type ModuleIndex,
  modprobeTables,
  moduleClosure,
  readModuleIndex,
} from "../../image/kernel-modules.ts";
import { gcc, scratchFolder, writeAt } from "./fixture.ts";

function module(name: string, parts: Partial<KernelModule> = {}): KernelModule {
  return { name, path: `kernel/${name}.ko`, depends: [], wants: [], aliases: [], firmware: [], ...parts };
}

const INDEX: ModuleIndex = {
  release: "6.1.0-test",
  builtin: ["crc32", "slhc"],
  modules: [
    module("ext4", { depends: ["mbcache", "jbd2", "crc32"], wants: ["crc32c"] }),
    module("jbd2", { depends: ["mbcache"] }),
    module("mbcache"),
    module("crc32c_generic", { aliases: ["crc32c", "crypto-crc32c"] }),
    module("crc32c_intel", { aliases: ["crc32c"] }),
    module("tun"),
    module("nft_nat", { depends: ["nf_nat"] }),
    module("nf_nat", { depends: ["nf_conntrack"] }),
    module("nf_conntrack", { depends: ["nf_defrag"] }),
    module("nf_defrag"),
    module("ppp_generic", { depends: ["slhc"] }),
    module("broken", { depends: ["nowhere"] }),
    module("ring_a", { wants: ["ring_b"] }),
    module("ring_b", { wants: ["ring_a"] }),
  ],
};

function order(...wanted: string[]): string[] {
  return moduleClosure(INDEX, wanted).map((each) => each.name);
}

describe("module closure", () => {
  test("everything a module needs comes before it, nothing else comes along", () => {
    assert.deepEqual(order("ext4"), ["crc32c_generic", "crc32c_intel", "mbcache", "jbd2", "ext4"]);
  });

  test("a module wanted twice is there once", () => {
    assert.deepEqual(order("jbd2", "mbcache", "jbd2"), ["mbcache", "jbd2"]);
  });

  test("a built-in module is fine and adds nothing", () => {
    assert.deepEqual(order("slhc", "ppp-generic"), ["ppp_generic"]);
  });

  test("soft dependencies may form a ring", () => {
    assert.deepEqual(order("ring_a").sort(), ["ring_a", "ring_b"]);
  });

  test("all missing modules are named at once", () => {
    assert.throws(() => order("tun", "pptp", "gre"), /kernel 6\.1\.0-test has no module pptp, gre/);
  });

  test("a dependency that the kernel lacks is named", () => {
    assert.throws(() => order("broken"), /module broken depends on nowhere/);
  });

  test("modprobe's tables name paths below the release folder", () => {
    const { dep, alias, softdep } = modprobeTables(moduleClosure(INDEX, ["ext4"]));
    assert.match(dep, /^kernel\/ext4\.ko: kernel\/jbd2\.ko kernel\/mbcache\.ko$/m);
    // modprobe loads from the right to the left, and looks at this one line only.
    const nat = modprobeTables(moduleClosure(INDEX, ["nft_nat"])).dep;
    assert.match(nat, /^kernel\/nft_nat\.ko: kernel\/nf_nat\.ko kernel\/nf_conntrack\.ko kernel\/nf_defrag\.ko$/m);
    assert.match(dep, /^kernel\/mbcache\.ko:$/m);
    assert.match(alias, /^alias crypto-crc32c crc32c_generic$/m);
    assert.equal(softdep, "softdep ext4 pre: crc32c\n");
  });
});

describe("module index", () => {
  const folder = scratchFolder();
  const release = join(folder, "lib/modules/6.1.0-test");
  const info = [
    "depends=libarc4,slhc",
    "softdep=pre: arc4 crypto-sha1 post: later",
    "alias=ppp-compress-18",
    "license=GPL",
  ];
  const fields = info.map(
    (text, at) => `__attribute__((section(".modinfo"), used)) static const char f${at}[] = "${text}";`,
  );
  writeAt(join(release, "modules.builtin"), "kernel/lib/crc-itu.ko\n");
  writeAt(join(release, "kernel/net/readme"), "not a module");
  gcc(fields.join("\n"), "c", join(release, "kernel/net/ppp-mppe.ko"), "-c");

  test("is read from the modules themselves", () => {
    assert.deepEqual(readModuleIndex(folder), {
      release: "6.1.0-test",
      builtin: ["crc_itu"],
      modules: [
        {
          name: "ppp_mppe",
          path: "kernel/net/ppp-mppe.ko",
          depends: ["libarc4", "slhc"],
          wants: ["arc4", "crypto-sha1"],
          aliases: ["ppp-compress-18"],
          firmware: [],
        },
      ],
    });
  });

  test("a file that is no module is named", () => {
    const other = scratchFolder();
    writeAt(join(other, "lib/modules/1/modules.builtin"), "");
    gcc("int x;", "c", join(other, "lib/modules/1/kernel/x.ko"), "-c");
    assert.throws(() => readModuleIndex(other), /kernel\/x\.ko has no \.modinfo section/);
  });
});
