/** The Y-modem sender against lrzsz's receiver, and the tests' own receiver against lrzsz's sender. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { YmodemSender } from "../../hil/flash/ymodem.ts";
import { YmodemReceiver } from "../hil/ymodem-receiver.ts";
import { temporaryFolder } from "../support/lab-run.ts";

test("lrzsz's rb receives what is sent", { timeout: 20_000 }, async () => {
  const into = temporaryFolder();
  const data = Buffer.from(Array.from({ length: 200_123 }, (_, at) => (at * 17 + (at >> 8)) & 0xff));
  const receiver = spawn("rb", ["--quiet", "--binary"], { cwd: into, stdio: ["pipe", "pipe", "pipe"] });
  const sender = new YmodemSender({ name: "image.bin", data }, performance.now());
  receiver.stdout.on("data", (bytes: Buffer) => {
    const answer = sender.handle(bytes, performance.now());
    if (answer.length > 0) receiver.stdin.write(answer);
  });
  const status = await new Promise<number | null>((resolve) => receiver.on("close", resolve));
  assert.equal(status, 0);
  assert.deepEqual(sender.outcome, { kind: "done" });
  assert.ok(readFileSync(join(into, "image.bin")).equals(data));
});

test("the receiver of these tests receives what lrzsz's sb sends", { timeout: 20_000 }, async () => {
  const from = temporaryFolder();
  const data = Buffer.from(Array.from({ length: 50_001 }, (_, at) => (at * 13) & 0xff));
  writeFileSync(join(from, "file.bin"), data);
  const sender = spawn("sb", ["--quiet", "--1k", "--binary", "file.bin"], {
    cwd: from,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const receiver = new YmodemReceiver(0);
  sender.stdout.on("data", (bytes: Buffer) => void sender.stdin.write(receiver.handle(bytes, 0)));
  sender.stdin.write(receiver.tick(0));
  const status = await new Promise<number | null>((resolve) => sender.on("close", resolve));
  assert.equal(status, 0);
  assert.equal(receiver.outcome, "done");
  assert.ok(receiver.files[0]?.data.equals(data));
});
