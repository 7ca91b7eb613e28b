/**
 * The channels to a real Windows, on real ones: Debian's qemu-guest-agent over virtio and over a serial port, and dropbear's
 * sshd, in one Linux guest on the very control lines of the Windows machine. Only Windows' programs are played, by scripts
 * named powershell.exe that read what was encoded for them.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { execa } from "execa";
import { systemClock } from "../../hil/clock.ts";
import { FramedShell } from "../../hil/console/frame.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { guestSpec } from "../../hil/node/guest.ts";
import { chooseAccelerator } from "../../hil/node/qemu/accelerator.ts";
import { controlArguments, startControlled } from "../../hil/peers/windows/machine.ts";
import { runScript } from "../../hil/peers/windows/powershell.ts";
import { GuestAgent } from "../../hil/peers/windows/qga.ts";
import { reachWindows } from "../../hil/peers/windows/reach.ts";
import { RealWindows } from "../../hil/peers/windows/real-windows.ts";
import { Ssh } from "../../hil/peers/windows/ssh.ts";
import { RasError } from "../../hil/peers/windows-peer.ts";
import { buildGuest } from "../../image/guest.ts";
import { temporaryFolder } from "../support/lab-run.ts";

const READY_WITHIN_MS = 120_000;

/**
 * Reads the script after -EncodedCommand as Windows would, and answers as a Windows 10 with one connection. Its state is in
 * files; the words are what Windows prints.
 */
const POWERSHELL = `#!/bin/sh
for last; do :; done
script=$(echo "$last" | base64 -d | tr -d '\\000\\r')
echo "$script" >>/tmp/scripts
code=0
say() { printf '%s\\r\\n' "$1"; }
case "$script" in
*Win32_OperatingSystem*) say '{"version":"10.0.19045","caption":"Microsoft Windows 10 Enterprise","name":"LAB"}' ;;
*Add-VpnConnection*) echo "$script" | grep -o 'ServerAddress [^ ]*' >/tmp/connection; say '"2026-11-25T12:00:00.0000000Z"' ;;
*'$code = $LASTEXITCODE'*disconnect*|*rasdial.exe*disconnect*'$code ='*) rm -f /tmp/up; say 'Command completed successfully.' ;;
*'rasdial.exe '*'$code = '*) rasdial.exe "$script"; code=$? ; [ $code = 0 ] || code=691 ;;
*Get-WinEvent*) if [ -f /tmp/up ]; then say '[{"Id":20221,"Message":"CoId={96157121-FDB7-8F47-B5D0-BE36D2E97E50}: The user LAB\\\\lab has started dialing"},{"Id":20225,"Message":"connected"}]'; else say '{"Id":20227,"Message":"CoId={96157121-FDB7-8F47-B5D0-BE36D2E97E50}: failed. The error code returned on failure is 691."}'; fi ;;
*NlMtu*) if [ -f /tmp/up ]; then say '{"address":"192.168.1.200","mtu":1400,"dns":["192.168.1.1"],"routes":["192.168.1.0/24","192.168.1.200/32"]}'; else say null; fi ;;
*NetworkInformation.Ping*) say '{"sent":3,"received":3}' ;;
*'left = '*) if [ -f /tmp/up ]; then say '["address 192.168.1.200"]'; else say '[]'; fi ;;
*LOUD*) seq 1 10000 ;;
*ODD*) say "äöü € 'quoted' \\"twice\\""; echo 'on the error output' >&2; code=-2147024809 ;;
*SLEEP*) sleep 60 ;;
esac
say "CULVERT-EXIT=$code"
`;
const RASDIAL = `#!/bin/sh
printf 'Connecting to culvert-lab...\\r\\nVerifying username and password...\\r\\n'
case "$1" in
*"'s3cret'"*) touch /tmp/up; printf 'Successfully connected to culvert-lab.\\r\\nCommand completed successfully.\\r\\n' ;;
*) printf '\\r\\nRemote Access error 691 - The remote connection was denied.\\r\\n'; exit 1 ;;
esac
`;

const folder = temporaryFolder();
const clock = systemClock();
const journal = new Journal(clock);
const keyFile = join(folder, "key");
await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile]);
await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-m", "PEM", "-f", join(folder, "host")]);
const built = await buildGuest(
  guestSpec({
    name: "windows-channels",
    packages: [
      ...["qemu-guest-agent", "libglib2.0-0", "libudev1", "liburing2", "libpcre2-8-0", "libnuma1", "libc6"],
      ...["dropbear-bin", "libtomcrypt1", "libtommath1", "libcrypt1", "zlib1g", "libgmp10"],
    ],
    executables: ["/usr/sbin/qemu-ga", "/usr/sbin/dropbear", "/usr/bin/dropbearkey"],
    modules: ["virtio_console", "e1000e"],
    files: [
      { path: "/usr/bin/powershell.exe", mode: 0o755, data: POWERSHELL },
      { path: "/usr/bin/rasdial.exe", mode: 0o755, data: RASDIAL },
      { path: "/etc/passwd", mode: 0o644, data: "root:x:0:0:root:/root:/bin/sh\n" },
      { path: "/etc/shells", mode: 0o644, data: "/bin/sh\n" },
      { path: "/root/.ssh/authorized_keys", mode: 0o600, data: readFileSync(`${keyFile}.pub`) },
    ],
  }),
  () => {},
);
const { accelerator } = await chooseAccelerator();
const machine = await startControlled({ name: "win", clock, journal, folder }, (spec) => [
  ...["-name", "win", "-accel", accelerator === "kvm" ? "kvm" : "tcg,tb-size=256"],
  ...["-cpu", accelerator === "kvm" ? "host" : "max", "-machine", "q35", "-m", "256M"],
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-device", "virtio-rng-pci"],
  ...["-kernel", built.kernel, "-initrd", built.initrd],
  ...["-append", "console=ttyS0 quiet panic=-1 mitigations=off ipv6.disable=1 no_timer_check"],
  ...["-chardev", `socket,id=serial0,path=${spec.serial}`, "-serial", "chardev:serial0"],
  ...controlArguments(spec.lines, "e1000e"),
  ...["-qmp", `unix:${spec.monitor}`],
]);
after(() => machine.close());
await machine.console.expect(
  { ready: "guest-shell-ready" },
  { withinMs: READY_WITHIN_MS, reason: "the guest to boot" },
);
const shell = new FramedShell(machine.console, "channels");
await shell.run("ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && mkdir -p /etc/dropbear /var/run");

