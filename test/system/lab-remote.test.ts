/** A bench behind a real sshd: the helper is started by ssh, its lease and its serial port are the far computer's (here: this one). */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { listLeases, machineClock, releaseLease } from "../../hil/bench/lease.ts";
import { parseBench } from "../../hil/bench/load.ts";
import { type ReachedBench, reachBench } from "../../hil/bench/reach.ts";
import type { Bench } from "../../hil/bench/schema.ts";
import { systemClock } from "../../hil/clock.ts";
import { projectRoot } from "../../image/project.ts";
import { Pty } from "../hil/pty.ts";

const SSHD = "/usr/sbin/sshd";
const skip = existsSync(SSHD) ? false : "openssh-server is not installed (node hil/setup.mjs --tests)";

// Not below /tmp itself: sshd refuses keys in folders that others may write.
const folder = mkdtempSync(join(tmpdir(), "culvert-sshd-"));
const leases = join(folder, "leases");
let sshd: ChildProcess | undefined;
let port = 0;
let pty: Pty;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  server.close();
  return free;
}

before(async () => {
  if (skip !== false) return;
  for (const name of ["host", "user"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
  }
  writeFileSync(join(folder, "authorized"), execFileSync("cat", [join(folder, "user.pub")]));
  mkdirSync(join(folder, "bin"));
  // As a user would link it, but without setting the checkout up and compiling it again.
  const culvert = join(folder, "bin/culvert");
  writeFileSync(
    culvert,
    `#!/bin/sh\necho "Last login: yesterday"\nexec "$NODE" "${projectRoot}/dist/hil/cli.js" "$@"\n`,
  );
  chmodSync(culvert, 0o755);
  symlinkSync(process.execPath, join(folder, "bin/node"));
  port = await freePort();
  const path = `${join(folder, "bin")}:/usr/bin:/bin`;
  writeFileSync(
    join(folder, "sshd_config"),
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${join(folder, "host")}
AuthorizedKeysFile ${join(folder, "authorized")}
PidFile none
UsePAM no
PasswordAuthentication no
StrictModes no
SetEnv PATH=${path} NODE=${process.execPath} CULVERT_LEASES=${leases}
`,
  );
  writeFileSync(
    join(folder, "ssh_config"),
    `Host *
IdentityFile ${join(folder, "user")}
IdentitiesOnly yes
UserKnownHostsFile ${join(folder, "known")}
StrictHostKeyChecking accept-new
`,
  );
  mkdirSync("/run/sshd", { recursive: true });
  sshd = spawn(SSHD, ["-D", "-e", "-f", join(folder, "sshd_config")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    sshd?.stderr?.on("data", (text: Buffer) => {
      said += text;
      if (said.includes("Server listening")) resolve();
    });
    sshd?.once("exit", () => reject(new Error(`sshd: ${said}`)));
  });
  pty = await Pty.open();
});

after(async () => {
  if (sshd !== undefined) {
    const ended = once(sshd, "exit");
    sshd.kill("SIGKILL");
    await ended;
    await pty.close();
  }
  rmSync(folder, { recursive: true });
});

function bench(more = ""): Bench {
  const { username } = userInfo();
  return parseBench(
    `name: far
console: { serial: ${pty.path}, baud: 57600 }
power:
  command: { on: "echo on > ${folder}/power", off: "echo off > ${folder}/power", status: "cat ${folder}/power" }
  minOff: 0s
host: ssh://${username}@127.0.0.1:${port}
${more}`,
    "far.yaml",
  );
}

async function reach(): Promise<ReachedBench> {
  return await reachBench(bench(), {
    ...{ node: "dut", why: "the test over ssh", clock: systemClock(), journal: { append: () => {} } },
    person: { tell: () => {}, ask: () => Promise.reject(new Error("nobody")) },
    sshOptions: ["-F", join(folder, "ssh_config")],
  });
}

const held = (): string[] =>
  listLeases({ clock: machineClock(), folder: leases }).map((status) => `${status.state} ${status.holder.why}`);

/** Resolves once the lease is gone, however long sshd takes to end the helper; the test's own time limit bounds it. */
async function free(): Promise<void> {
  while (held().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("a bench over ssh: lease, console, power; and free again after it", { skip, timeout: 20_000 }, async () => {
  const reached = await reach();
  assert.deepEqual(held(), ["held the test over ssh"]);
  assert.equal(pty.baud, 57_600);

  const typed = new Promise<string>((resolve) => {
    pty.received = (bytes) => resolve(bytes.toString("latin1"));
  });
  reached.line.write(Buffer.from("printenv\r\xff", "latin1"));
  assert.equal(await typed, "printenv\r\xff");
  const heard = once(reached.line, "data");
  pty.send(Buffer.from("bootdelay=2\n\xfe", "latin1"));
  assert.equal((await heard).toString(), Buffer.from("bootdelay=2\n\xfe", "latin1").toString());

  await reached.power?.off();
  assert.equal(await reached.power?.state(), "off");
  await reached.power?.on();
  assert.equal(await reached.power?.state(), "on");

  await assert.rejects(reach(), /bench at ssh:.*: bench far is in use by .* for: the test over ssh/);
  assert.ok(!reached.lost.aborted);
  await reached.close();
  assert.deepEqual(held(), []);
});

test("the connection is cut: the lab has a Fault, and the bench is free", { skip, timeout: 20_000 }, async () => {
  const reached = await reach();
  const lost = once(reached.lost, "abort");
  // The sshd process of this one connection, found by who owns the helper.
  const [status] = listLeases({ clock: machineClock(), folder: leases });
  const helper = status?.holder.pid ?? 0;
  const shell = Number(execFileSync("ps", ["-o", "ppid=", "-p", String(helper)], { encoding: "utf8" }));
  const parent = execFileSync("ps", ["-o", "comm=", "-p", String(shell)], { encoding: "utf8" }).trim();
  assert.equal(parent, "sshd");
  process.kill(shell, "SIGKILL");
  await lost;
  assert.match(String(reached.lost.reason), /bench at ssh:/);
  await free();
  await reached.close();
});

test("the lease is taken away over there: the lab has a Fault", { skip, timeout: 20_000 }, async () => {
  const reached = await reach();
  const lost = once(reached.lost, "abort");
  await releaseLease("far", { clock: machineClock(), folder: leases });
  await lost;
  assert.match(String(reached.lost.reason), /somebody ran `culvert lab release far`/);
  await reached.close();
});

test("a key that the far computer does not know", { skip, timeout: 20_000 }, async () => {
  writeFileSync(join(folder, "authorized"), "");
  await assert.rejects(reach(), /bench at ssh:.*: ssh: .*Permission denied \(publickey/);
});
