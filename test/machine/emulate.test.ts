/** `culvert emulate` as a person meets it: the image on this terminal, configured there, and then reached over SSH. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { projectRoot } from "../../image/project.ts";
import { finish } from "../support/ssh-server.ts";
import { SshTerminal } from "../support/ssh-terminal.ts";

const PASSWORD = "lab-Admin-1";

test("SSH is off, is switched on at the console, and the printed line logs in with a key", {
  timeout: 240_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "culvert-emulate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const key = join(folder, "key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const words = [join(projectRoot, "dist/hil/cli.js"), "emulate"];
  const terminal = new SshTerminal({ program: process.execPath, words, env: process.env }, { columns: 80, lines: 24 });
  t.after(() => terminal.kill());

  const said = await terminal.until("New password: ");
  const [, port = ""] = /ssh -p (\d+) admin@127\.0\.0\.1/.exec(said) ?? assert.fail(said);
  const ssh = async (...command: readonly string[]) => {
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"];
    const set = [...options, "ConnectTimeout=30"].flatMap((each) => ["-o", each]);
    return await finish(spawn("ssh", ["-F", "none", ...set, "-i", key, "-p", port, "admin@127.0.0.1", ...command]));
  };
  terminal.type(`${PASSWORD}\r`);
  await terminal.until("Repeat password: ");
  terminal.type(`${PASSWORD}\r`);
  await terminal.until("culvert> ");
  assert.equal((await ssh("show", "version")).status, 255, "off until it is enabled");

  terminal.type("configure\r");
  await terminal.until("culvert# ");
  for (const line of [
    "interfaces lan address 192.168.1.1/24",
    "system ssh enabled true",
    `system ssh key bench public-key ${readFileSync(`${key}.pub`, "utf8").trim()}`,
  ]) {
    terminal.type(`set ${line}\r`);
    assert.doesNotMatch(await terminal.until("culvert# "), /^% /m);
  }
  terminal.type("commit\r");
  await terminal.until("Committed.");
  // QEMU resets the connection until the server listens.
  let answer = await ssh("show", "users");
  while (/reset|closed by/.test(answer.error)) answer = await ssh("show", "users");
  const { status, output, error } = answer;
  assert.equal(status, 0, error);
  assert.match(output.toString(), /^console +- .*none$/m);
  terminal.type("\x1d");
  await terminal.until("the device has ended");
  assert.equal(await terminal.ended(), 0);
});
