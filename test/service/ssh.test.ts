import assert from "node:assert/strict";
import { test } from "node:test";
import { BenchDevice } from "../support/bench-device.ts";
import { Inbox } from "../support/inbox.ts";
import { ED25519, ED25519_FINGERPRINT } from "../support/ssh-keys.ts";

const TIMEOUT = { timeout: 30_000 };
const PASSWORD = "lab-Admin-1";
const ON = ["interfaces lan address 192.168.1.1/24", "system ssh enabled true"];

function commit(device: BenchDevice, ...lines: readonly string[]): void {
  const edit = device.appliance.beginEdit("a test");
  for (const line of lines) {
    const words = line.split(" ");
    assert.equal(words[0] === "delete" ? edit.delete(words.slice(1)) : edit.set(words), undefined, line);
  }
  assert.deepEqual(edit.commit(), { result: "committed", warnings: [], failures: [] });
}
const dropbear = (device: BenchDevice) => device.bench.programs.started.filter(isDropbear).at(-1);
const isDropbear = ({ command }: { command: { arguments: readonly string[] } }) =>
  command.arguments.includes("dropbear");

/** What check-password.c is told. */
async function answerTo(device: BenchDevice, bytes: Buffer): Promise<string> {
  const client = device.ssh.local.connect("/run/culvert/password");
  const closed = new Inbox<true>();
  client.onClose = () => closed.put(true);
  client.send(bytes);
  await closed.next();
  return client.take().toString();
}

test("off, there is no server, no host key and no socket", () => {
  const device = new BenchDevice();
  commit(device, "interfaces lan address 192.168.1.1/24");
  assert.equal(dropbear(device), undefined);
  assert.deepEqual(device.ssh.hostKeys.list(), []);
  assert.deepEqual(device.ssh.local.paths, []);
});

test("switched on, the server runs on the LAN's address without root, forwarding, or anything else than our login shell", () => {
  const device = new BenchDevice();
  commit(device, ...ON, "system ssh port 2222");
  const words = dropbear(device)?.command.arguments ?? [];
  assert.deepEqual(words.slice(0, 3), [
    "LD_PRELOAD=/check-password.so",
    "CULVERT_PASSWORD_SOCKET=/run/culvert/password",
    "dropbear",
  ]);
  for (const flag of ["-F", "-E", "-w", "-j", "-k"]) assert.ok(words.includes(flag), flag);
  assert.ok(!words.includes("-s") && !words.includes("-B") && !words.includes("-e"));
  assert.equal(words[words.indexOf("-p") + 1], "192.168.1.1:2222");
  assert.deepEqual([...device.ssh.local.paths].sort(), ["/run/admin/terminal", "/run/culvert/password"]);
  commit(device, "firewall management anywhere");
  dropbear(device)?.end("signal SIGTERM");
  assert.ok(dropbear(device)?.command.arguments.includes("0.0.0.0:2222"));
});

test("a key more, or a commit about something else, leaves every program of the device running", () => {
  const device = new BenchDevice();
  commit(
    device,
    ...ON,
    "dhcp-server enabled true",
    "dhcp-server pool start 192.168.1.100",
    "dhcp-server pool count 20",
  );
  const { started } = device.bench.programs;
  const before = started.length;
  assert.ok(before > 1, `only ${before} programs were started`);
  commit(device, "vpn account anna password lab-anna-1");
  commit(device, `system ssh key lab public-key ${ED25519}`);
  assert.equal(started.length, before);
  for (const { command, signals } of started) assert.deepEqual(signals, [], command.arguments.join(" "));
});

test("keys are what the account may read, each without forwarding; without passwords dropbear asks for none", () => {
  const device = new BenchDevice();
  commit(device, ...ON, "system ssh password-login false", `system ssh key bob public-key ${ED25519}`);
  assert.equal(
    device.ssh.authorizedKeys.read("authorized_keys")?.toString(),
    `no-port-forwarding,no-agent-forwarding,no-X11-forwarding ${ED25519} bob\n`,
  );
  assert.ok(dropbear(device)?.command.arguments.includes("-s"));
  assert.equal(device.appliance.ssh.view().keys[0]?.fingerprint, ED25519_FINGERPRINT);
  commit(device, "system ssh password-login true", "delete system ssh key bob");
  assert.equal(device.ssh.authorizedKeys.read("authorized_keys")?.length, 0);
});

test("the host key is made once, kept over restarts, told, and forgotten by a factory reset", () => {
  const device = new BenchDevice();
  commit(device, ...ON);
  const key = () => device.ssh.hostKeys.read("host_ed25519");
  const first = key();
  const { fingerprint } = device.appliance.ssh.view();
  assert.match(fingerprint ?? "", /^SHA256:[A-Za-z0-9+/]{43}$/);
  const made = `info ssh: a new host key was made: ${fingerprint}`;
  commit(device, "delete system ssh enabled");
  commit(device, "system ssh enabled true");
  assert.equal(key(), first);
  assert.equal(device.logText().split(made).length, 2, "said once");
  // A file that dropbear could not read would keep everybody out.
  device.ssh.hostKeys.damage("host_ed25519", (bytes) => bytes.subarray(1));
  commit(device, "delete system ssh enabled");
  commit(device, "system ssh enabled true");
  assert.match(device.logText(), /error ssh: the host key was damaged: a new one takes its place/);
  assert.deepEqual(key(), first, "this bench's random bytes are always the same");
  device.appliance.factoryReset();
  assert.deepEqual(device.ssh.hostKeys.list(), []);
});

