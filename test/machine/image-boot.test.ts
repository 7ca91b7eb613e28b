/** The image as a machine meets it: built twice it is the same, and in QEMU it boots, keeps settings and survives a bad app. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { type BuiltImage, buildImage } from "../../image/build.ts";
import { FIXTURE_APP, scratchFolder } from "../image/fixture.ts";
import { bootImage, UP } from "../support/booted-image.ts";

const folder = scratchFolder();

async function build(name: string): Promise<BuiltImage> {
  return await buildImage({
    board: "x86_64",
    locked: false,
    onProgress: () => undefined,
    app: FIXTURE_APP,
    folder: join(folder, name),
  });
}

/** A disk of 32 MiB, zero after `content`. */
function disk(name: string, content = ""): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  truncateSync(file, 32 * 1024 * 1024);
  return file;
}

function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

describe("x86_64 image", () => {
  let image: BuiltImage;
  before(async () => {
    image = await build("first");
  });

  test("built again elsewhere it is the same, bit for bit", async () => {
    const again = await build("second");
    assert.equal(again.fresh, true);
    assert.equal(again.key, image.key);
    assert.equal(digest(again.root), digest(image.root));
    assert.equal(digest(again.initrd), digest(image.initrd));
  });

  test("built again in the same place it is found built", async () => {
    assert.equal((await build("first")).fresh, false);
  });

  test("boots to the app, formats a blank data disk, and says nothing else", async () => {
    const data = disk("data");
    const machine = bootImage(image, data);
    const up = await machine.expect(UP);
    assert.equal(machine.seen.slice(0, up), "fixture app is up, the addon says 42\r\n");
    assert.match(String(await machine.shell("mount")), /\/dev\/vdb on \/data type ext4 \(rw,nosuid,nodev,noatime\)/);
    // Forwarding is the app's, once its firewall stands.
    assert.equal(await machine.shell("cat /proc/sys/net/ipv4/ip_forward; hostname"), "0\nculvert");
    // Modules come when they are asked for, with all that they need.
    const chain = "nft add table inet t; nft add chain inet t c '{ type nat hook prerouting priority 0; }'";
    assert.equal(await machine.shell(`${chain}; modprobe pppoe; lsmod | grep -cE "^(nft_chain_nat|pppoe) "`), "2");
    assert.match(String(await machine.shell("ip addr show lo")), /127\.0\.0\.1\/8/);
    assert.match(
      String(await machine.shell("ls /sys/class/misc /dev/net; cat /etc/os-release")),
      /tun[\s\S]*ID=culvert/,
    );
    // The console is the app's controlling terminal.
    assert.equal(
      await machine.shell("tty </dev/tty && ps -o pid,tty | grep -c ttyS0 >/dev/null; echo done"),
      "/dev/tty\ndone",
    );

    const probes: readonly [string, unknown][] = [
      ['new Date(0).toLocaleString("en", { timeZone: "Europe/Berlin" })', "1/1/1970, 1:00:00 AM"],
      ['"\\ufb01".normalize("NFKC")', "fi"],
      ['[...new Intl.Segmenter("en", { granularity: "word" }).segment("two words")].length', 3],
      ['["z", "ä", "a"].sort((a, b) => a.localeCompare(b)).join("")', "aäz"],
      ['new URL("http://bücher.example/").hostname', "xn--bcher-kva.example"],
      ['new TextDecoder("latin1").decode(new Uint8Array([233]))', "é"],
      ['new TextDecoder("utf-16le").decode(new Uint8Array([65, 0]))', "A"],
      ['new Intl.NumberFormat("en", { style: "unit", unit: "megabyte" }).format(3)', "3 MB"],
      ['new Date(0).toLocaleDateString("de")', "1/1/1970"],
    ];
    for (const [expression, expected] of probes) assert.equal(await machine.evaluate(expression), expected, expression);

    await machine.shell("echo kept >/data/setting");
    machine.type('require("child_process").execSync("poweroff")');
    await machine.stopped();

    const later = bootImage(image, data);
    await later.expect(UP);
    assert.equal(await later.shell("cat /data/setting"), "kept");
    later.kill();
  });

  test("a data disk with something on it is left alone, and the loss is told in one line", async () => {
    const data = disk("foreign", "someone else's data");
    const before = digest(data);
    const machine = bootImage(image, data);
    const up = await machine.expect(UP);
    assert.match(
      machine.seen.slice(0, up),
      /culvert: the data disk holds no file system of ours: settings are NOT kept over a restart\r\n/,
    );
    assert.match(String(await machine.shell("mount")), /data on \/data type tmpfs/);
    machine.kill();
    await machine.stopped();
    assert.equal(digest(data), before);
  });

  test("an app that ends again and again gives way to a shell that says why; without a data disk that is told", async () => {
    const machine = bootImage(image, undefined);
    let at = 0;
    for (let time = 1; time <= 5; time++) {
      at = await machine.expect(UP, at);
      machine.type("process.exit(3)");
    }
    await machine.expect(/The Culvert app ended 5 times.* last with status 3\.[\s\S]*failsafe shell[\s\S]*# /, at);
    assert.match(machine.seen, /culvert: there is no data disk: settings are NOT kept/);
    machine.type("echo $((6 * 7)) in the shell");
    at = await machine.expect(/\n42 in the shell/, at);
    machine.type("exit");
    await machine.expect(UP, at);
    machine.kill();
  });
});
