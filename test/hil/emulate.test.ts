import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { DEFAULT_LAN, parseLan, tapLines, tapNetwork, userLines, userNics } from "../../hil/emulate-network.ts";
import { qemuArguments } from "../../hil/node/qemu/args.ts";

const SOCKETS = { serial: "/s/tty", monitor: "/s/qmp", consoleLog: "/r/console" };
const lineOf = (nics: Parameters<typeof qemuArguments>[0]["nics"]): string =>
  qemuArguments(
    { name: "device", memoryMib: 512, kernel: "/k", initrd: "/i", append: "", disks: [], nics, restarts: true },
    SOCKETS,
    "tcg",
  ).join(" ");

test("without rights the LAN's cable leads to a forwarded port and nowhere else, the WAN's to the Internet", () => {
  const line = lineOf(userNics(parseLan(DEFAULT_LAN), 2222));
  assert.ok(line.includes("-netdev user,id=nic0 "), line);
  const lan = "user,id=nic1,net=192.168.1.0/24,host=192.168.1.2,restrict=on,hostfwd=tcp:127.0.0.1:2222-192.168.1.1:22 ";
  assert.ok(line.includes(`-netdev ${lan}`), line);
  const other = lineOf(userNics(parseLan("10.0.7.254/24"), 40000));
  assert.ok(
    other.includes("net=10.0.7.0/24,host=10.0.7.253,restrict=on,hostfwd=tcp:127.0.0.1:40000-10.0.7.254:22"),
    other,
  );
});

test("a TAP is made by QEMU under its name, and no script of the host runs", () => {
  const line = lineOf([{ mac: "02:43:00:00:00:00", tap: "cvtwan1" }]);
  assert.ok(line.includes("-netdev tap,id=nic0,ifname=cvtwan1,script=no,downscript=no "), line);
});

test("what is printed says how to get to SSH and PPTP, and what cannot be reached and why", () => {
  const user = userLines(parseLan(DEFAULT_LAN), 2223).join("\n");
  assert.match(user, /^SSH {4}ssh -p 2223 admin@127\.0\.0\.1 .*\n +set interfaces lan address 192\.168\.1\.1\/24\n/);
  assert.match(user, /^PPTP {3}not from here: .* no GRE\.\n.* --tap/m);
  const tap = tapLines(parseLan(DEFAULT_LAN)).join("\n");
  assert.match(tap, /^SSH {4}ssh admin@192\.168\.1\.1 /);
  assert.match(tap, /pptp 203\.0\.113\.1 --nolaunchpppd/);
  assert.match(tap, /Add-VpnConnection .* 203\.0\.113\.1 .*\n +rasdial Culvert USER PASSWORD/);
});

test("a LAN that cannot be is refused in one line", () => {
  for (const text of ["", "192.168.1.1", "192.168.1.0/24", "192.168.1.255/24", "192.168.1.1/30", "1.2.3.4/0", "a/24"])
    assert.throws(() => parseLan(text), { name: "UsageError" }, text);
});

test("TAP without root is refused with the command that does it", {
  skip: process.getuid?.() === 0 && "is root",
}, async () => {
  await assert.rejects(tapNetwork(parseLan(DEFAULT_LAN)), /needs root: sudo -E npx culvert emulate --tap/);
});