test("a host key that cannot be stored is told by the commit, and no server runs", () => {
  const device = new BenchDevice();
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  device.ssh.hostKeys.write = () => {
    throw full;
  };
  const edit = device.appliance.beginEdit("a test");
  for (const line of ON) edit.set(line.split(" "));
  const committed = edit.commit();
  assert.deepEqual(committed.result === "committed" && committed.failures, [
    "ssh: ENOSPC: no space left on device, write",
  ]);
  assert.equal(dropbear(device), undefined);
});

test(
  "the password is the administrator's; its attempts are limited, and the serial console's are not",
  TIMEOUT,
  async () => {
    const device = new BenchDevice();
    const { administrator } = device.appliance;
    commit(device, ...ON);
    assert.equal(await answerTo(device, Buffer.from("\0")), "n", "no password is set");
    device.clock.advance(600_000);
    await administrator.setPassword(PASSWORD);
    assert.equal(await answerTo(device, Buffer.from(`${PASSWORD}\0`)), "y");
    // Side by side: none of them is free.
    const answers = await Promise.all(Array.from({ length: 5 }, () => answerTo(device, Buffer.from("wrong-one\0"))));
    assert.deepEqual(answers, ["n", "n", "n", "n", "n"]);
    assert.equal(await answerTo(device, Buffer.from(`${PASSWORD}\0`)), "n", "too many were wrong");
    assert.match(device.logText(), /warning ssh: too many wrong passwords: none is looked at for 5 s/);
    assert.equal((await administrator.tryPassword(PASSWORD, "console")).result, "right");
    device.clock.advance(5000);
    assert.equal(await answerTo(device, Buffer.from(`${PASSWORD}\0`)), "y");
  },
);

test("without password login no password is right, and who says too much is cut off", TIMEOUT, async () => {
  const device = new BenchDevice();
  commit(device, ...ON, "system ssh password-login false", `system ssh key bob public-key ${ED25519}`);
  await device.appliance.administrator.setPassword(PASSWORD);
  assert.equal(await answerTo(device, Buffer.from(`${PASSWORD}\0`)), "n");
  assert.equal(await answerTo(device, Buffer.alloc(2000, "x")), "");
});

test("switched off, whoever came that way has a second to read of it, then is logged out", () => {
  const device = new BenchDevice();
  commit(device, ...ON);
  const client = device.ssh.local.connect("/run/admin/terminal");
  commit(device, "delete system ssh enabled");
  assert.deepEqual(dropbear(device)?.signals, ["SIGTERM"]);
  assert.ok(client.isOpen);
  device.clock.advance(1000);
  assert.ok(!client.isOpen);
  assert.deepEqual(device.ssh.local.paths, []);
});

test("a change that is not about who may come leaves the logins alone", () => {
  const device = new BenchDevice();
  commit(device, ...ON);
  const client = device.ssh.local.connect("/run/admin/terminal");
  commit(device, "system ssh idle-timeout 20", `system ssh key bob public-key ${ED25519}`);
  commit(device, "system ssh port 2222");
  device.clock.advance(5000);
  assert.ok(client.isOpen);
});

test("dropbear's words become the log's: who came with what key, who failed; strangers fill no more than their share", () => {
  const device = new BenchDevice();
  commit(device, ...ON, `system ssh key bob public-key ${ED25519}`);
  const line = (text: string) => dropbear(device)?.print(`[123] Nov  5 17:33:46 ${text}`);
  line("Port forwarding disabled.");
  line("Child connection from 192.168.1.9:46374");
  line(`Pubkey auth succeeded for 'admin' with ssh-ed25519 key ${ED25519_FINGERPRINT} from 192.168.1.9:46374`);
  line("Password auth succeeded for 'admin' from 192.168.1.8:46374");
  line("Bad password attempt for 'admin' from 192.168.1.7:46374");
  line("Exit (admin) from <192.168.1.9:46374>: Disconnect received");
  const log = device.logText();
  assert.match(log, /info ssh: 192\.168\.1\.9 logged in with the key bob$/m);
  assert.match(log, /info ssh: 192\.168\.1\.8 logged in with the password$/m);
  assert.match(log, /warning ssh: Bad password attempt for 'admin' from 192\.168\.1\.7:46374$/m);
  assert.doesNotMatch(log, /Child connection|Exit|forwarding/);
  for (let i = 0; i < 200; i++) line(`Login attempt for nonexistent user from 192.168.1.7:${i}`);
  assert.ok(device.logText().match(/nonexistent/g)?.length === 29);
});
