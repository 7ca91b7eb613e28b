/** What dnsmasq, udhcpc and pppd are told, and how what they say is read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { routerSettings } from "../../appliance/config/settings-router.ts";
import { parseDhcpReport, udhcpcArguments } from "../../appliance/router/dhcp-client.ts";
import { dnsmasqConfig, parseLeases } from "../../appliance/router/dnsmasq.ts";
import { parsePppdLine, pppoeOptions } from "../../appliance/router/pppoe.ts";
import { configOf } from "../support/config-text.ts";
import { ip } from "../support/link-end.ts";

const FILES = { leases: "/data/leases" };
const LAN = "interfaces lan address 192.168.1.1/24";
const DHCP = ["dhcp-server enabled true", "dhcp-server pool start 192.168.1.100", "dhcp-server pool count 50"];
const lan = (...lines: readonly string[]) => routerSettings(configOf(...lines)).lan;

test("dnsmasq: DHCP and DNS for the LAN, the provider's name servers behind it", () => {
  const config = dnsmasqConfig(
    lan(LAN, ...DHCP, "dhcp-server host printer mac 02:00:00:00:00:AA", "dhcp-server host printer address 192.168.1.9"),
    [ip("192.0.2.53"), ip("192.0.2.54")],
    FILES,
  );
  assert.equal(
    config,
    `interface=eth1
bind-dynamic
no-resolv
no-hosts
no-poll
user=nobody
group=nogroup
pid-file=
cache-size=1000
domain-needed
bogus-priv
server=192.0.2.53
server=192.0.2.54
dhcp-range=192.168.1.100,192.168.1.149,255.255.255.0,720m
dhcp-authoritative
dhcp-leasefile=/data/leases
dhcp-option=option:router,192.168.1.1
dhcp-option=option:dns-server,192.168.1.1
dhcp-host=02:00:00:00:00:aa,192.168.1.9,printer
`,
  );
});

test("dnsmasq: fixed name servers go before the provider's; without the proxy the hosts are told them", () => {
  const set = [LAN, ...DHCP, "dns proxy false", "dns servers 198.51.100.1"];
  const config = dnsmasqConfig(lan(...set), [ip("192.0.2.53")], FILES) ?? "";
  assert.match(config, /^port=0$/m);
  assert.match(config, /^dhcp-option=option:dns-server,198\.51\.100\.1$/m);
  assert.doesNotMatch(config, /192\.0\.2\.53/);
});

test("dnsmasq has nothing to do without a LAN address, or without proxy and DHCP", () => {
  assert.equal(dnsmasqConfig(lan(...DHCP), [], FILES), undefined);
  assert.equal(dnsmasqConfig(lan(LAN, "dns proxy false"), [], FILES), undefined);
});

test("leases are read by address, and lines that are none passed over", () => {
  const text = `1764086400 02:00:00:00:00:02 192.168.1.120 desk 01:02:00:00:00:00:02
0 02:00:00:00:00:01 192.168.1.9 * *
duid 00:01:00:01
`;
  assert.deepEqual(parseLeases(text), [
    { address: ip("192.168.1.9"), mac: "02:00:00:00:00:01", name: undefined, expiresAt: undefined },
    { address: ip("192.168.1.120"), mac: "02:00:00:00:00:02", name: "desk", expiresAt: 1_764_086_400 },
  ]);
  fc.assert(fc.property(fc.string(), (any) => parseLeases(any).every(({ mac }) => mac !== "")));
});

test("udhcpc stays in the foreground on its interface and gives the address back", () => {
  assert.equal(
    udhcpcArguments("eth0", "office", "/script").join(" "),
    "-f -R -t 4 -T 3 -A 20 -i eth0 -s /script -x hostname:office",
  );
});

test("a lease is read with all that matters; what makes no sense is no lease", () => {
  const line =
    "event=bound ip=198.51.100.7 mask=24 router=198.51.100.1,198.51.100.2 dns=192.0.2.53,x lease=3600 serverid=198.51.100.1";
  assert.deepEqual(parseDhcpReport(line), {
    event: "bound",
    lease: {
      address: { address: ip("198.51.100.7"), length: 24 },
      gateway: ip("198.51.100.1"),
      dns: [ip("192.0.2.53")],
      server: ip("198.51.100.1"),
      leaseSeconds: 3600,
    },
  });
  assert.equal(parseDhcpReport(line.replace("bound", "renew")).event, "bound");
  assert.equal(parseDhcpReport("event=deconfig ip= mask=").event, "deconfig");
  for (const bad of [
    "event=bound ip=1.2.3 mask=24",
    "event=bound ip=1.2.3.4 mask=33",
    "event=leasefail",
    "udhcpc: started",
  ])
    assert.equal(parseDhcpReport(bad).event, "other", bad);
  fc.assert(fc.property(fc.string(), (any) => ["bound", "deconfig", "other"].includes(parseDhcpReport(any).event)));
});

test("RFC 2516 §7 pppd's options: the MTU less the headers, quoted words, sizes, and no default route of its own", () => {
  const { wan } = routerSettings(
    configOf("interfaces wan mode pppoe", "interfaces wan pppoe user a@b", "interfaces wan pppoe mtu 1480"),
  );
  const text = pppoeOptions("eth0", { ...wan.pppoe, password: 'q"\\ x', service: "fast" });
  assert.match(text, /^plugin rp-pppoe\.so\nrp_pppoe_service "fast"\nnic-eth0$/m);
  assert.match(text, /^user "a@b"\npassword "q\\"\\\\ x"$/m);
  assert.match(text, /^mtu 1480\nmru 1480$/m);
  assert.match(text, /^nodefaultroute$/m);
});

test("pppd's messages: addresses, the end, and why", () => {
  assert.deepEqual(parsePppdLine("local  IP address 100.64.0.2"), { event: "local", address: ip("100.64.0.2") });
  assert.deepEqual(parsePppdLine("remote IP address 100.64.0.1"), { event: "remote", address: ip("100.64.0.1") });
  assert.deepEqual(parsePppdLine("secondary DNS address 9.9.9.9"), { event: "dns", address: ip("9.9.9.9") });
  assert.equal(parsePppdLine("Connection terminated.").event, "down");
  assert.equal(parsePppdLine("CHAP authentication failed").event, "failure");
  assert.equal(parsePppdLine("Timeout waiting for PADO packets").event, "failure");
  assert.equal(parsePppdLine("Connect: ppp0 <--> eth0").event, "other");
  fc.assert(fc.property(fc.string(), (any) => typeof parsePppdLine(any).event === "string"));
});
