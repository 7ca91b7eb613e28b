/** A lab of two machines, saved once and restored: each time it is the same, whatever was done to the one before. */
import assert from "node:assert/strict";
import { mkdtempSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../hil/clock.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { defineLab } from "../../hil/lab.ts";
import { LabHost } from "../../hil/lab-host.ts";
import { type Guest, guestNode } from "../../hil/node/guest.ts";
import { temporaryFolder } from "../support/lab-run.ts";

const guest = (address: string) =>
  guestNode<Guest>({
    what: "a guest",
    contents: { name: "lan-host", packages: [], executables: [] },
    setUp: (it) => it.configure(address),
    dress: (it) => it,
  });
const lab = defineLab({
  nodes: { left: guest("10.9.0.1/24"), right: guest("10.9.0.2/24") },
  links: { lan: ["left.eth0", "right.eth0"] },
});

const folder = temporaryFolder();
const clock = systemClock();
const host = new LabHost(lab, { runFolder: folder, clock, journal: new Journal(clock), progress: () => {} });
const saved = mkdtempSync(join(folder, "saved-"));

before(async () => {
  const { node } = await host.boot();
  await node.left.shell.run("echo first >/tmp/word; echo counting >/dev/null");
  await host.save(saved);
  assert.equal(await node.left.shell.run("cat /tmp/word"), "first\n", "it runs on after it was saved");
});
after(() => host.down());

test("restored to be run: what it knew is there, what was done to the last one is not, and the wire works", async () => {
  for (let time = 0; time < 3; time++) {
    const { node, link } = await host.restore(saved, "run");
    assert.equal(await node.left.shell.run("cat /tmp/word; ls /tmp | grep -c dirt || true"), "first\n0\n");
    await node.left.shell.run("ping -c 1 -W 5 10.9.0.2");
    await node.right.shell.run("ping -c 1 -W 5 10.9.0.1");
    await node.left.shell.run("dd if=/dev/urandom of=/tmp/dirt bs=1M count=4 2>/dev/null; echo second >/tmp/word");
    link.lan.cut(); // the next one gets a whole cable
  }
});

test("restored to be extended: it can be saved again, and both snapshots are good", async () => {
  const again = mkdtempSync(join(folder, "again-"));
  const { node } = await host.restore(saved, "extend");
  await node.left.shell.run("echo third >/tmp/word");
  await host.save(again);
  const later = await host.restore(again, "run");
  assert.equal(await later.node.left.shell.run("cat /tmp/word"), "third\n");
  const earlier = await host.restore(saved, "run");
  assert.equal(await earlier.node.left.shell.run("cat /tmp/word"), "first\n");
  await assert.rejects(host.save(again), /restored to be run, not to be saved again/);
});

test("a torn snapshot is refused with QEMU's own words, and a whole one is restored after it", async () => {
  const torn = mkdtempSync(join(folder, "torn-"));
  await host.restore(saved, "extend");
  await host.save(torn);
  truncateSync(join(torn, "right.state"), 1000);
  await assert.rejects(host.restore(torn, "run"), /right: QEMU ended|QEMU failed while restoring/);
  const { node } = await host.restore(saved, "run");
  assert.equal(await node.left.shell.run("cat /tmp/word"), "first\n");
});
