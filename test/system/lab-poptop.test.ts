/** The lab against two peers that other people wrote: if this fails, do not blame the device. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parsePcapng } from "../../appliance/wire/pcapng.ts";
import { startCulvert, temporaryFolder } from "../support/lab-run.ts";

test("suite poptop passes, and its report, JUnit file and capture are there", async () => {
  const folder = temporaryFolder();
  const run = startCulvert(["lab", "run", "--suite", "poptop", "--report", folder]);
  assert.equal((await run.ended).code, 0, run.output());
  assert.match(run.output(), /^lab: 6 passed in /m);
  assert.match(readFileSync(join(folder, "report.html"), "utf8"), /nothing failed: 6 passed/);
  assert.match(readFileSync(join(folder, "junit.xml"), "utf8"), /tests="6" failures="0"/);
  const capture = parsePcapng(readFileSync(join(folder, "internet.pcapng")));
  assert.ok(capture.ok && capture.value.packets.length > 1000);
  assert.match(readFileSync(join(folder, "mobile.log"), "utf8"), /CHAP authentication succeeded/);
});
