import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { tokenize } from "../../appliance/cli/grammar.ts";
import { leafAt } from "../../appliance/config/config.ts";
import type { Leaf, Value } from "../../appliance/config/schema-node.ts";
import { describeType, formatValue, HIDDEN, isValue, parseValue } from "../../appliance/config/value.ts";
import { SETTINGS } from "../support/every-setting.ts";

const leaf = (path: string): Leaf => leafAt(path) ?? assert.fail(`no setting ${path}`);

/** [setting, words, the value or the index of the wrong word]. */
const CASES: readonly (readonly [string, string, Value | { wrong: number }])[] = [
  ["vpn server enabled", "true", true],
  ["vpn server enabled", "false", false],
  ["vpn server enabled", "yes", { wrong: 0 }],
  ["vpn server enabled", "true true", { wrong: 1 }],
  ["vpn server enabled", "", { wrong: 0 }],
  ["vpn server mtu", "576", 576],
  ["vpn server mtu", "1460", 1460],
  ["vpn server mtu", "0576", 576],
  ["vpn server mtu", "575", { wrong: 0 }],
  ["vpn server mtu", "1461", { wrong: 0 }],
  ["vpn server mtu", "1e3", { wrong: 0 }],
  ["vpn server mtu", "-576", { wrong: 0 }],
  ["vpn server mtu", "1400.5", { wrong: 0 }],
  ["vpn server pool start", "192.168.1.200", "192.168.1.200"],
  ["vpn server pool start", "192.168.1.256", { wrong: 0 }],
  ["vpn server pool start", "192.168.01.1", { wrong: 0 }],
  ["vpn server pool start", "127.0.0.1", { wrong: 0 }],
  ["vpn server pool start", "0.0.0.0", { wrong: 0 }],
  ["vpn server pool start", "224.0.0.1", { wrong: 0 }],
  ["vpn server pool start", "::1", { wrong: 0 }],
  ["interfaces lan address", "192.168.1.1/24", "192.168.1.1/24"],
  ["interfaces lan address", "192.168.1.1/024", { wrong: 0 }],
  ["interfaces lan address", "192.168.1.1/0", { wrong: 0 }],
  ["interfaces lan address", "192.168.1.1/33", { wrong: 0 }],
  ["interfaces lan address", "192.168.1.1", { wrong: 0 }],
  ["vpn server dns", "10.0.0.1", ["10.0.0.1"]],
  ["vpn server dns", "10.0.0.2 10.0.0.1", ["10.0.0.2", "10.0.0.1"]],
  ["vpn server dns", "10.0.0.1 10.0.0.2 10.0.0.3", { wrong: 2 }],
  ["vpn server dns", "10.0.0.1 10.0.0.1", { wrong: 1 }],
  ["vpn client bob route", "10.1.2.3/16", ["10.1.0.0/16"]],
  ["vpn client bob route", "10.1.2.3/32", ["10.1.2.3/32"]],
  ["vpn client bob route", "223.255.255.255/24", ["223.255.255.0/24"]],
  ["vpn client bob route", "1.2.3.4/1 128.0.0.0/1", ["0.0.0.0/1", "128.0.0.0/1"]],
  ["vpn client bob route", "10.1.0.0/16 10.1.2.3/16", { wrong: 1 }],
  ["vpn client bob route", "10.1.0.0/16 10.1.0.0", { wrong: 1 }],
  ["vpn client bob route", "0.0.0.0/0", { wrong: 0 }],
  ["vpn client bob route", "0.1.0.0/16", { wrong: 0 }],
  ["vpn client bob route", "127.0.0.0/8", { wrong: 0 }],
  ["vpn client bob route", "224.0.0.0/4", { wrong: 0 }],
  ["vpn client bob route", Array.from({ length: 33 }, (_, i) => `10.${i}.0.0/16`).join(" "), { wrong: 32 }],
  ["vpn client bob user", "DOMAIN\\alice", "DOMAIN\\alice"],
  ["vpn client bob user", "ü".repeat(63), "ü".repeat(63)],
  ["vpn client bob user", "x".repeat(64), { wrong: 0 }],
  ["vpn client bob user", "a\tb", { wrong: 0 }],
  ["vpn client bob idle-timeout", "30", 30],
  ["vpn client bob idle-timeout", "29", { wrong: 0 }],
  ["vpn client bob idle-timeout", "86401", { wrong: 0 }],
  ["vpn client bob dial", "on-demand", "on-demand"],
  ["vpn client bob mppe-mode", "stateful", { wrong: 0 }],
  ["vpn client bob new-password", HIDDEN, { wrong: 0 }],
  ["vpn server authentication", "mschap-v2 pap", ["mschap-v2", "pap"]],
  ["vpn server authentication", "eap", { wrong: 0 }],
  ["vpn server encryption", "optional", "optional"],
  ["vpn server encryption", "opt", { wrong: 0 }],
  ["system name", "Head-Office-2", "Head-Office-2"],
  ["system name", "-office", { wrong: 0 }],
  ["interfaces wan device", "eth0.5", "eth0.5"],
  ["interfaces wan device", "a-name-of-16-byt", { wrong: 0 }],
  ["interfaces wan device", "../eth0", { wrong: 0 }],
  ["vpn account bob password", "s3cret", "s3cret"],
  ["vpn account bob password", HIDDEN, { wrong: 0 }],
  ["vpn account bob password", "x".repeat(129), { wrong: 0 }],
];

