/** `culvert lab prepare-windows` as a user runs it; the disc is read back by xorriso. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";

test("the disc has answer file, script, drivers and agent; a second run keeps key and password", async () => {
  const folder = temporaryFolder();
  const virtio = join(folder, "virtio-win");
  mkdirSync(join(virtio, "guest-agent"), { recursive: true });
  mkdirSync(join(virtio, "vioserial/w11/amd64"), { recursive: true });
  mkdirSync(join(virtio, "NetKVM"));
  writeFileSync(join(virtio, "guest-agent/qemu-ga-x86_64.msi"), "msi");
  writeFileSync(join(virtio, "vioserial/w11/amd64/vioser.inf"), "inf");
  const output = join(folder, "out");
  const args = ["lab", "prepare-windows", "--output", output, "--virtio", virtio];
  const made = startCulvert(args);
  assert.equal((await made.ended).code, 0, made.output());
  assert.match(made.output(), /culvert-windows\.iso; the guest agent is on the disc/);
  assert.match(made.output(), /culvert lab run --peer windows/);
  const back = join(folder, "back");
  await execa("xorriso", ["-osirrox", "on", "-indev", join(output, "culvert-windows.iso"), "-extract", "/", back]);
  const password = readFileSync(join(output, "password"), "utf8").trim();
  const answers = readFileSync(join(back, "Autounattend.xml"), "utf8");
  assert.ok(answers.includes(`<Value>${password}</Value>`));
  assert.match(answers, /\r\n<unattend xmlns="urn:schemas-microsoft-com:unattend"/);
  const publicKey = readFileSync(join(output, "ssh-key.pub"), "utf8").trim();
  assert.ok(readFileSync(join(back, "culvert/setup.ps1"), "utf8").includes(`Set-Content $keys '${publicKey}'`));
  assert.equal(readFileSync(join(back, "culvert/virtio/guest-agent/qemu-ga-x86_64.msi"), "utf8"), "msi");
  assert.equal(readFileSync(join(back, "culvert/virtio/vioserial/w11/amd64/vioser.inf"), "utf8"), "inf");
  assert.throws(() => statSync(join(back, "culvert/virtio/NetKVM")), "no driver that nothing needs");
  assert.equal(statSync(join(output, "password")).mode & 0o777, 0o600);

  assert.equal((await startCulvert(args).ended).code, 0);
  assert.equal(readFileSync(join(output, "password"), "utf8").trim(), password);
  assert.equal(readFileSync(join(output, "ssh-key.pub"), "utf8").trim(), publicKey);
});
