import assert from "node:assert/strict";
import { test } from "node:test";
import { validate, warnings } from "../../appliance/config/validate.ts";
import { BRANCH, configOf, OFFICE } from "../support/config-text.ts";

/** Another client, complete but for these lines. */
function second(...lines: readonly string[]): readonly string[] {
  return [...BRANCH.slice(0, -1).map((line) => line.replace("munich", "berlin")), ...lines];
}

/** What is set on top of the office, and where the problem lies; a line may set a value again. */
const CASES: readonly (readonly [string, readonly string[], readonly [string, RegExp][]])[] = [
  ["the office", [], []],
  ["a pool beside the LAN", ["vpn server pool start 10.9.0.1"], []],
  ["a pool of the last host address", ["vpn server pool start 192.168.1.254", "vpn server pool count 1"], []],
  [
    "a pool up to the broadcast address",
    ["vpn server pool start 192.168.1.250", "vpn server pool count 6"],
    [["vpn server pool start", /192\.168\.1\.250 to 192\.168\.1\.255 lies partly/]],
  ],
  [
    "a pool with the LAN address, which is the server's",
    ["vpn server pool start 192.168.1.1"],
    [["vpn server pool start", /own address 192\.168\.1\.1/]],
  ],
  [
    "a pool with the LAN address beside the server's",
    ["vpn server pool start 192.168.1.1", "vpn server address 192.168.1.100"],
    [["vpn server pool start", /the LAN address 192\.168\.1\.1/]],
  ],
  [
    "a pool with the server's own address",
    ["vpn server address 192.168.1.219"],
    [["vpn server pool start", /own address 192\.168\.1\.219/]],
  ],
  ["the address behind the pool", ["vpn server address 192.168.1.220"], []],
  [
    "a pool in the WAN's network",
    ["vpn server pool start 203.0.113.200"],
    [["vpn server pool start", /overlaps the WAN/]],
  ],
  [
    "a pool that runs into the multicast addresses",
    ["vpn server pool start 223.255.255.250"],
    [["vpn server pool start", /runs out of the host addresses/]],
  ],
  [
    "RFC 3079 §1 required encryption with PAP",
    ["vpn server authentication mschap-v2 pap chap-md5"],
    [["vpn server authentication", /pap and chap-md5 cannot be used with required encryption/]],
  ],
  ["optional encryption with PAP", ["vpn server authentication mschap-v2 pap", "vpn server encryption optional"], []],
  ["an account without a password", ["vpn account bob enabled true"], [["vpn account bob password", /no password/]]],
  ["an account's own address", ["vpn account alice address 192.168.1.205"], []],
  [
    "one address for two accounts",
    ["vpn account alice address 10.0.0.9", "vpn account bob password x", "vpn account bob address 10.0.0.9"],
    [["vpn account bob address", /account alice has the address 10\.0\.0\.9/]],
  ],
  [
    "the LAN address for an account",
    ["vpn account alice address 192.168.1.1"],
    [["vpn account alice address", /the LAN interface has/]],
  ],
  [
    "a gateway outside the WAN",
    ["interfaces wan gateway 203.0.114.1"],
    [["interfaces wan gateway", /not in the WAN's network/]],
  ],
  ["our own address as gateway", ["interfaces wan gateway 203.0.113.1"], [["interfaces wan gateway", /our own/]]],
  [
    "a broadcast address as our own",
    ["interfaces lan address 192.168.1.255/24"],
    [["interfaces lan address", /network or broadcast/]],
  ],
  ["overlapping networks", ["interfaces lan address 203.0.113.65/26"], [["interfaces lan address", /overlaps/]]],
  ["one device for both", ["interfaces lan device eth0"], [["interfaces lan device", /WAN device too/]]],
  ["a client", BRANCH, []],
  [
    "a client without anything",
    ["vpn client munich mtu 1300"],
    [
      ["vpn client munich server", /needs it/],
      ["vpn client munich user", /needs it/],
      ["vpn client munich password", /needs it/],
    ],
  ],
  ["an unfinished client that is off", ["vpn client munich enabled false"], []],
  [
    "a client of ourselves",
    [...BRANCH, "vpn client munich server 203.0.113.1"],
    [["vpn client munich server", /203\.0\.113\.1 is our own address: the WAN interface has it/]],
  ],
  [
    "a client of our own server",
    [...BRANCH, "vpn server address 10.5.5.5", "vpn client munich server 10.5.5.5"],
    [["vpn client munich server", /the VPN server has it/]],
  ],
  [
    "a client with required encryption that would send PAP",
    [...BRANCH, "vpn client munich authentication pap"],
    [["vpn client munich authentication", /pap cannot be used with required encryption/]],
  ],
  [
    "a client with PAP and no encryption",
    [...BRANCH, "vpn client munich authentication pap", "vpn client munich encryption none"],
    [],
  ],
  ["a client with MS-CHAPv1", [...BRANCH, "vpn client munich authentication mschap-v1"], []],
  [
    "dial on demand without a route",
    [...BRANCH.slice(0, -1), "vpn client munich dial on-demand"],
    [["vpn client munich route", /no packet can ever make it dial/]],
  ],
  ["dial on demand with a route", [...BRANCH, "vpn client munich dial on-demand"], []],
  ["a route that contains the client's own server", [...BRANCH, "vpn client munich route 198.51.100.0/24"], []],
  ["routes to everything", [...BRANCH, "vpn client munich route 0.0.0.0/1 128.0.0.0/1"], []],
  [
    "a route that is the client's own server",
    [...BRANCH, "vpn client munich route 198.51.100.9/32"],
    [["vpn client munich route", /is the way to the server of client munich already/]],
  ],
  [
    "a route that is the LAN, and one that is the WAN",
    [...BRANCH, "vpn client munich route 192.168.1.0/24 203.0.113.0/24 192.168.1.0/25"],
    [
      ["vpn client munich route", /192\.168\.1\.0\/24 is the network of the LAN/],
      ["vpn client munich route", /203\.0\.113\.0\/24 is the network of the WAN/],
    ],
  ],
  [
    "one route for two clients",
    [...BRANCH, ...second("vpn client berlin route 10.2.0.0/16 10.1.0.0/16")],
    [["vpn client munich route", /10\.1\.0\.0\/16 is a route of client berlin already/]],
  ],
  [
    "one route for a client and for a branch office that dials in",
    [...BRANCH, "vpn account branch password s3cret", "vpn account branch route 10.1.0.0/16"],
    [["vpn client munich route", /10\.1\.0\.0\/16 is a route of account branch already/]],
  ],
  [
    "two branch offices with the LAN's network and each other's",
    [
      "vpn account a password s3cret",
      "vpn account a route 192.168.1.0/24 10.1.0.0/16",
      "vpn account b password s3cret",
      "vpn account b route 10.1.0.0/16",
    ],
    [
      ["vpn account a route", /is the network of the LAN already/],
      ["vpn account b route", /is a route of account a already/],
    ],
  ],
  [
    "a disabled account stands by with the same route",
    [
      "vpn account a password s3cret",
      "vpn account a route 10.1.0.0/16",
      "vpn account b password s3cret",
      "vpn account b route 10.1.0.0/16",
      "vpn account b enabled false",
    ],
    [],
  ],
  ["a narrower route by another client", [...BRANCH, ...second("vpn client berlin route 10.1.2.0/24")], []],
  [
    "one route for two clients, of which one is off",
    [...BRANCH, ...second("vpn client berlin route 10.1.0.0/16", "vpn client berlin enabled false")],
    [],
  ],
  ["a point-to-point WAN", ["interfaces wan address 203.0.113.2/31", "interfaces wan gateway 203.0.113.3"], []],
];

for (const [name, lines, expected] of CASES) {
  test(name, () => {
    const problems = validate(configOf(...OFFICE, ...lines));
    assert.deepEqual(
      problems.map(({ path }) => path),
      expected.map(([path]) => path),
      JSON.stringify(problems),
    );
    for (const [i, [, text]] of expected.entries()) {
      assert.match(problems[i]?.problem ?? "", text);
      assert.notEqual(problems[i]?.hint, "");
    }
  });
}

test("an empty configuration is good, and a server that is on names all it lacks", () => {
  assert.deepEqual(validate(configOf()), []);
  assert.deepEqual(
    validate(configOf("vpn server enabled true")).map(({ path }) => path),
    ["vpn server address", "vpn server pool start", "vpn server pool count"],
  );
  assert.deepEqual(
    validate(configOf("vpn server pool count 3", "interfaces wan gateway 10.0.0.1")).map(({ path }) => path),
    ["interfaces wan gateway", "vpn server pool start"],
  );
});

test("PPTP's weakness is said once: when the first end is switched on", () => {
  const weak = /PPTP is broken cryptography/;
  const on = configOf(...OFFICE);
  assert.match(warnings(configOf(), on).join(), weak);
  assert.deepEqual(warnings(on, configOf(...OFFICE, "vpn server mtu 1300")), []);
  assert.deepEqual(warnings(on, configOf()), []);
  const client = configOf(...BRANCH);
  assert.match(warnings(configOf(), client).join(), weak);
  assert.deepEqual(warnings(client, configOf(...OFFICE, ...BRANCH)), []);
  assert.deepEqual(warnings(configOf(), configOf(...BRANCH, "vpn client munich enabled false")), []);
  assert.match(warnings(on, configOf(...OFFICE, "vpn account alice enabled false")).join(), /no account can dial in/);
});

test("RFC 3079 §2 short keys after MS-CHAPv1 are warned of once, at the end that has them", () => {
  const before = configOf(...OFFICE, ...BRANCH);
  const heard = (...lines: readonly string[]) => warnings(before, configOf(...OFFICE, ...BRANCH, ...lines));
  const old = ["vpn client munich authentication mschap-v2 mschap-v1", "vpn client munich strengths 128 40"];
  assert.match(heard(...old).join(), /^vpn client munich: after MS-CHAPv1 the keys of 40 and 56 bits are the same/);
  assert.deepEqual(heard(...old.slice(0, 1)), []);
  assert.deepEqual(heard(...old.slice(1)), []);
  assert.deepEqual(heard(...old, "vpn client munich encryption none"), []);
  assert.match(heard("vpn server authentication mschap-v1", "vpn server strengths 56").join(), /^vpn server: /);
  const used = configOf(...OFFICE, ...BRANCH, ...old);
  assert.deepEqual(warnings(used, configOf(...OFFICE, ...BRANCH, ...old, "vpn server mtu 1300")), []);
  const off = configOf(...OFFICE, ...BRANCH, ...old, "vpn client munich enabled false");
  assert.match(warnings(off, used).join(), /^vpn client munich: /, "switched on, it is new");
});
