/** One guest in QEMU: it boots, its framed shell is right under real kernel messages, and its death is noticed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../hil/clock.ts";
import { ConsoleError } from "../../hil/console/console.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { defineLab } from "../../hil/lab.ts";
import { LabHost } from "../../hil/lab-host.ts";
import { guestNode } from "../../hil/node/guest.ts";
import { temporaryFolder } from "../support/lab-run.ts";

test("a guest boots, answers rightly while its kernel talks into the answers, and panics in plain words", async () => {
  const lab = defineLab({
    nodes: {
      guest: guestNode({
        what: "a guest",
        contents: { name: "lan-host", packages: [], executables: [] },
        setUp: () => Promise.resolve(),
        dress: (guest) => guest,
      }),
    },
    links: { lan: ["guest.eth0"] },
  });
  const clock = systemClock();
  const journal = new Journal(clock);
  const host = new LabHost(lab, { runFolder: temporaryFolder(), clock, journal, progress: () => {} });
  try {
    const { node } = await host.boot();
    const { shell } = node.guest;
    assert.match(await shell.run("uname -s"), /^Linux$/m);

    // The kernel's own messages land on the same line, in the midst of what the shell prints.
    await shell.run(
      "dmesg -n 8; (while :; do echo '<1>noise noise noise' >/dev/kmsg; usleep 10000; done) >/dev/null 2>&1 & echo $! >/tmp/noise",
    );
    const words = await shell.run("seq 1 2000");
    assert.equal(words, Array.from({ length: 2000 }, (_, index) => `${index + 1}\n`).join(""));
    assert.deepEqual(await shell.try("echo gone wrong; exit 42"), { status: 42, output: "gone wrong\n" });
    await shell.run("kill $(cat /tmp/noise)");

    await assert.rejects(shell.try("echo c >/proc/sysrq-trigger", 60_000), (error: unknown) => {
      assert.ok(error instanceof ConsoleError);
      assert.equal(error.kind, "death");
      assert.match(error.message, /guest: while waiting for .*the machine died: .*sysrq/);
      return true;
    });
  } finally {
    await host.down();
  }
});
