import assert from "node:assert/strict";
import { test } from "node:test";
import { set } from "../../appliance/config/change.ts";
import { validate } from "../../appliance/config/validate.ts";
import { BRANCH, configOf, OFFICE } from "../support/config-text.ts";

const DHCP = ["dhcp-server enabled true", "dhcp-server pool start 192.168.1.100", "dhcp-server pool count 50"];
const WEB = ["nat mapping web port 80", "nat mapping web address 192.168.1.10"];
const HOST = ["dhcp-server host a mac 02:00:00:00:00:01", "dhcp-server host a address 192.168.1.9"];

/** What is set on top of the office, and where the problem lies. */
const CASES: readonly (readonly [string, readonly string[], readonly [string, RegExp][]])[] = [
  ["all of a router", [...DHCP, ...WEB, ...HOST, "routes static 10.0.0.0/8 via gateway 192.168.1.2"], []],
  [
    "a WAN by DHCP with an address",
    ["interfaces wan mode dhcp"],
    [
      ["interfaces wan address", /mode dhcp it comes from the provider/],
      ["interfaces wan gateway", /mode dhcp/],
    ],
  ],
  [
    "a DHCP server without a pool",
    ["dhcp-server enabled true"],
    [
      ["dhcp-server pool start", /needs it/],
      ["dhcp-server pool count", /needs it/],
    ],
  ],
  [
    "a DHCP pool outside the LAN",
    [...DHCP, "dhcp-server pool start 192.168.2.100"],
    [["dhcp-server pool start", /not all inside/]],
  ],
  [
    "a DHCP pool up to the broadcast address",
    [...DHCP, "dhcp-server pool start 192.168.1.230", "dhcp-server pool count 26"],
    [["dhcp-server pool start", /192\.168\.1\.230 to 192\.168\.1\.255 is not all/]],
  ],
  [
    "a DHCP pool with our address",
    [...DHCP, "dhcp-server pool start 192.168.1.1"],
    [["dhcp-server pool start", /the LAN address/]],
  ],
  [
    "a DHCP pool on the VPN's",
    [...DHCP, "dhcp-server pool start 192.168.1.151"],
    [["dhcp-server pool start", /overlaps the VPN server's, 192\.168\.1\.200/]],
  ],
  [
    "a DHCP pool with the VPN server's own address",
    [...DHCP, "vpn server address 192.168.1.120"],
    [["dhcp-server pool start", /the VPN server's address/]],
  ],
  [
    "a host without an address",
    ["dhcp-server host a mac 02:00:00:00:00:01"],
    [["dhcp-server host a address", /needs it/]],
  ],
  [
    "a host with a group's MAC",
    [...HOST, "dhcp-server host a mac 01:00:5e:00:00:01"],
    [["dhcp-server host a mac", /group's/]],
  ],
  [
    "a host outside the LAN",
    [...HOST, "dhcp-server host a address 10.0.0.1"],
    [["dhcp-server host a address", /not in the LAN/]],
  ],
  [
    "two hosts with one MAC",
    [...HOST, "dhcp-server host b mac 02:00:00:00:00:01", "dhcp-server host b address 192.168.1.8"],
    [["dhcp-server host b mac", /host a has/]],
  ],
  ["a mapping without a host", ["nat mapping web port 80"], [["nat mapping web address", /needs it/]]],
  ["a mapping that is off", ["nat mapping web port 80", "nat mapping web enabled false"], []],
  ["a range the wrong way round", [...WEB, "nat mapping web port 90-80"], [["nat mapping web port", /no range/]]],
  [
    "a range to other ports",
    [...WEB, "nat mapping web port 80-90", "nat mapping web to-port 81"],
    [["nat mapping web to-port", /stay as they are/]],
  ],
  [
    "a port for two hosts",
    [...WEB, "nat mapping x port 70-80", "nat mapping x address 192.168.1.11"],
    [["nat mapping x port", /mapping web has/]],
  ],
  [
    "a port of TCP and one of UDP",
    [...WEB, "nat mapping x protocol udp", "nat mapping x port 80", "nat mapping x address 192.168.1.11"],
    [],
  ],
  ["a mapping to ourselves", [...WEB, "nat mapping web address 192.168.1.1"], [["nat mapping web address", /our own/]]],
  [
    "a mapping of the VPN server's port",
    [...WEB, "nat mapping web port 1700-1800"],
    [["nat mapping web port", /VPN server/]],
  ],
  ["the same while the VPN server is off", [...WEB, "nat mapping web port 1723", "vpn server enabled false"], []],
  [
    "a service and a mapping at one port",
    [...WEB, "firewall service s port 80"],
    [["nat mapping web port", /service s opens/]],
  ],
  ["a service without a port", ["firewall service s protocol udp"], [["firewall service s port", /needs it/]]],
  ["routed with NAT", ["firewall routed true"], [["firewall routed", /no address behind us/]]],
  ["routed without NAT", ["firewall routed true", "nat enabled false"], []],
  [
    "a route with host bits",
    ["routes static 10.0.0.1/8 via gateway 192.168.1.2"],
    [["routes static 10.0.0.1/8", /the network is 10\.0\.0\.0\/8|bits/]],
  ],
  [
    "a route to the LAN",
    ["routes static 192.168.1.0/24 via gateway 203.0.113.9"],
    [["routes static 192.168.1.0/24", /network of the LAN/]],
  ],
  [
    "a route to nowhere near",
    ["routes static 10.0.0.0/8 via gateway 172.16.0.1"],
    [["routes static 10.0.0.0/8 via gateway", /no network of ours/]],
  ],
  [
    "a route to ourselves",
    ["routes static 10.0.0.0/8 via gateway 192.168.1.1"],
    [["routes static 10.0.0.0/8 via gateway", /our own/]],
  ],
  [
    "a route with two ways",
    [...BRANCH, "routes static 10.9.0.0/16 via gateway 192.168.1.2", "routes static 10.9.0.0/16 via tunnel munich"],
    [["routes static 10.9.0.0/16 via", /a gateway and a tunnel/]],
  ],
  [
    "a route into no tunnel",
    ["routes static 10.9.0.0/16 via tunnel munich"],
    [["routes static 10.9.0.0/16 via tunnel", /no enabled client munich/]],
  ],
  [
    "a client's route that is a static one",
    [...BRANCH, "routes static 10.1.0.0/16 via tunnel munich"],
    [["vpn client munich route", /a static route already/]],
  ],
  [
    "a static route is enough to dial on demand",
    [...BRANCH.slice(0, -1), "vpn client munich dial on-demand", "routes static 10.9.0.0/16 via tunnel munich"],
    [],
  ],
];
for (const [name, lines, expected] of CASES)
  test(name, () => {
    const problems = validate(configOf(...OFFICE, ...lines));
    assert.deepEqual(
      problems.map(({ path }) => path),
      expected.map(([path]) => path),
      JSON.stringify(problems),
    );
    for (const [i, [, problem]] of expected.entries()) assert.match(problems[i]?.problem ?? "", problem);
  });

test("PPPoE needs user and password, and no address", () => {
  const problems = validate(configOf("interfaces wan mode pppoe"));
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["interfaces wan pppoe user", "interfaces wan pppoe password"],
  );
  assert.deepEqual(
    validate(configOf("interfaces wan mode pppoe", "interfaces wan pppoe user a", "interfaces wan pppoe password b")),
    [],
  );
});

test("RFC 1123 §2.1 names that cannot be are refused when they are typed", () => {
  for (const line of [
    "syslog server -host",
    "ntp servers 0.pool.ntp.org a..b",
    "routes static 10.0.0.0/33 via gateway 1.2.3.4",
    "routes static 10.0.0.256/8 via gateway 1.2.3.4",
    "nat mapping web port 0",
    "dhcp-server host a mac 02:00:00:00:00",
    "interfaces wan pppoe service two\\words",
  ])
    assert.equal(set(new Map(), line.split(" ")).ok, false, line);
  assert.ok(set(new Map(), ["ntp", "servers", "0.pool.ntp.org", "192.0.2.1"]).ok);
});
