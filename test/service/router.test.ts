/** What a router's configuration makes of the kernel, the daemons and the sockets: only the difference, and in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemError } from "../../appliance/ports.ts";
import { BenchDevice } from "../support/bench-device.ts";
import { OFFICE } from "../support/config-text.ts";

const DHCP_WAN = ["interfaces wan mode dhcp", "interfaces lan address 192.168.1.1/24"];
const BOUND = "event=bound ip=198.51.100.7 mask=24 router=198.51.100.1 dns=192.0.2.53 lease=3600 serverid=198.51.100.1";

/** Commits; returns what could not be put in force. */
function commit(device: BenchDevice, ...lines: readonly string[]): readonly string[] {
  const edit = device.appliance.beginEdit("a test");
  for (const line of lines) {
    const words = line.split(" ");
    assert.equal(words[0] === "delete" ? edit.delete(words.slice(1)) : edit.set(words), undefined, line);
  }
  const committed = edit.commit();
  assert.ok(committed.result === "committed", JSON.stringify(committed));
  return committed.failures;
}
const nftRuns = (device: BenchDevice) => device.bench.programs.runs.filter(({ command }) => command.program === "nft");
const told = (device: BenchDevice, file: string) => device.bench.volatile.read(file)?.toString() ?? "";

test("the firewall stands before any address does, and again only when its rules change", () => {
  const device = new BenchDevice();
  assert.equal(nftRuns(device).length, 1);
  commit(device, ...OFFICE);
  assert.equal(nftRuns(device).length, 2);
  assert.match(nftRuns(device)[1]?.input ?? "", /PPTP calls/);
  commit(device, "interfaces wan gateway 203.0.113.253");
  assert.equal(nftRuns(device).length, 2);
});

test("without a firewall nothing is routed; with an old one the old rules hold", () => {
  const device = new BenchDevice();
  device.bench.programs.behaviours.set("nft", { lines: ["syntax error"], ends: "status 1" });
  assert.deepEqual(commit(device, ...OFFICE), ["firewall: nft: status 1, syntax error; the rules from before hold"]);
  assert.ok(!device.net.changes.includes("forwarding off"));

  const broken = new BenchDevice(device.disk, (bench) =>
    bench.programs.behaviours.set("nft", { lines: [], ends: "ENOENT" }),
  );
  assert.ok(broken.net.changes.includes("forwarding off"));
  assert.match(broken.logText(), /error firewall: nft: ENOENT; nothing is routed/);
  broken.bench.programs.behaviours.delete("nft");
  assert.deepEqual(commit(broken, "system name office"), []);
  assert.equal(broken.net.changes.at(-1), "forwarding on");
});

test("a WAN by DHCP: switched on, asked, given what was lent, and taken away when the lease ends", () => {
  const device = new BenchDevice();
  assert.deepEqual(commit(device, ...DHCP_WAN), []);
  const udhcpc = device.bench.programs.running("udhcpc") ?? assert.fail("no udhcpc");
  assert.equal(udhcpc.command.arguments.join(" ").includes("-i eth0"), true);
  assert.ok(device.net.changes.includes("set eth0 up"));

  udhcpc.print("event=deconfig", BOUND);
  assert.deepEqual(device.appliance.interfaces()[0]?.addresses, ["198.51.100.7/24"]);
  assert.equal(device.appliance.router.routes()[0]?.gateway, "198.51.100.1");
  assert.equal(told(device, "resolv.conf"), "nameserver 192.0.2.53\n");
  assert.match(device.logText(), /info wan: DHCP: 198\.51\.100\.7\/24 from 198\.51\.100\.1/);

  const changes = device.net.changes.length;
  udhcpc.print(BOUND.replace("bound", "renew"));
  assert.equal(device.net.changes.length, changes);

  device.clock.advance(5000);
  assert.equal(device.appliance.router.wan().connectedForMs, 5000);
  udhcpc.print("event=deconfig");
  assert.deepEqual(device.appliance.interfaces()[0]?.addresses, []);
  assert.equal(device.net.defaultGateway(), undefined);
  assert.match(device.logText(), /the connection to the provider is gone/);
});

