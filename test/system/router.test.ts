/** The router on the kernel, with nft, dnsmasq and udhcpc, between a provider and an office in namespaces of their own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { folderDisk } from "../../appliance/config/disk.ts";
import { routerSettings } from "../../appliance/config/settings-router.ts";
import { kernelClock } from "../../appliance/linux/clock.ts";
import { kernelNet } from "../../appliance/linux/net.ts";
import { systemPrograms } from "../../appliance/linux/programs.ts";
import { kernelRandom } from "../../appliance/linux/random.ts";
import { sendTransport, udpTransport } from "../../appliance/linux/send-transport.ts";
import { loopTimers } from "../../appliance/linux/timers.ts";
import { ruleset } from "../../appliance/router/ruleset.ts";
import { Journal } from "../../appliance/service/journal.ts";
import { Network } from "../../appliance/service/network.ts";
import { Router } from "../../appliance/service/router.ts";
import { projectRoot } from "../../image/project.ts";
import { configOf } from "../support/config-text.ts";
import { FarHost, ip } from "../support/far-host.ts";
import { hostAddon } from "../support/native.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";
import { RULESETS } from "../support/rulesets.ts";

const TIMEOUT = { timeout: 30_000 };
const LAN = ["interfaces wan device wan0", "interfaces lan device lan0", "interfaces lan address 192.168.1.1/24"];
const STATIC = ["interfaces wan address 203.0.113.1/24", "interfaces wan gateway 203.0.113.254"];
const MAPPING = ["nat mapping a port 8000", "nat mapping a address 192.168.1.10", "nat mapping a to-port 9000"];

await inNetworkNamespace(async () => {
  const folder = mkdtempSync(join(tmpdir(), "culvert-router-"));
  const addon = await hostAddon();
  const net = kernelNet(addon);
  const journal = new Journal(() => new Date());
  const router = new Router({
    net,
    network: new Network(net, journal),
    programs: systemPrograms,
    timers: loopTimers,
    clock: kernelClock,
    wallClock: { nowMs: () => Date.now(), setMs: () => assert.fail("nobody may set this machine's clock") },
    random: kernelRandom(addon),
    udp: udpTransport,
    tcp: sendTransport,
    log: journal,
    journal,
    disk: folderDisk(folder),
    folder,
    leaseScript: join(projectRoot, "image/rootfs/usr/lib/culvert/report-lease"),
    leases: { disk: folderDisk(join(folder, "dhcp")), folder: join(folder, "dhcp") },
  });
  after(() => {
    router.close();
    rmSync(folder, { recursive: true });
  });
  const apply = (...lines: readonly string[]): void =>
    assert.deepEqual(router.apply(routerSettings(configOf(...LAN, ...lines))), []);
  const log = (): string =>
    journal
      .last(50)
      .map(({ text }) => text)
      .join("\n");
  /** Looks again until it is so, as nothing here tells when. */
  const until = async <T>(look: () => T | undefined, what: string): Promise<T> => {
    for (let tries = 0; tries < 100; tries++) {
      const found = look();
      if (found !== undefined) return found;
      await delay(100);
    }
    return assert.fail(`${what} did not come:\n${log()}`);
  };

  const provider = await FarHost.join("wan0", "203.0.113.254/24");
  const pc = await FarHost.join("lan0", "192.168.1.10/24");
  pc.run("ip", "route", "add", "default", "via", "192.168.1.1");
  await provider.tellAddresses(7000);
  await pc.tellAddresses(9000);

  for (const [name, lines] of RULESETS)
    test(`nft takes the rules of: ${name}`, TIMEOUT, () => {
      execFileSync("nft", ["-c", "-f", "-"], { input: ruleset(routerSettings(configOf(...lines)).firewall) });
    });

  test("the office goes out with the WAN's address, and nobody comes in but by the mapped port", TIMEOUT, () => {
    apply(...STATIC, ...MAPPING);
    assert.equal(pc.ask("203.0.113.254", 7000), "203.0.113.1");
    assert.equal(provider.ask("203.0.113.1", 8000), "203.0.113.254");
    provider.run("ip", "route", "add", "192.168.1.0/24", "via", "203.0.113.1");
    assert.equal(provider.ask("203.0.113.1", 9000), undefined);
    assert.equal(provider.ask("192.168.1.10", 9000), undefined);
    assert.ok(!provider.succeeds("ping", "-c", "1", "-W", "1", "192.168.1.10"));
  });

  test("pings from the Internet as configured; the LAN is always answered", TIMEOUT, () => {
    const pinged = () => provider.succeeds("ping", "-c", "1", "-W", "1", "203.0.113.1");
    apply(...STATIC);
    assert.ok(pinged());
    apply(...STATIC, "firewall ping-from-wan false");
    assert.ok(!pinged());
    assert.ok(pc.succeeds("ping", "-c", "1", "-W", "1", "192.168.1.1"));
  });

  test("without NAT, and routed, the Internet reaches the office by its own address", TIMEOUT, () => {
    apply(...STATIC, "nat enabled false", "firewall routed true");
    assert.equal(provider.ask("192.168.1.10", 9000), "203.0.113.254");
    assert.equal(pc.ask("203.0.113.254", 7000), "192.168.1.10");
  });

  test("a port of the device itself is open to those networks alone that may come in", TIMEOUT, async () => {
    const own = (await import("node:net")).createServer((socket) => socket.end("hello"));
    await new Promise<void>((resolve) => own.listen(2222, "0.0.0.0", resolve));
    const script = `const s = require("net").connect(2222, "203.0.113.1"); const end = (text) => { console.log(text); process.exit(); }; s.setTimeout(1000, () => end("silence")); s.on("data", end);`;
    // Not FarHost.ask, which would block this process: it is to answer.
    const ask = (): Promise<unknown> => provider.start(process.execPath, "-e", script);
    apply(...STATIC);
    const counted = async (): Promise<number> => {
      const rules = await router.firewallRules();
      return typeof rules === "string"
        ? assert.fail(rules)
        : (rules.find(({ what }) => what === "service a tcp")?.packets ?? -1);
    };
    assert.equal(await counted(), -1);
    apply(...STATIC, "firewall service a port 2222", "firewall service a from 198.51.100.0/24");
    await ask();
    assert.equal(await counted(), 0);
    apply(...STATIC, "firewall service a port 2222", "firewall service a from 203.0.113.0/24");
    await ask();
    assert.equal(await counted(), 1);
    own.close();
  });

  test(
    "into tunnels the office goes by its own address, or by ours where the tunnel's name says so",
    TIMEOUT,
    async () => {
      apply(...STATIC);
      for (const [name, third] of [
        ["pptp0", 1],
        ["pptp-nat0", 2],
      ] as const) {
        const far = await FarHost.join(name, `10.8.${third}.2/24`);
        ip(`address add 10.8.${third}.1/24 dev ${name}`);
        ip(`link set ${name} up`);
        far.run("ip", "route", "add", "192.168.1.0/24", "via", `10.8.${third}.1`);
        await far.tellAddresses(7000);
      }
      assert.equal(pc.ask("10.8.1.2", 7000), "192.168.1.10");
      assert.equal(pc.ask("10.8.2.2", 7000), "10.8.2.1");
    },
  );

  test("TCP through a tunnel learns its size from the handshake, in both directions", TIMEOUT, async () => {
    apply(
      ...STATIC,
      ...["server 203.0.113.254", "user a", "password b", "mtu 1300"].map((line) => `vpn client a ${line}`),
    );
    const far = await FarHost.join("pptp1", "10.8.3.2/24");
    ip("address add 10.8.3.1/24 dev pptp1");
    ip("link set pptp1 up mtu 1300");
    far.run("ip", "route", "add", "192.168.1.0/24", "via", "10.8.3.1");
    const wait = `require("net").createServer(() => {}).listen(7001, "0.0.0.0", () => console.log("up"))`;
    await far.start(process.execPath, "-e", wait);
    const connect = `require("net").connect(7001, "10.8.3.2", () => console.log("up"))`;
    await pc.start(process.execPath, "-e", connect);
    // 1260 less the 12 bytes of the timestamps, although both ends have an MTU of 1500.
    for (const host of [far, pc]) assert.match(host.run("ss", "-tin", "state", "established"), /\bmss:1248\b/);
  });

  test("a static route leads to the router that it names", TIMEOUT, () => {
    provider.run("ip", "address", "add", "198.51.100.1/32", "dev", "lo");
    apply(...STATIC, "routes static 198.51.100.0/24 via gateway 203.0.113.254");
    assert.match(ip("route show 198.51.100.0/24"), /via 203\.0\.113\.254 dev wan0/);
    assert.equal(pc.ask("198.51.100.1", 7000), "203.0.113.1");
    apply(...STATIC);
    assert.equal(ip("route show 198.51.100.0/24"), "");
  });

  test("the WAN by DHCP, the office by ours, names through both", TIMEOUT, async () => {
    writeFileSync(
      join(folder, "provider.conf"),
      `user=root\nno-resolv\nno-hosts\ninterface=eth0\npid-file=\nlog-facility=-\nkeep-in-foreground\nbind-interfaces
dhcp-range=203.0.113.100,203.0.113.109,10m\ndhcp-option=option:router,203.0.113.254
dhcp-option=option:dns-server,203.0.113.254\ndhcp-leasefile=${folder}/provider.leases\nhost-record=www.lab.example,198.51.100.80\n`,
    );
    await provider.start("sh", "-c", `exec dnsmasq --conf-file=${folder}/provider.conf 2>&1`);
    apply(
      "interfaces wan mode dhcp",
      "dhcp-server enabled true",
      "dhcp-server pool start 192.168.1.50",
      "dhcp-server pool count 1",
    );
    const wan = await until(() => router.wan().address, "an address by DHCP");
    assert.match(ip("address show dev wan0"), /inet 203\.0\.113\.10\d\/24/);
    assert.match(ip("route show default"), /via 203\.0\.113\.254 dev wan0/);

    const script = join(projectRoot, "image/rootfs/usr/lib/culvert/report-lease");
    const lease = await until(() => {
      const said = pc.run("sh", "-c", `udhcpc -i eth0 -n -q -t 2 -T 1 -s ${script} 2>&1; true`);
      return /^event=bound .*$/m.exec(said)?.[0];
    }, "an address for the office");
    assert.match(lease, /ip=192\.168\.1\.50 mask=24 router=192\.168\.1\.1 dns=192\.168\.1\.1 /);
    assert.deepEqual(
      router.leases().map(({ address }) => address),
      [0xc0a80132],
    );

    const resolve = `const r = new (require("dns").Resolver)({ timeout: 1000 }); r.setServers(["192.168.1.1"]); r.resolve4("www.lab.example", (e, a) => { console.log(e ?? a[0]); });`;
    const resolved = await until(() => {
      const said = pc.run(process.execPath, "-e", resolve).trim();
      return said === "198.51.100.80" ? said : undefined;
    }, "an answer about www.lab.example");
    assert.equal(resolved, "198.51.100.80");
    assert.notEqual(wan, undefined);
    assert.match(pc.ask("203.0.113.254", 7000) ?? "", /^203\.0\.113\.10\d$/);

    apply(...STATIC);
    await until(
      () => (ip("address show dev wan0").includes("203.0.113.10") ? undefined : true),
      "the end of the lease",
    );
    assert.match(ip("address show dev wan0"), /inet 203\.0\.113\.1\/24/);
  });
});
