import assert from "node:assert/strict";
import { test } from "node:test";
import { PASSWORD } from "../support/console-desk.ts";
import { SshDesk, sshDevice } from "../support/ssh-desk.ts";

const TIMEOUT = { timeout: 30_000 };

/** Runs one command with this input; without input it stays open. */
async function run(command: string, input?: string, device = sshDevice()) {
  const desk = new SshDesk({ device, command });
  if (input !== undefined) {
    desk.type(input);
    desk.endInput();
  }
  return { status: await desk.status(), output: desk.text, error: desk.error, device };
}

test("a command's output is plain, whole and without a prompt, and its status is 0", TIMEOUT, async () => {
  const device = sshDevice();
  for (let i = 0; i < 200; i++) device.appliance.log("info", "test", `line ${i}`);
  const { status, output, error } = await run("show log 150", undefined, device);
  assert.equal(status, 0);
  assert.equal(error, "");
  assert.equal(output.split("\n").length, 151);
  assert.match(device.logText(), /info ssh: SSH from 192\.168\.1\.9 runs: show log 150/);
});

test("a commit that the disk does not take says so, and what is left as it was", TIMEOUT, async () => {
  const device = sshDevice();
  device.disk.isFull = true;
  const { status, error } = await run("load merge", "set system name office\nend\n", device);
  assert.equal(status, 1);
  assert.equal(
    error,
    "% Not committed: ENOSPC: no space left on device, write\n" +
      "  The disk does not take it: what runs and what is stored are as before.\n",
  );
  assert.equal(device.appliance.name, "culvert");
});

test("what is refused goes to standard error with status 1", TIMEOUT, async () => {
  for (const [command, error] of [
    ["show nothing", /^% "nothing" is no command here\n {2}expected: vpn/],
    ["vpn dial nobody", /^% there is no client nobody\n {2}none is configured/],
    ["", /^% the command is empty\n/],
    ["configure", /^% "configure" is no command here\n/],
    ["set system name x", /^% "set" is no command here\n {2}settings come as lines of the input/],
    ["/usr/lib/sftp-server", /^% .*\n {2}there are no files here: ssh HOST show configuration/],
    ["scp -t /tmp/x", /^% .*\n {2}there are no files here/],
    ["ping -f", /^% "-f" is no host\n/],
  ] as const) {
    const { status, output, error: said } = await run(command);
    assert.match(said, error, command);
    assert.equal(output, "", command);
    assert.equal(status, 1, command);
  }
});

test("a configuration is loaded, committed and told as what it changes; exported it is the same", TIMEOUT, async () => {
  const device = sshDevice("vpn account alice password s3cret");
  const lines =
    "# an office\r\nset system name office\r\n\nset vpn account alice password ********\nset ntp servers 192.0.2.1";
  const { status, output } = await run("load merge", lines, device);
  assert.equal(status, 0);
  assert.equal(output, "set system name office\nset ntp servers 192.0.2.1\nCommitted.\n");
  assert.match(device.logText(), /configuration 2 committed by SSH from 192\.168\.1\.9/);
  const exported = (await run("show configuration secrets", undefined, device)).output;
  assert.match(exported, /^set vpn account alice password s3cret$/m);
  const again = await run("load replace", exported, device);
  assert.deepEqual([again.status, again.output], [0, "No changes.\n"]);
  const smaller = "set interfaces lan address 192.168.1.1/24\nset system ssh enabled true\nend\nset system name no\n";
  assert.equal((await run("load replace", smaller, device)).status, 0);
  assert.equal(device.appliance.running.size, 2);
});