const start = (line: string): Promise<string> => shell.run(line, 30_000);
/** The guest agent on the virtio port, as Debian starts it. */
const VIRTIO = "qemu-ga -d -m virtio-serial -p /dev/vport*p1 -f /tmp/qga1.pid";

test("sshd alone: the channel is OpenSSH, and what a script says comes back whole", async () => {
  await start("dropbear -R -E -s 2>/tmp/dropbear.log");
  const channel = await reachWindows("win", machine, { ssh: { user: "root", keyFile }, sac: undefined }, clock, 60_000);
  assert.equal(channel.how, "OpenSSH");
  assert.ok(channel instanceof Ssh);
  await wholeScripts(channel);
  await assert.rejects(runScript(channel, "# SLEEP", 1_000), /still runs after 1 s/);
});

test("the guest agent goes first, over virtio and over a serial port; stale bytes on its line do no harm", async () => {
  for (const [how, line] of [
    ["virtio", VIRTIO],
    ["serial", "stty -F /dev/ttyS1 raw -echo; qemu-ga -d -m isa-serial -p /dev/ttyS1 -f /tmp/qga2.pid"],
  ] as const) {
    await start(line);
    const [first, second] = machine.agents;
    assert.ok(first && second);
    // Half a question of a run that was killed.
    (how === "virtio" ? first : second).write('{"execute":"guest-in');
    const credentials = { ssh: { user: "root", keyFile }, sac: undefined };
    const channel = await reachWindows(
      "win",
      { ...machine, agents: [how === "virtio" ? first : second] },
      credentials,
      clock,
      60_000,
    );
    assert.equal(channel.how, "qemu-guest-agent", how);
    assert.ok(channel instanceof GuestAgent);
    await wholeScripts(channel);
    await assert.rejects(channel.execute("guest-nonsense"), /refuses guest-nonsense/);
    await assert.rejects(runScript(channel, "# SLEEP", 500), /still runs after 0.5 s/);
  }
});

test("a peer over the guest agent: dials, reads status, events and codes, hangs up, leaves nothing", async () => {
  const agents = machine.agents.slice(0, 1);
  const channel = await reachWindows("win", { ...machine, agents }, { ssh: undefined, sac: undefined }, clock, 60_000);
  const windows = new RealWindows({ name: "win", channel, clock, patience: 1 });
  await windows.prepare("02:43:00:00:f0:01", "203.0.113.50/24", undefined);
  assert.match(windows.version, /^Microsoft Windows 10 Enterprise 10\.0\.19045$/);
  const dialing = { server: "203.0.113.1", user: "alice", password: "s3cret", routes: ["192.168.9.0/24"] };
  const call = await windows.dial(dialing);
  assert.deepEqual(call, {
    localAddress: "192.168.1.200",
    mtu: 1400,
    dns: ["192.168.1.1"],
    routes: ["192.168.1.0/24", "192.168.1.200/32"],
  });
  assert.deepEqual(
    (await windows.events()).map(({ id }) => id),
    [20221, 20225],
  );
  assert.equal((await windows.ping("192.168.1.10")).received, 3);
  assert.deepEqual(await windows.leftovers(), ["address 192.168.1.200"]);
  await windows.hangUp();
  await windows.untilDown(5_000);
  assert.deepEqual(await windows.leftovers(), []);

  const error = await windows.dial({ ...dialing, password: "wrong" }).catch((reason: unknown) => reason);
  assert.ok(error instanceof RasError);
  assert.equal(error.code, 691);
  assert.equal(error.predicted, false);
  assert.equal(await windows.lastError(), 691);
  const last = (await windows.events()).at(-1);
  assert.equal(last?.code, 691);
  assert.equal(last?.correlationId, "96157121-FDB7-8F47-B5D0-BE36D2E97E50");
  const scripts = await shell.run("cat /tmp/scripts");
  assert.match(
    scripts,
    /Add-VpnConnection -Name 'culvert-lab' -ServerAddress '203\.0\.113\.1' -TunnelType Pptp -EncryptionLevel Required -AuthenticationMethod MSChapv2 -AllUserConnection -SplitTunneling -Force/,
  );
  assert.match(scripts, /Add-VpnConnectionRoute -ConnectionName 'culvert-lab' -DestinationPrefix '192\.168\.9\.0\/24'/);
});

/** Many lines, odd letters, error output and a code above 255 arrive as they were. */
async function wholeScripts(channel: GuestAgent | Ssh): Promise<void> {
  const loud = await runScript(channel, "# LOUD", 60_000);
  assert.equal(loud.output.split("\n").length, 10_001, "every line");
  const odd = await runScript(channel, "# ODD", 30_000);
  assert.match(odd.output, /^äöü € 'quoted' "twice"$/m);
  assert.equal(odd.exitCode, -2147024809);
}