test("back to a static WAN: the client gives its address back, and ours is set", () => {
  const device = new BenchDevice();
  commit(device, ...DHCP_WAN);
  const udhcpc = device.bench.programs.running("udhcpc") ?? assert.fail();
  udhcpc.print(BOUND);
  commit(device, "delete interfaces wan mode", "interfaces wan address 203.0.113.1/24");
  assert.deepEqual(udhcpc.signals, ["SIGTERM"]);
  udhcpc.print(BOUND); // too late
  udhcpc.end("signal SIGTERM");
  assert.deepEqual(device.appliance.interfaces()[0]?.addresses, ["203.0.113.1/24"]);
  assert.equal(device.bench.programs.running("udhcpc"), undefined);
});

test("a WAN by PPPoE: the module first, then pppd; its words become gateway and name servers", () => {
  const device = new BenchDevice();
  commit(
    device,
    "interfaces wan mode pppoe",
    "interfaces wan pppoe user a@b",
    "interfaces wan pppoe password s3cret",
    "interfaces lan address 192.168.1.1/24",
  );
  assert.ok(device.bench.programs.runs.some(({ command }) => command.arguments.includes("pppoe")));
  const pppd = device.bench.programs.running("pppd") ?? assert.fail("no pppd");
  assert.deepEqual(pppd.command.arguments, ["file", "/run/culvert/pppoe.options"]);
  assert.match(told(device, "pppoe.options"), /password "s3cret"/);

  device.net.addPointToPoint("ppp0", "100.64.0.2", "100.64.0.1");
  pppd.print("local  IP address 100.64.0.2", "remote IP address 100.64.0.1", "primary   DNS address 192.0.2.53");
  assert.equal(device.appliance.router.wan().address, "100.64.0.2");
  assert.equal(device.appliance.router.routes()[0]?.gateway, "100.64.0.1");
  device.bench.programs.running("dnsmasq")?.end("signal SIGTERM");
  assert.match(told(device, "dnsmasq.conf"), /^server=192\.0\.2\.53$/m);

  pppd.print("Connection terminated.");
  pppd.end("status 16");
  assert.equal(device.appliance.router.wan().connectedForMs, undefined);
  device.clock.advance(1000);
  const again = device.bench.programs.running("pppd") ?? assert.fail("pppd was not started again");
  again.print("PAP authentication failed");
  again.end("status 19");
  assert.match(device.appliance.router.wan().lastFailure ?? "", /PAP authentication failed/);
});

test("another password at the provider: what the old call was told is forgotten at once", () => {
  const device = new BenchDevice();
  const dialed = ["interfaces wan mode pppoe", "interfaces wan pppoe user a", "interfaces wan pppoe password b"];
  commit(device, ...dialed);
  device.net.addPointToPoint("ppp0", "100.64.0.2", "100.64.0.1");
  device.bench.programs.running("pppd")?.print("local  IP address 100.64.0.2", "remote IP address 100.64.0.1");
  assert.notEqual(device.net.defaultGateway(), undefined);
  assert.deepEqual(commit(device, "interfaces wan pppoe password c"), []);
  assert.equal(device.net.defaultGateway(), undefined);
  assert.equal(device.appliance.router.wan().connectedForMs, undefined);
});

test("dnsmasq is told what changed, after the old one is gone, and nothing else makes it start again", () => {
  const device = new BenchDevice();
  commit(device, ...OFFICE);
  const first = device.bench.programs.running("dnsmasq") ?? assert.fail("no dnsmasq");
  commit(device, "vpn server mtu 1300");
  assert.equal(device.bench.programs.running("dnsmasq"), first);

  commit(device, "dns servers 9.9.9.9");
  assert.deepEqual(first.signals, ["SIGTERM"]);
  assert.equal(device.bench.programs.started.filter(({ command }) => command.program === "dnsmasq").length, 1);
  first.end("signal SIGTERM");
  assert.notEqual(device.bench.programs.running("dnsmasq"), undefined);
  assert.match(told(device, "dnsmasq.conf"), /^server=9\.9\.9\.9$/m);
  commit(device, "dns proxy false");
  device.bench.programs.running("dnsmasq")?.end("signal SIGTERM");
  assert.equal(device.bench.programs.running("dnsmasq"), undefined);
});