test("one wrong line, or a configuration with problems, and nothing is taken", TIMEOUT, async () => {
  const wrong = await run("load merge", "set system name office\nset sistem name x\n");
  assert.equal(wrong.status, 1);
  assert.match(
    wrong.error,
    /^% line 2: no setting "sistem" here\n {2}.*\n% Nothing was taken: 1 of 2 lines are wrong\.\n$/,
  );
  assert.equal(wrong.device.appliance.name, "culvert");
  const problems = await run("load merge", "set vpn server enabled true\n");
  assert.equal(problems.status, 1);
  assert.match(problems.error, /^% Not committed: 2 problems\n/);
  const long = await run("load merge", `set system name ${"x".repeat(5000)}`);
  assert.match(long.error, /^% a line of the input has more than 4096 bytes\n/);
});

test(
  "on trial: another command confirms it, or it is taken back; a load without changes confirms nothing",
  TIMEOUT,
  async () => {
    const device = sshDevice();
    const { output } = await run("load merge 5", "set system name office\n", device);
    assert.match(output, /^set system name office\nOn trial: `commit` within 5 min keeps it\./);
    assert.equal((await run("load merge", "set system name office\n", device)).output, "No changes.\n");
    assert.equal(device.appliance.trialMinutes, 5);
    const confirmed = await run("commit", undefined, device);
    assert.deepEqual([confirmed.status, confirmed.output], [0, "Confirmed: what was on trial is stored.\n"]);
    device.clock.advance(600_000);
    assert.equal(device.appliance.name, "office");
    await run("load merge 5", "set system name branch\n", device);
    device.clock.advance(300_000);
    assert.equal(device.appliance.name, "office");
  },
);

test("a trace is a file of Wireshark, byte for byte", TIMEOUT, async () => {
  const device = sshDevice();
  device.tracer.start(undefined);
  const desk = new SshDesk({ device, command: "show trace pcapng" });
  assert.equal(await desk.status(), 0);
  assert.deepEqual(desk.output, device.tracer.pcapng());
});

test("what cannot be undone asks on standard error and needs yes", TIMEOUT, async () => {
  const no = await run("factory-reset", "no\n");
  assert.deepEqual([no.status, no.device.powered], [1, []]);
  assert.match(no.error, /Type yes to go on: % Nothing was done\.\n$/);
  const nothing = await run("factory-reset", "");
  assert.deepEqual([nothing.status, nothing.device.powered], [1, []]);
  const yes = await run("factory-reset", "yes\n");
  assert.deepEqual([yes.status, yes.device.powered], [0, ["reboot"]]);
  assert.match(yes.output, /^Restarting as a new device\.\n$/);
});

test("a program's lines come as it says them; Ctrl-C at a terminal and a cut connection stop it", TIMEOUT, async () => {
  const device = sshDevice();
  const ping = () => device.bench.programs.running("ping");
  const desk = new SshDesk({ device, command: "ping 192.0.2.1", size: [80, 24] });
  ping()?.print("64 bytes from 192.0.2.1", "with \x1b[2J");
  assert.equal(desk.text, "64 bytes from 192.0.2.1\nwith ?[2J\n");
  desk.type("\x03");
  assert.deepEqual(ping()?.signals, ["SIGINT"]);
  ping()?.end();
  assert.equal(await desk.status(), 0);
  const cut = new SshDesk({ device, command: "ping 192.0.2.1" });
  const running = ping();
  cut.client.close();
  assert.deepEqual(running?.signals, ["SIGINT"]);
  running?.end("signal SIGINT");
  assert.equal(await cut.status(), "cut");
});

test("a tool that fails is a failure", TIMEOUT, async () => {
  const device = sshDevice();
  const desk = new SshDesk({ device, command: "ping nowhere" });
  device.bench.programs.running("ping")?.end("ENOENT");
  assert.equal(await desk.status(), 1);
  assert.equal(desk.error, "% ping ended: ENOENT\n");
});

test("the password is asked by nobody here: a command neither sets nor shows one", TIMEOUT, async () => {
  const device = sshDevice();
  const { output, status } = await run("show ssh", undefined, device);
  assert.equal(status, 0);
  assert.match(output, /^SSH on 192\.168\.1\.1 port 22 for admin: running\nPassword: will do\n/);
  assert.ok(!output.includes(PASSWORD));
});
