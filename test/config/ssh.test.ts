import assert from "node:assert/strict";
import { test } from "node:test";
import { leafAt } from "../../appliance/config/config.ts";
import { toLines } from "../../appliance/config/diff.ts";
import { sshSettings } from "../../appliance/config/settings-ssh.ts";
import { validate } from "../../appliance/config/validate.ts";
import { isValue, parseValue } from "../../appliance/config/value.ts";
import { Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { configOf } from "../support/config-text.ts";
import * as keys from "../support/ssh-keys.ts";

const LAN = "interfaces lan address 192.168.1.1/24";
const ON = [LAN, "system ssh enabled true"];
const leaf = leafAt("system ssh key bob public-key") ?? assert.fail();

test("a line of a .pub file is a key, with and without its comment, in quotes or not; the comment is not kept", () => {
  const [type = "", key = ""] = keys.ED25519.split(" ");
  for (const words of [
    [type, key],
    [type, key, "bob@pc"],
    [keys.ED25519],
    [`${keys.ED25519} bob at his pc`],
    [type, key, "bob", "at", "his", "pc"],
  ])
    assert.deepEqual(parseValue(leaf, words), { ok: true, value: [type, key] });
  assert.ok(isValue(leaf, [type, key]));
  assert.ok(!isValue(leaf, [type, key, "comment"]));
  assert.ok(!isValue(leaf, `${type} ${key}`));
  for (const line of [keys.RSA_2048, keys.NISTP256, keys.NISTP384, keys.NISTP521])
    assert.ok(parseValue(leaf, line.split(" ")).ok, line);
});

test("what is no key is refused by field, with the reason", () => {
  const [type = "", key = ""] = keys.ED25519.split(" ");
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[], 0, /value is missing/],
    [[""], 0, /no type of key/],
    [["ssh-dss", key], 0, /"ssh-dss" is no type/],
    [["no-pty", type, key], 0, /"no-pty" is no type/],
    [["-----BEGIN", "OPENSSH", "PRIVATE", "KEY-----"], 0, /private key/],
    [[type], 0, /the key is missing/],
    [[type, "AAAA!"], 1, /no base64/],
    [[type, key.slice(0, -4)], 1, /cut short/],
    [[type, `${key}=`], 1, /no base64/],
    [[type, `${key}AAAA`], 1, /no key of type/],
    [["ssh-rsa", key], 1, /inside is of type ssh-ed25519/],
    [keys.RSA_1024.split(" "), 1, /1024 bits instead of 2048 to 4096/],
    [[type, key, "a\u0007b"], 2, /control characters/],
  ];
  for (const [words, at, problem] of cases) {
    const parsed = parseValue(leaf, words);
    if (parsed.ok) assert.fail(words.join(" "));
    assert.match(parsed.problem, problem);
    assert.equal(parsed.at, at, parsed.problem);
  }
});

test("SSH is off until it is enabled, listens on the LAN's address, and on every one only when the firewall lets it in", () => {
  assert.equal(sshSettings(configOf(LAN)), undefined);
  assert.equal(sshSettings(configOf("system ssh enabled true")), undefined, "no address to listen on");
  const settings = sshSettings(configOf(...ON, `system ssh key bob public-key ${keys.ED25519}`));
  assert.deepEqual(settings, {
    port: 22,
    address: parseIpv4("192.168.1.1") ?? Ipv4(0),
    passwordLogin: true,
    idleMinutes: 10,
    keys: [{ name: "bob", type: "ssh-ed25519", base64: keys.ED25519.split(" ")[1] }],
  });
  assert.notEqual(sshSettings(configOf(...ON, "firewall management lan-and-tunnels"))?.address, undefined);
  const open = sshSettings(configOf(...ON, "firewall management anywhere", "system ssh idle-timeout 0"));
  assert.equal(open?.address, undefined);
  assert.equal(open?.idleMinutes, undefined);
});

test("a key that was shown can be typed in again", () => {
  const config = configOf(`system ssh key bob public-key ${keys.NISTP521}`);
  assert.deepEqual(toLines(config, "hide"), [`set system ssh key bob public-key ${keys.NISTP521}`]);
});

const PROBLEMS: readonly (readonly [readonly string[], string])[] = [
  [["system ssh enabled true"], "interfaces lan address: SSH is on and needs it"],
  [[...ON, "system ssh password-login false"], "system ssh password-login: without password and without keys"],
  [[...ON, "system ssh port 1723"], "system ssh port: port 1723 belongs to the VPN server"],
  [[...ON, "system ssh port 53"], "system ssh port: port 53 belongs to the DNS proxy"],
  [[...ON, "firewall service a port 20-30"], "firewall service a port: port 22 is SSH"],
  [
    [...ON, "firewall management anywhere", "nat mapping a port 22", "nat mapping a address 192.168.1.9"],
    "system ssh port: nat mapping a leads port 22 of the WAN elsewhere",
  ],
];
for (const [lines, problem] of PROBLEMS)
  test(`${lines.join(", ")}: ${problem}`, () => {
    const found = validate(configOf(...lines)).map((each) => `${each.path}: ${each.problem}`);
    assert.equal(found.length, 1, found.join("\n"));
    assert.ok(found[0]?.startsWith(problem), found[0]);
  });

test("while SSH is off its settings are nobody's problem, and a mapping of its port beside a closed firewall is none", () => {
  assert.deepEqual(validate(configOf("system ssh port 53", "system ssh password-login false")), []);
  assert.deepEqual(validate(configOf(...ON, "nat mapping a port 22", "nat mapping a address 192.168.1.9")), []);
});
