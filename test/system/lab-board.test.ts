/** Suite `board` on what a real board is reached by: a serial port, a Shelly switch and a network card. */
import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";
import { startPtyBoard } from "../support/pty-board.ts";

test("suite board on a serial port, a Shelly switch and a network card", { timeout: 180_000 }, async () => {
  const folder = temporaryFolder();
  const disk = join(folder, "disk");
  writeFileSync(disk, "");
  truncateSync(disk, 256 * 1024 * 1024);
  const { shelly, bench: parts } = await startPtyBoard(folder, disk, after);
  const bench = join(folder, "bench.yaml");
  writeFileSync(
    bench,
    `name: pty-${process.pid}
fixtures: [uboot]
${parts}flash: { ymodem: true }
ladder:
  bootloader: { uboot: { prompt: "=> ", interrupt: space } }
  shell: { prompt: "# ", activate: "Please press Enter to activate this console." }
`,
  );
  const report = join(folder, "report");
  const run = startCulvert(["lab", "run", "--suite", "board", "--bench", `dut=${bench}`, "--report", report]);
  const { code } = await run.ended;
  assert.equal(code, 0, run.output());
  for (const name of ["uboot", "flash-tftp", "boot", "power-cut", "flash-ymodem"]) {
    assert.match(run.output(), new RegExp(`pass +${name} `), name);
  }
  assert.deepEqual(shelly.told.slice(0, 2), ["off", "on"]);
  assert.ok(shelly.told.length >= 6, `the switch was told ${shelly.told.join(", ")}`);
  const journal = readFileSync(join(report, "journal.ndjson"), "utf8");
  assert.match(journal, /"kind":"power","node":"dut","to":"off","by":"Shelly at 127\.0\.0\.1/);
  assert.match(journal, /"kind":"state","node":"dut","from":"started","to":"bootloader"/);
  assert.match(journal, /slot initrd is torn: it has no record; it gets its golden image/);
});

test("the same suite on QEMU's machine as a node of the lab", { timeout: 180_000 }, async () => {
  const report = join(temporaryFolder(), "report");
  const run = startCulvert(["lab", "run", "--suite", "board", "--filter", "boot,power-cut", "--report", report]);
  const { code } = await run.ended;
  assert.equal(code, 0, run.output());
  for (const name of ["uboot", "flash-tftp", "boot", "power-cut"]) {
    assert.match(run.output(), new RegExp(`pass +${name} `), name);
  }
  assert.match(readFileSync(join(report, "journal.ndjson"), "utf8"), /"by":"QEMU"/);
});
