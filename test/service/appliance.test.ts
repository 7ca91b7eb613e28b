import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Millis, SystemError } from "../../appliance/ports.ts";
import type { Edit } from "../../appliance/service/edit.ts";
import { VERSION } from "../../appliance/service/firmware.ts";
import { formatIpv4, Ipv4 } from "../../appliance/wire/ipv4.ts";
import { BenchDevice } from "../support/bench-device.ts";
import { OFFICE } from "../support/config-text.ts";
import { projectRoot } from "../support/native.ts";
import { ALICE } from "../support/scripted-caller.ts";

function setAll(edit: Edit, ...lines: readonly string[]): void {
  for (const line of lines) assert.equal(edit.set(line.split(" ")), undefined, line);
}
/** Commits these lines on top of what runs; returns what the kernel was asked to do meanwhile. */
function commit(device: BenchDevice, ...lines: readonly string[]): readonly string[] {
  const before = device.net.changes.length;
  const edit = device.appliance.beginEdit("a test");
  setAll(edit, ...lines);
  assert.equal(edit.commit().result, "committed");
  return device.net.changes.slice(before);
}

test("the version is that of package.json", () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8"));
  assert.equal(VERSION, version);
});

test("a candidate changes nothing until it is committed, and then all of it, for good", () => {
  const device = new BenchDevice();
  const changes = device.net.changes.length;
  const edit = device.appliance.beginEdit("a test");
  setAll(edit, ...OFFICE);
  assert.equal(device.net.changes.length, changes);
  assert.equal(device.vpn.applied.length, 1);
  assert.equal(device.disk.list().length, 0);

  const committed = edit.commit();
  assert.equal(committed.result, "committed");
  assert.deepEqual(device.net.changes.slice(changes), [
    "add 203.0.113.1/24 to eth0",
    "set eth0 up",
    "add 192.168.1.1/24 to eth1",
    "set eth1 up",
    "set the default route to 203.0.113.254",
    "proxy ARP on eth1 on",
  ]);
  const settings = device.vpn.applied.at(-1) ?? assert.fail();
  const { enabled, localAddress, pool, dns, wins, mtu, authentication, encryption } = settings.server;
  assert.deepEqual([enabled, mtu, dns, wins], [true, 1400, [], []]);
  assert.deepEqual(
    [formatIpv4(localAddress), formatIpv4(pool.start), pool.count],
    ["192.168.1.1", "192.168.1.200", 20],
  );
  assert.deepEqual(authentication, ["mschap-v2"]);
  assert.deepEqual([encryption.use, encryption.strengths, encryption.allowStateful], ["required", [128], false]);
  assert.deepEqual(settings.accounts, [ALICE]);

  const restarted = new BenchDevice(device.disk);
  assert.deepEqual(restarted.vpn.applied.at(-1), settings);
  assert.deepEqual(restarted.net.interfaces(), device.net.interfaces());
});

test("only what a commit changes is applied", () => {
  const device = new BenchDevice();
  commit(device, ...OFFICE);
  const applied = device.vpn.applied.length;
  assert.deepEqual(commit(device, "system name office"), []);
  assert.equal(device.appliance.name, "office");
  assert.equal(device.vpn.applied.length, applied);

  assert.deepEqual(commit(device, "vpn server mtu 1300"), []);
  assert.equal(device.vpn.applied.at(-1)?.server.mtu, 1300);

  assert.deepEqual(commit(device, "interfaces wan gateway 203.0.113.253"), ["set the default route to 203.0.113.253"]);
  assert.deepEqual(commit(device, "interfaces wan address 203.0.113.9/24"), [
    "remove 203.0.113.1/24 from eth0",
    "add 203.0.113.9/24 to eth0",
  ]);
  assert.deepEqual(commit(device, "interfaces lan address 192.168.1.2/24"), [
    "remove 192.168.1.1/24 from eth1",
    "add 192.168.1.2/24 to eth1",
  ]);
  assert.equal(formatIpv4(device.vpn.applied.at(-1)?.server.localAddress ?? Ipv4(0)), "192.168.1.2");
  assert.deepEqual(commit(device, "vpn server enabled false"), ["proxy ARP on eth1 off"]);
});

test("an address that is not wanted any more goes, and one that nobody set stays", () => {
  const device = new BenchDevice();
  device.net.addAddress("eth1", { address: Ipv4(0x0a000001), length: 8 });
  commit(device, "interfaces wan address 203.0.113.1/24", "interfaces wan gateway 203.0.113.254");
  const edit = device.appliance.beginEdit("a test");
  assert.equal(edit.delete(["interfaces", "wan"]), undefined);
  assert.equal(edit.commit().result, "committed");
  const addresses = device.net.interfaces().map((each) => each.addresses.length);
  assert.deepEqual(addresses, [0, 1]);
  assert.equal(device.net.defaultGateway(), undefined);
});

test("what the kernel refuses is said, and the rest is in force and stored", () => {
  const device = new BenchDevice();
  const edit = device.appliance.beginEdit("a test");
  setAll(edit, ...OFFICE, "interfaces wan device wan7");
  const committed = edit.commit();
  assert.ok(committed.result === "committed");
  assert.deepEqual(committed.failures, [
    "interfaces wan: add 203.0.113.1/24 to wan7: ENODEV",
    "interfaces wan gateway: set the default route to 203.0.113.254: ENETUNREACH",
  ]);
  assert.match(device.logText(), /error network: interfaces wan: add 203\.0\.113\.1\/24 to wan7: ENODEV/);
  assert.deepEqual(device.appliance.interfaces()[1]?.addresses, ["192.168.1.1/24"]);
});

