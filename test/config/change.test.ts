import assert from "node:assert/strict";
import { test } from "node:test";
import { remove, set } from "../../appliance/config/change.ts";
import { entriesOf, valueAt } from "../../appliance/config/config.ts";
import { changedWithin, diff, sameConfig, toLines } from "../../appliance/config/diff.ts";
import { configOf, OFFICE } from "../support/config-text.ts";

const words = (line: string): string[] => line.split(" ").filter((word) => word !== "");

test("set stores the canonical path of abbreviated words", () => {
  const changed = set(new Map(), words("v s mtu 1300"));
  assert.ok(changed.ok);
  assert.deepEqual([...changed.config], [["vpn server mtu", 1300]]);
});

test("a client's name may have letters, digits, dots, underscores and hyphens", () => {
  for (const name of ["a", "x".repeat(31), "1001a", "Head_office.2-b"])
    assert.ok(set(new Map(), words(`vpn client ${name} server 10.0.0.1`)).ok, name);
});

/** [line, index of the wrong word, what is said]. */
const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  ["", 0, /incomplete/],
  ["vpn", 1, /incomplete/],
  ["vpn server", 2, /incomplete/],
  ["vpn account", 2, /incomplete/],
  ["vpn account alice", 3, /incomplete/],
  ["vpn server mtu", 3, /value is missing/],
  ["vpn server mtu 1400 bytes", 4, /too many/],
  ["vpn server mtu big", 3, /"big" is not possible/],
  ["vpn sever mtu 1400", 1, /no setting "sever"/],
  ["vpn server p start 10.0.0.1 x", 5, /too many/],
  ["vpn server e true", 2, /"e" can be enabled or encryption/],
  ["vpn account __proto__ password x", 2, /cannot be a name/],
  ["vpn server constructor x", 2, /no setting/],
  ["vpn client 1001 server 10.0.0.1", 2, /cannot be a name: .*not digits alone/],
  [`vpn client ${"x".repeat(32)} server 10.0.0.1`, 2, /cannot be a name/],
  ["vpn client a@b server 10.0.0.1", 2, /cannot be a name/],
];
for (const [line, at, problem] of REFUSED) {
  test(`set ${line} is refused at word ${at}`, () => {
    const changed = set(new Map(), words(line));
    assert.ok(!changed.ok);
    assert.equal(changed.at, at);
    assert.match(changed.problem, problem);
    assert.notEqual(changed.hint, "");
  });
}

test("delete takes one setting, an entry, or a branch, and what goes has its default again", () => {
  const config = configOf(
    ...OFFICE,
    "vpn server mtu 1300",
    "vpn account bob password x",
    "vpn account bob enabled false",
  );
  const without = (line: string) => {
    const changed = remove(config, words(line));
    assert.ok(changed.ok, line);
    return changed.config;
  };
  assert.equal(valueAt(without("vpn server mtu"), "vpn server mtu"), 1400);
  assert.deepEqual(entriesOf(without("vpn account bob"), "vpn account"), ["alice"]);
  assert.deepEqual(entriesOf(without("vpn account"), "vpn account"), []);
  assert.equal(without("vpn server pool").size, config.size - 2);
});

test("delete refuses everything at once, a value, and what is not set", () => {
  const config = configOf(...OFFICE);
  for (const line of ["", "vpn server mtu", "vpn account bob", "vpn server enabled true", "vpn nothing"])
    assert.ok(!remove(config, words(line)).ok, line);
  // A name that another begins with is another name.
  assert.ok(!remove(config, words("vpn account ali")).ok);
});

test("the lines of a configuration make it again, in the schema's order", () => {
  const config = configOf(...[...OFFICE, "vpn server dns 10.0.0.1 10.0.0.2"].reverse());
  const lines = toLines(config, "show");
  assert.equal(lines[0], "set interfaces wan address 203.0.113.1/24");
  assert.equal(lines.at(-1), "set vpn account alice password s3cret");
  assert.ok(sameConfig(configOf(...lines.map((line) => line.slice(4))), config));
  assert.deepEqual(toLines(config, "hide", "vpn account"), ["set vpn account alice password ********"]);
});

test("the difference of two configurations leads from one to the other, and hides secrets", () => {
  const before = configOf(...OFFICE, "vpn server dns 10.0.0.1");
  const after = configOf(...OFFICE.slice(0, -1), "vpn account alice password new", "vpn server mtu 1300");
  assert.deepEqual(diff(before, after, "hide"), [
    "delete vpn server dns",
    "set vpn server mtu 1300",
    "set vpn account alice password ********",
  ]);
  let config = before;
  for (const line of diff(before, after, "show")) {
    const [command, ...rest] = line.split(" ");
    const changed = command === "set" ? set(config, rest) : remove(config, rest);
    assert.ok(changed.ok, line);
    config = changed.config;
  }
  assert.ok(sameConfig(config, after));
  assert.deepEqual(diff(after, after, "show"), []);
});

test("changedWithin sees a change, an addition and a removal below a branch, and nothing beside it", () => {
  const before = configOf(...OFFICE);
  assert.ok(changedWithin(before, configOf(...OFFICE, "vpn server mtu 1300"), ["vpn"]));
  assert.ok(!changedWithin(before, configOf(...OFFICE, "vpn server mtu 1300"), ["interfaces", "system"]));
  assert.ok(changedWithin(before, configOf(...OFFICE.slice(1)), ["interfaces"]));
  assert.ok(
    changedWithin(before, configOf(...OFFICE, "interfaces lan address 10.0.0.1/8"), ["interfaces lan address"]),
  );
});
