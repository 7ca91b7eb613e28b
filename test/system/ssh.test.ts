/** The remote login for real: dropbear, its login shell, its password check, and OpenSSH's client. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";
import { ADDRESS, finish, SshServer } from "../support/ssh-server.ts";
import { SshTerminal } from "../support/ssh-terminal.ts";

const TIMEOUT = { timeout: 60_000 };
const KEY_ONLY = ["-o", "PasswordAuthentication=no"];

await inNetworkNamespace(async () => {
  const server = await SshServer.start();
  const { device } = server;
  const mine = server.key("mine", "-t", "ed25519");
  server.commit(`system ssh key mine public-key ${readFileSync(`${mine}.pub`, "utf8").trim()}`);
  test.after(() => server.close());
  const byKey = (...command: readonly string[]) => server.ssh([...KEY_ONLY, "-i", mine], command);
  const atTerminal = (columns = 80, lines = 24) =>
    new SshTerminal(server.command("ssh", [...KEY_ONLY, "-i", mine, `admin@${ADDRESS}`]), { columns, lines });

  test("the administrator's password logs in; a wrong one does not, and both are in the log", TIMEOUT, async () => {
    const good = await finish(server.ssh([], ["show", "version"]));
    assert.deepEqual([good.status, good.error], [0, ""]);
    assert.match(good.output.toString(), /^Culvert 0\.1\.0\n/);
    const bad = await finish(server.ssh([], ["show", "version"], "wrong-one"));
    assert.equal(bad.status, 255);
    assert.match(bad.error, /Permission denied/);
    assert.match(device.logText(), /info ssh: 192\.168\.1\.1 logged in with the password/);
    assert.match(device.logText(), /warning ssh: Bad password attempt for 'admin' from 192\.168\.1\.1:/);
  });

  test(
    "the host key that we write is one that dropbear reads, and clients see the fingerprint that we show",
    TIMEOUT,
    async () => {
      const file = join(server.folder, "data/host_ed25519");
      const { fingerprint = "" } = device.appliance.ssh.view();
      assert.ok(
        execFileSync("dropbearkey", ["-y", "-f", file], { encoding: "utf8" }).includes(`Fingerprint: ${fingerprint}\n`),
      );
      const seen = await finish(
        server.ssh([...KEY_ONLY, "-i", mine, "-o", "LogLevel=VERBOSE", "-v"], ["show", "version"]),
      );
      assert.ok(seen.error.includes(`Server host key: ssh-ed25519 ${fingerprint}`), seen.error);
    },
  );

  test("keys of every type log in without the password; a stranger's does not", TIMEOUT, async () => {
    for (const [name, ...type] of [
      ["rsa", "-t", "rsa", "-b", "2048"],
      ["ecdsa", "-t", "ecdsa", "-b", "521"],
    ] as const) {
      const key = server.key(name, ...type);
      server.commit(`system ssh key ${name} public-key ${readFileSync(`${key}.pub`, "utf8").trim()}`);
      const { status, error } = await finish(server.ssh([...KEY_ONLY, "-i", key], ["show", "version"]));
      assert.equal(status, 0, `${name}: ${error}`);
    }
    assert.equal((await finish(byKey("show", "version"))).status, 0);
    const stranger = server.key("stranger", "-t", "ed25519");
    assert.equal((await finish(server.ssh([...KEY_ONLY, "-i", stranger], ["show", "version"]))).status, 255);
    assert.match(device.logText(), /info ssh: 192\.168\.1\.1 logged in with the key mine/);
  });

  test("a terminal: prompt, keys, completion, the window's size, Ctrl-D", TIMEOUT, async () => {
    const terminal = atTerminal(132, 43);
    const path = (await terminal.until("culvert> ")).split("\r\n")[0] ?? "";
    terminal.type("show ver\t\r");
    assert.match(await terminal.until("culvert> "), /show version\s+Culvert 0\.1\.0\r\n/);
    for (let i = 0; i < 100; i++) device.appliance.log("info", "test", `line ${i}`);
    terminal.type("show log 60\r");
    assert.equal((await terminal.until("--more--")).split("\r\n").length, 1 + 42 + 1);
    terminal.type("q");
    await terminal.until("culvert> ");
    terminal.resize(path, { columns: 132, lines: 20 });
    // The new size is on its way beside the keys.
    for (let lines = 0; lines !== 1 + 19 + 1; ) {
      terminal.type("show log 60\r");
      lines = (await terminal.until("--more--")).split("\r\n").length;
      terminal.type("q");
      await terminal.until("culvert> ");
    }
    terminal.type("\x04");
    assert.equal(await terminal.ended(), 0);
  });

  test("a trace is the file itself, whatever its bytes", TIMEOUT, async () => {
    device.tracer.start(undefined);
    const gre = device.tracer.gre({
      open: () => ({ receive: () => {}, send: () => {}, flush: () => {}, close: () => {} }),
    });
    const socket = gre.open(() => {});
    // Control packets, which are recorded whole.
    const packet = Buffer.concat([Buffer.from("3001880b03e8000100000001ff03c021", "hex"), randomBytes(984)]);
    for (let i = 0; i < 900; i++) socket.send(Ipv4(0xc0a80101), Ipv4(0xcb007101), packet);
    const { status, output } = await finish(byKey("show", "trace", "pcapng"));
    assert.equal(status, 0);
    assert.ok(output.length > 900_000, `${output.length} bytes`);
    assert.deepEqual(output, device.tracer.pcapng());
  });

  test("a configuration goes out and comes in again; half a megabyte of comments comes through", TIMEOUT, async () => {
    const { output } = await finish(byKey("show", "configuration", "secrets"));
    assert.match(output.toString(), /^set system ssh key mine public-key ssh-ed25519 /m);
    const comments = `# ${"x".repeat(1000)}\n`.repeat(500);
    const { status, output: said } = await finish(
      byKey("load", "replace"),
      `${output}${comments}set system name office\n`,
    );
    assert.deepEqual([status, said.toString()], [0, "set system name office\nCommitted.\n"]);
    const wrong = await finish(byKey("load", "merge"), "set sistem name x\n");
    assert.equal(wrong.status, 1);
    assert.match(wrong.error, /^% line 1: no setting "sistem" here/);
    server.commit("delete system name");
  });

  test("two sessions: the second to commit is told who was first, and can go on", TIMEOUT, async () => {
    const [one, two] = [0, 1].map(() => atTerminal());
    if (one === undefined || two === undefined) return assert.fail();
    for (const terminal of [one, two]) {
      await terminal.until("culvert> ");
      terminal.type("configure\r");
      await terminal.until("culvert# ");
    }
    one.type("set vpn server mtu 1300\r");
    await one.until("culvert# ");
    two.type("set ntp servers 192.0.2.1\r");
    await two.until("culvert# ");
    one.type("commit\r");
    await one.until("Committed.\r\nculvert# ");
    two.type("commit\r");
    assert.match(
      await two.until("culvert# "),
      /% Not committed\.\s+The .* SSH from 192\.168\.1\.1 since you began:\s+rebase/,
    );
    assert.equal(device.appliance.running.get("ntp servers"), undefined);
    two.type("rebase\r");
    await two.until("culvert# ");
    two.type("commit\r");
    await two.until("Committed.\r\nculvert# ");
    assert.equal(device.appliance.running.get("vpn server mtu"), 1300);
    assert.deepEqual(device.appliance.running.get("ntp servers"), ["192.0.2.1"]);
    for (const terminal of [one, two]) {
      terminal.type("exit\rexit\r");
      assert.equal(await terminal.ended(), 0);
    }
  });

  test("nothing but the console: no root, no files, no forwarding, no program of the system", TIMEOUT, async () => {
    const root = server.run("ssh", ["-i", mine, `root@${ADDRESS}`, "show", "version"]);
    assert.equal((await finish(root)).status, 255);
    for (const command of ["/bin/sh", "sh -c id", "scp -t /tmp", "show version; id", "$(id)"]) {
      const { status, output } = await finish(byKey(command));
      assert.notEqual(status, 0, command);
      assert.doesNotMatch(output.toString(), /uid=/, command);
    }
    const sftp = await finish(server.run("sftp", ["-i", mine, "-b", "/dev/null", `admin@${ADDRESS}`]));
    assert.notEqual(sftp.status, 0);
    // Standard input and output to a port of the device: a channel of type direct-tcpip.
    const direct = await finish(server.ssh([...KEY_ONLY, "-i", mine, "-W", `${ADDRESS}:22`], []));
    assert.match(direct.error, /forwarding failed/);
    const remote = [...KEY_ONLY, "-i", mine, "-o", "ExitOnForwardFailure=yes", "-R", "8022:127.0.0.1:22"];
    assert.match((await finish(server.ssh(remote, ["show", "version"]))).error, /remote port forwarding failed/);
  });

  test("a moved port takes new connections, and who is there stays", TIMEOUT, async () => {
    const terminal = atTerminal();
    await terminal.until("culvert> ");
    server.commit("system ssh port 2222");
    const moved = async (): Promise<boolean> =>
      (await finish(server.ssh([...KEY_ONLY, "-i", mine, "-p", "2222"], ["show", "users"]))).status === 0;
    while (!(await moved()));
    terminal.type("show version\r");
    await terminal.until("culvert> ");
    server.commit("delete system ssh port");
    while ((await finish(byKey("show", "version"))).status !== 0);
    terminal.type("exit\r");
    assert.equal(await terminal.ended(), 0);
  });

  test("switched off, who is there is logged out and nobody comes in any more", TIMEOUT, async () => {
    const terminal = atTerminal();
    await terminal.until("culvert> ");
    server.commit("system ssh enabled false");
    // The bench's own time stands still; the sockets close in real time.
    assert.equal(await terminal.ended(), 1);
    assert.equal((await finish(byKey("show", "version"))).status, 255);
  });
});