test("a daemon that ends is started again, later each time, and the log says why", () => {
  const device = new BenchDevice();
  commit(device, ...OFFICE);
  for (const waitMs of [1000, 2000, 4000]) {
    const running = device.bench.programs.running("dnsmasq") ?? assert.fail("no dnsmasq");
    running.print("dnsmasq: cannot bind");
    running.end("status 2");
    device.clock.advance(waitMs - 1);
    assert.equal(device.bench.programs.running("dnsmasq"), undefined);
    device.clock.advance(1);
  }
  assert.match(device.logText(), /warning system: dnsmasq ended \(status 2\): dnsmasq: cannot bind/);
  device.clock.advance(60_000);
  device.bench.programs.running("dnsmasq")?.end("status 2");
  device.clock.advance(1000);
  assert.notEqual(device.bench.programs.running("dnsmasq"), undefined);
});

test("static routes follow the configuration, and one by the provider's network waits for it", () => {
  const device = new BenchDevice();
  commit(
    device,
    ...DHCP_WAN,
    "routes static 10.1.0.0/16 via gateway 192.168.1.2",
    "routes static 10.2.0.0/16 via gateway 198.51.100.9",
  );
  const networks = () => device.appliance.router.routes().map(({ network }) => network);
  assert.ok(networks().includes("10.1.0.0/16"));
  assert.ok(!networks().includes("10.2.0.0/16"));
  device.bench.programs.running("udhcpc")?.print(BOUND);
  assert.ok(networks().includes("10.2.0.0/16"));
  commit(device, "delete routes static 10.1.0.0/16");
  assert.ok(!networks().includes("10.1.0.0/16"));
});

test("the log goes to a server over UDP, from its level on", () => {
  const device = new BenchDevice();
  commit(device, "syslog server 192.0.2.9", "syslog level warning", "system name office");
  device.appliance.log("info", "test", "not this");
  device.appliance.log("error", "test", "but this");
  const texts = device.bench.udp.sent.map(({ bytes }) => bytes.toString());
  assert.equal(texts.length, 1);
  assert.match(texts[0] ?? "", /^<131>1 2026-\S+Z office culvert - test - \ufeffbut this$/);
  device.bench.udp.fail(new SystemError("send", "ENETUNREACH"));
  device.bench.udp.fail(new SystemError("send", "ENETUNREACH"));
  assert.equal(device.logText().match(/192\.0\.2\.9 cannot be reached/g)?.length, 1);
  commit(device, "delete syslog");
  assert.equal(device.bench.udp.openSockets, 0);
});

test("over TCP lines wait for the connection, which is made again when it ends", () => {
  const device = new BenchDevice();
  commit(device, "syslog server logs.example", "syslog transport tcp", "syslog port 601");
  device.appliance.log("info", "test", "early");
  const [first] = device.bench.tcp.streams;
  assert.deepEqual([first?.host, first?.port, first?.sent.length], ["logs.example", 601, 0]);
  first?.up();
  const early = first?.sent.map(String).filter((text) => text.endsWith("early"));
  assert.match(early?.[0] ?? "", /^\d+ <134>1 /);
  first?.down("ECONNRESET");
  device.appliance.log("info", "test", "meanwhile");
  device.clock.advance(1000);
  device.bench.tcp.streams[1]?.up();
  const sent = device.bench.tcp.streams[1]?.sent.map(String) ?? [];
  assert.match(sent.join("\n"), /cannot be reached: ECONNRESET[\s\S]*meanwhile/);
});