test("a VPN that the kernel refuses is said too, and the device goes on", () => {
  const device = new BenchDevice();
  device.vpn.refusal = new SystemError("open raw GRE socket", "EPERM");
  const edit = device.appliance.beginEdit("a test");
  setAll(edit, ...OFFICE);
  const committed = edit.commit();
  assert.ok(committed.result === "committed");
  assert.deepEqual(committed.failures, ["vpn: open raw GRE socket: EPERM"]);
  assert.match(device.logText(), /error vpn: open raw GRE socket: EPERM/);
});

test("a configuration with problems is refused whole, and no file is written", () => {
  const device = new BenchDevice();
  const edit = device.appliance.beginEdit("a test");
  setAll(edit, "vpn server enabled true", "system name office");
  const committed = edit.commit();
  assert.ok(committed.result === "refused");
  assert.equal(committed.problems.length, 3);
  assert.equal(device.appliance.name, "culvert");
  assert.equal(device.disk.list().length, 0);
});

test("when the disk fails the old configuration holds and the reason is said", () => {
  const device = new BenchDevice();
  device.disk.isFull = true;
  const edit = device.appliance.beginEdit("a test");
  setAll(edit, "system name office");
  assert.deepEqual(edit.commit(), { result: "not-stored", reason: "ENOSPC: no space left on device, write" });
  assert.equal(device.appliance.name, "culvert");
  assert.ok(edit.changed);
});

test("rollback brings back earlier commits as a candidate; discard forgets it", () => {
  const device = new BenchDevice();
  for (const mtu of [1301, 1302, 1303]) commit(device, `vpn server mtu ${mtu}`);
  const edit = device.appliance.beginEdit("a test");
  assert.ok(edit.rollback(2));
  assert.deepEqual(edit.compare(), ["set vpn server mtu 1301"]);
  assert.equal(device.appliance.running.get("vpn server mtu"), 1303);
  edit.discard();
  assert.equal(edit.changed, false);
  assert.equal(edit.rollback(3), false);
  assert.ok(edit.rollback(1));
  assert.equal(edit.commit().result, "committed");
  assert.equal(device.appliance.running.get("vpn server mtu"), 1302);
  // The rollback is a commit like any other.
  assert.equal(device.appliance.history().length, 4);
  assert.ok(edit.rollback(0));
  assert.equal(edit.changed, false);
});

test("of two people only one commits; the other hears of it", () => {
  const device = new BenchDevice();
  const [one, two] = [device.appliance.beginEdit("a test"), device.appliance.beginEdit("a test")];
  setAll(one, "system name one");
  setAll(two, "system name two");
  assert.equal(one.commit().result, "committed");
  assert.deepEqual(two.commit(), { result: "overtaken", by: "a test" });
  assert.equal(device.appliance.name, "one");
  two.discard();
  setAll(two, "system name two");
  assert.equal(two.commit().result, "committed");
  assert.deepEqual(two.commit(), { result: "unchanged" });
});

test("after damage the last good configuration starts, and the log says so", () => {
  const device = new BenchDevice();
  commit(device, "system name first");
  commit(device, "system name second");
  device.disk.damage("config.2", () => Buffer.alloc(100));
  const restarted = new BenchDevice(device.disk);
  assert.equal(restarted.appliance.name, "first");
  assert.match(
    restarted.logText(),
    /error config: configuration 2 was passed over: it is damaged.*\nerror config: configuration 1 is in force/,
  );
});

test("sessions are shown with addresses as text and their age", () => {
  const device = new BenchDevice();
  const traffic = { receivedPackets: 1, receivedBytes: 2, sentPackets: 3, sentBytes: 4, dropped: {} };
  device.vpn.live = [
    {
      id: 7,
      callId: 1,
      role: "server",
      state: "connected",
      stage: "network-up",
      user: "alice",
      peer: Ipv4(0xcb007132),
      address: Ipv4(0xc0a801c8),
      interfaceName: "pptp0",
      authentication: "mschap-v2",
      encryption: "MPPE-128 stateless",
      connectedAt: Millis(device.clock.now() - 5000),
      traffic,
    },
  ];
  const [session] = device.appliance.sessions();
  assert.equal(session?.peer, "203.0.113.50");
  assert.equal(session?.address, "192.168.1.200");
  assert.equal(session?.connectedForMs, 5000);
  // A client's own row, even when a number comes up twice.
  device.vpn.configured = [{ id: 7, name: "munich", state: "listening", lastFailure: undefined }];
  assert.deepEqual(
    device.appliance.sessions().map(({ role, name, state }) => [role, name, state]),
    [
      ["server", undefined, "connected"],
      ["client", "munich", "listening"],
    ],
  );
  assert.equal(device.appliance.hangUp(8), false);
  assert.equal(device.appliance.hangUp(7), true);
});

test("close ends the sessions, and the power commands reach the machine", async () => {
  const device = new BenchDevice();
  device.appliance.reboot();
  device.appliance.powerOff();
  assert.deepEqual(device.powered, ["reboot", "off"]);
  await device.appliance.close();
  assert.ok(device.vpn.closed);
});
