/** The machine out of the texts of /proc and /sys. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { kernelMachine, parseMemory, readWatchdog } from "../../appliance/linux/machine.ts";

test("this machine has an uptime, a boot id and memory", () => {
  const machine = kernelMachine();
  assert.match(machine.bootId, /^[0-9a-f-]{36}$/);
  assert.ok(machine.uptimeMs() > 0);
  const { totalBytes, availableBytes } = machine.memory();
  assert.ok(availableBytes > 0 && availableBytes <= totalBytes);
});

test("memory that is not told counts as none", () => {
  assert.deepEqual(parseMemory("MemTotal:         498752 kB\nMemFree: 1 kB\nMemAvailable:     300000 kB\n"), {
    totalBytes: 510_722_048,
    availableBytes: 307_200_000,
  });
  assert.deepEqual(parseMemory(""), { totalBytes: 0, availableBytes: 0 });
});

test("a watchdog says who it is, how long it waits, and whether it caused the last reset", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "culvert-watchdog-"));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.equal(readWatchdog(join(folder, "none")), undefined);
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), `${text}\n`);
  put("identity", "i6300ESB timer");
  put("timeout", "30");
  assert.deepEqual(readWatchdog(folder), { name: "i6300ESB timer", timeoutS: 30, causedReset: false });
  for (const [status, causedReset] of [
    ["0", false],
    ["32", true],
    ["0x20", true],
    ["16", false],
    ["junk", false],
  ] as const) {
    put("bootstatus", status);
    assert.equal(readWatchdog(folder)?.causedReset, causedReset, status);
  }
});
