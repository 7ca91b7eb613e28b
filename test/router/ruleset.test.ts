import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { routerSettings } from "../../appliance/config/settings-router.ts";
import { ruleset } from "../../appliance/router/ruleset.ts";
import { configOf } from "../support/config-text.ts";
import { projectRoot } from "../support/native.ts";
import { RULESETS } from "../support/rulesets.ts";

const GOLDEN = "test/router/rulesets.nft";

test("the rulesets are as they were", () => {
  const text = RULESETS.map(
    ([name, lines]) => `# ${name}\n${ruleset(routerSettings(configOf(...lines)).firewall)}`,
  ).join("\n");
  const file = join(projectRoot(), GOLDEN);
  if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"));
});

const rulesOf = (...lines: readonly string[]): string => ruleset(routerSettings(configOf(...lines)).firewall);

test("PPTP is open to the Internet only while somebody may call, and GRE only from the servers that we call", () => {
  assert.doesNotMatch(rulesOf(), /tcp dport 1723 counter accept|l4proto/);
  assert.match(rulesOf("vpn server enabled true"), /iifname "eth0" tcp dport 1723 counter accept/);
  assert.match(rulesOf("vpn server enabled true"), /iifname "eth0" meta l4proto 47 counter accept/);
  assert.match(rulesOf("vpn client a server 192.0.2.7"), /ip saddr \{ 192\.0\.2\.7 \} meta l4proto 47 counter accept/);
  assert.doesNotMatch(rulesOf("vpn client a server 192.0.2.7", "vpn client a enabled false"), /l4proto/);
});

test("without NAT no packet is renamed on the WAN, and no port is mapped", () => {
  const mapping = ["nat mapping web port 80", "nat mapping web address 192.168.1.10"];
  assert.match(rulesOf(...mapping), /oifname "eth0" counter masquerade[\s\S]*|dnat ip to 192\.168\.1\.10 /);
  assert.doesNotMatch(rulesOf(...mapping, "nat enabled false"), /oifname "eth0" counter masquerade|dnat ip to/);
});