for (const [path, text, expected] of CASES) {
  test(`${path} "${text.slice(0, 40)}" is ${JSON.stringify(expected)}`, () => {
    const parsed = parseValue(leaf(path), text === "" ? [] : text.split(" "));
    if (typeof expected === "object" && "wrong" in expected) {
      assert.ok(!parsed.ok);
      assert.equal(parsed.at, expected.wrong);
      assert.match(parsed.hint, /^expected: ./);
    } else assert.deepEqual(parsed, { ok: true, value: expected });
  });
}

test("a secret may hold blanks and quotes, but no control characters", () => {
  const password = leaf("vpn account bob password");
  assert.deepEqual(parseValue(password, ['a "b" \\ ü']), { ok: true, value: 'a "b" \\ ü' });
  for (const bad of ["", "a\nb", "a\x00", "\x1b[2J"]) assert.ok(!parseValue(password, [bad]).ok);
});

test("every default in the schema is a possible value", () => {
  for (const path of SETTINGS) {
    const { default: fallback, ...at } = leaf(path);
    if (fallback !== undefined) assert.ok(isValue(at, fallback), path);
    assert.ok(describeType(at).length > 0);
  }
});

test("what formatValue writes, the command line reads back as the same value", () =>
  fc.assert(
    fc.property(fc.constantFrom(...SETTINGS), fc.array(fc.string({ unit: "grapheme" })), (path, words) => {
      const parsed = parseValue(leaf(path), words);
      if (!parsed.ok) return;
      const typed = tokenize(formatValue(leaf(path), parsed.value, "show")).map((token) => token.text);
      assert.deepEqual(parseValue(leaf(path), typed), parsed);
    }),
    { numRuns: 2000 },
  ));

test("isValue refuses what parseValue cannot make, whatever a damaged file holds", () => {
  assert.ok(isValue(leaf("vpn server mtu"), 1400));
  for (const wrong of ["1400", 14, null, undefined, [1400], {}, true, Number.NaN])
    assert.ok(!isValue(leaf("vpn server mtu"), wrong), JSON.stringify(wrong));
  assert.ok(!isValue(leaf("vpn server dns"), "10.0.0.1"));
  assert.ok(!isValue(leaf("vpn server dns"), []));
  assert.ok(!isValue(leaf("vpn server dns"), [["10.0.0.1"]]));
});

test("a secret is never shown", () => {
  for (const path of SETTINGS.filter((each) => each.endsWith("password")))
    assert.equal(formatValue(leaf(path), "s3cret", "hide"), HIDDEN, path);
});
